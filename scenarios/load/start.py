"""Starts of runs that end with their first task, and are not followed: an ordinary Locust file.

    locust -f scenarios/load/start.py

with the variables of `harness/load/settings.py` set; see `scenarios/load/saga.py`.
"""

from __future__ import annotations

from harness.load.locusts import load_test
from harness.load.workload import Workload
from scenarios.load.operations import START

Arrivals = load_test(Workload(name="start", operations=(START,)))
