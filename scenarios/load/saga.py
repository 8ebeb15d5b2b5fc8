"""Sagas of four steps at a planned arrival rate: an ordinary Locust file.

    locust -f scenarios/load/saga.py

with the variables of `harness/load/settings.py` set (`harness up` prints them for a platform of its
own). In the web interface a Locust user is worth one saga a second. `harness load` runs this file
with a plan, records every arrival, and judges.
"""

from __future__ import annotations

from harness.load.locusts import load_test
from harness.load.workload import Workload
from scenarios.load.operations import SAGA

Arrivals = load_test(Workload(name="saga", operations=(SAGA,)))
