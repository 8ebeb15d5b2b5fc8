"""Versions of the workflow `Saga` that run in the sandbox, each with one thing it should not do.

As `replayed_sagas`, but of classes that a module defines, which the sandbox asks for.
"""

from __future__ import annotations

import os
import random
import sys
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from tests.unit import passed_through

SOON = timedelta(seconds=10)


async def _saga(amount: Any) -> Any:
    await workflow.execute_activity(
        "rms.reserve",
        {"resource": "item", "amount": amount, "urgent": True},
        start_to_close_timeout=SOON,
    )
    await workflow.sleep(SOON)
    return {"done": True}


@workflow.defn(name="Saga")
class AsRecorded:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(1)


@workflow.defn(name="Saga")
class ByChance:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(random.random())


@workflow.defn(name="Saga")
class ByClock:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(datetime.now().isoformat())


@workflow.defn(name="Saga")
class ByEnvironment:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(os.environ.get("HOME"))


@workflow.defn(name="Saga")
class ByFile:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        with open("/dev/null") as file:  # noqa: ASYNC230, PTH123
            return await _saga(file.read())


@workflow.defn(name="Saga")
class ByWorkflowRandom:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(workflow.random().random())


@workflow.defn(name="Saga")
class ByHelperPassedThrough:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(passed_through.chance())


@workflow.defn(name="Saga")
class ByUnrestrictedSection:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        with workflow.unsafe.sandbox_unrestricted():
            chance = random.random()
        return await _saga(chance)


@workflow.defn(name="Saga")
class BySetOrder:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(list({f"word {number}" for number in range(9)}))


@workflow.defn(name="Saga")
class ByHash:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(hash("word"))


@workflow.defn(name="Saga")
class ById:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(id(self))


@workflow.defn(name="Saga")
class ByArguments:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(sys.argv)


@workflow.defn(name="Saga")
class ByCounter:
    @workflow.run
    async def run(self, argument: Any) -> Any:
        return await _saga(next(passed_through.NUMBERS))
