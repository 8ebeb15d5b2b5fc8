"""All operations at once, by weights: an ordinary Locust file.

    locust -f scenarios/load/mix.py

with the variables of `harness/load/settings.py` set; `HARNESS_LOAD_MIX` gives other weights than
these.
"""

from __future__ import annotations

from dataclasses import replace

from harness.load.locusts import load_test
from harness.load.workload import Workload
from scenarios.load.operations import MESSAGES, PROBE, READS, SAGA, START, waits

Arrivals = load_test(
    Workload(
        name="mix",
        operations=(replace(SAGA, weight=4), PROBE, START, MESSAGES[0], *READS),
        waiting=waits,
    )
)
