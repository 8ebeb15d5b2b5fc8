"""One tenant's normal work, sagas and queries, while another floods: an ordinary Locust file.

    locust -f scenarios/load/neighbours.py

with the variables of `harness/load/settings.py` set. `harness load --workload neighbours` runs it
for the first tenant, and beside it `scenarios/load/flood.py` for the second.
"""

from __future__ import annotations

from harness.load.locusts import load_test
from harness.load.workload import Workload
from scenarios.load.operations import MESSAGES, SAGA, waits

Arrivals = load_test(Workload(name="neighbours", operations=(SAGA, MESSAGES[1]), waiting=waits))
