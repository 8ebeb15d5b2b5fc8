"""Reading the platform's own workflow code without running it.

`scan` starts at the workflow classes of a module and follows what they can reach through the
project's own modules; a table of rules says what must not be reached.
"""

from harness.source.scan import scan

__all__ = ["scan"]
