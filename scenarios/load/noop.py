"""No-op activities, ordinary, local and eager: an ordinary Locust file.

    locust -f scenarios/load/noop.py

with the variables of `harness/load/settings.py` set, for a worker that has the capability `noop`;
each run has five activities, which the histories time afterwards (`harness load --workload noop`).
"""

from __future__ import annotations

from harness.load.locusts import load_test
from harness.load.workload import NOOP, Workload
from scenarios.load.operations import NOOPS

Arrivals = load_test(Workload(name=NOOP, operations=NOOPS))
