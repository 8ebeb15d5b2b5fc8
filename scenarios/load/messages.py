"""Signals to runs that wait, and queries of their state: an ordinary Locust file.

    locust -f scenarios/load/messages.py

with the variables of `harness/load/settings.py` set; the runs are started before the load and
ended after it.
"""

from __future__ import annotations

from harness.load.locusts import load_test
from harness.load.workload import Workload
from scenarios.load.operations import MESSAGES, waits

Arrivals = load_test(Workload(name="messages", operations=MESSAGES, waiting=waits))
