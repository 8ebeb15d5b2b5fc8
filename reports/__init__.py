"""Reports: verdicts and journal to one self-contained HTML page, and to JSON beside it.

A report judges nothing. It shows what was judged, on whose part, with what evidence, and with the
same weight what was not verified. It needs no cluster, no SDK and no network, and neither does the
page it writes.
"""

from reports.page import render, write_report
from reports.summary import summary_json
from reports.trial import Trial

__all__ = ["Trial", "render", "summary_json", "write_report"]
