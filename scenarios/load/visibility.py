"""Reads: describe, first page of a history, query, list and count: an ordinary Locust file.

    locust -f scenarios/load/visibility.py

with the variables of `harness/load/settings.py` set; what a namespace holds when the
load begins is counted, as a fast answer over ten rows says nothing about a million.
"""

from __future__ import annotations

from harness.load.locusts import load_test
from harness.load.workload import Workload
from scenarios.load.operations import READS, waits

Arrivals = load_test(Workload(name="visibility", operations=READS, waiting=waits))
