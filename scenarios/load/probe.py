"""A canary saga, to be started once a second: an ordinary Locust file.

    locust -f scenarios/load/probe.py

with the variables of `harness/load/settings.py` set; from the share of them that complete in time
follows the availability.
"""

from __future__ import annotations

from harness.load.locusts import load_test
from harness.load.workload import Workload
from scenarios.load.operations import PROBE

Arrivals = load_test(Workload(name="probe", operations=(PROBE,)))
