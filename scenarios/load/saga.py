"""Sagas of four steps at a planned arrival rate: an ordinary Locust file.

    locust -f scenarios/load/saga.py

with the variables of `harness/load/settings.py` set (`harness up` prints them for a platform of its
own). In the web interface a Locust user is worth one saga a second. `harness load` runs this file
with a plan, records every arrival, and judges.
"""

from __future__ import annotations

from typing import Any

from harness.contract.program import FORWARD, SagaProgram, step, to_json
from harness.load.locusts import load_test
from harness.load.workload import Workload


def argument(tenant: str, saga_id: str) -> dict[str, Any]:
    """One step at each of the four services, all of which behave."""
    nodes = [step(number, f"{saga_id}-{number}") for number in range(len(FORWARD))]
    return to_json(SagaProgram(tenant=tenant, saga_id=saga_id, nodes=[*nodes]))


Arrivals = load_test(Workload(name="saga", argument=argument))
