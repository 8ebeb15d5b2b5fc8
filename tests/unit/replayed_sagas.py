"""One workflow and its later versions, each with a single change, for the tests of the replay.

All have the type `Saga`. They are outside of the sandbox, so that a replay takes milliseconds.
"""

from __future__ import annotations

import contextlib
import random
import time
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, ChildWorkflowError

SOON = timedelta(seconds=10)
REGION = SearchAttributeKey.for_keyword("Region")
COUNTER = [0]
ABANDON = workflow.ParentClosePolicy.ABANDON
REJECTED = WorkflowIDReusePolicy.REJECT_DUPLICATE
NORTH = TypedSearchAttributes([SearchAttributePair(REGION, "north")])


async def reserve(**changes: Any) -> Any:
    """The activity that every version calls first."""
    given: dict[str, Any] = {"start_to_close_timeout": SOON, "result_type": dict}
    name = changes.pop("name", "rms.reserve")
    argument = changes.pop("argument", {"resource": "item", "amount": 1, "urgent": True})
    return await workflow.execute_activity(name, argument, **{**given, **changes})


def version(body: Any) -> type:
    """A workflow class of the type `Saga` with this body."""

    async def run(self: Any, argument: Any) -> Any:
        return await body(argument)

    run.__qualname__ = "Saga.run"  # the SDK takes no class of a function
    made = type("Saga", (), {"run": workflow.run(run)})
    return workflow.defn(name="Saga", sandboxed=False)(made)


async def _as_recorded(_: Any) -> Any:
    await reserve()
    await workflow.sleep(SOON)
    return {"done": True}


async def _input_changed(_: Any) -> Any:
    await reserve(argument={"resource": "item", "amount": 2, "urgent": True})
    await workflow.sleep(SOON)
    return {"done": True}


async def _input_true_for_one(_: Any) -> Any:
    await reserve(argument={"resource": "item", "amount": True, "urgent": True})
    await workflow.sleep(SOON)
    return {"done": True}


async def _input_by_chance(_: Any) -> Any:
    await reserve(argument={"resource": "item", "amount": random.random(), "urgent": True})
    await workflow.sleep(SOON)
    return {"done": True}


async def _input_of_the_process(_: Any) -> Any:
    COUNTER[0] += 1
    await reserve(argument={"resource": "item", "amount": 1 + COUNTER[0], "urgent": True})
    await workflow.sleep(SOON)
    return {"done": True}


async def _type_changed(_: Any) -> Any:
    await reserve(name="rms.release")
    await workflow.sleep(SOON)
    return {"done": True}


async def _queue_changed(_: Any) -> Any:
    await reserve(task_queue="tenant-b")
    await workflow.sleep(SOON)
    return {"done": True}


async def _timeout_changed(_: Any) -> Any:
    await reserve(start_to_close_timeout=timedelta(seconds=99))
    await workflow.sleep(SOON)
    return {"done": True}


async def _retry_changed(_: Any) -> Any:
    await reserve(retry_policy=RetryPolicy(maximum_attempts=3))
    await workflow.sleep(SOON)
    return {"done": True}


async def _timer_changed(_: Any) -> Any:
    await reserve()
    await workflow.sleep(timedelta(seconds=999))
    return {"done": True}


async def _timer_removed(_: Any) -> Any:
    await reserve()
    return {"done": True}


async def _timer_added(_: Any) -> Any:
    await workflow.sleep(SOON)
    await reserve()
    await workflow.sleep(SOON)
    return {"done": True}


async def _swapped(_: Any) -> Any:
    await workflow.sleep(SOON)
    await reserve()
    return {"done": True}


async def _activity_added(_: Any) -> Any:
    await reserve()
    await reserve(name="ams.grant")
    await workflow.sleep(SOON)
    return {"done": True}


async def _activity_removed(_: Any) -> Any:
    await workflow.sleep(SOON)
    return {"done": True}


async def _memo_added(_: Any) -> Any:
    await reserve()
    workflow.upsert_memo({"stage": "reserved"})
    await workflow.sleep(SOON)
    return {"done": True}


async def _blocking(_: Any) -> Any:
    time.sleep(2.5)  # noqa: ASYNC251 - what is tested
    return await _as_recorded(_)


async def _result_changed(_: Any) -> Any:
    await reserve()
    await workflow.sleep(SOON)
    return {"done": 1}


async def _fails_instead(_: Any) -> Any:
    await reserve()
    await workflow.sleep(SOON)
    raise ApplicationError("no", type="SagaFailed")


async def _patched(_: Any) -> Any:
    await reserve()
    if workflow.patched("one-more"):
        await reserve(name="ams.grant")
    await workflow.sleep(SOON)
    return {"done": True}


async def _naming_its_namespace(_: Any) -> Any:
    return workflow.info().namespace


NAMING_ITS_NAMESPACE = version(_naming_its_namespace)
AS_RECORDED = version(_as_recorded)
BLOCKING = version(_blocking)
INPUT_CHANGED = version(_input_changed)
INPUT_TRUE_FOR_ONE = version(_input_true_for_one)
INPUT_BY_CHANCE = version(_input_by_chance)
INPUT_OF_THE_PROCESS = version(_input_of_the_process)
TYPE_CHANGED = version(_type_changed)
QUEUE_CHANGED = version(_queue_changed)
TIMEOUT_CHANGED = version(_timeout_changed)
RETRY_CHANGED = version(_retry_changed)
TIMER_CHANGED = version(_timer_changed)
TIMER_REMOVED = version(_timer_removed)
TIMER_ADDED = version(_timer_added)
SWAPPED = version(_swapped)
ACTIVITY_ADDED = version(_activity_added)
ACTIVITY_REMOVED = version(_activity_removed)
MEMO_ADDED = version(_memo_added)
RESULT_CHANGED = version(_result_changed)
FAILS_INSTEAD = version(_fails_instead)
PATCHED = version(_patched)


# --- other kinds of command: each once as recorded and once changed


def child(**changes: Any) -> type:
    """A version that starts a child."""
    given: dict[str, Any] = {
        "workflow": "Child",
        "arg": {"n": 1},
        "id": "saga/child",
        "memo": {"of": "saga"},
    }

    async def body(_: Any) -> Any:
        options = {**given, **changes}
        name, argument = options.pop("workflow"), options.pop("arg")
        await workflow.start_child_workflow(name, argument, **options)
        await workflow.sleep(SOON)

    return version(body)


def continued(argument: Any = None, **changes: Any) -> type:
    """A version that goes on as a new run."""

    async def body(_: Any) -> Any:
        workflow.continue_as_new(argument or {"n": 2}, **changes)

    return version(body)


def failing(type_: str = "SagaFailed", detail: Any = "why", message: str = "no") -> type:
    """A version that fails."""

    async def body(_: Any) -> Any:
        raise ApplicationError(message, detail, type=type_, non_retryable=True)

    return version(body)


def signalling(
    workflow_id: str = "other", name: str = "go", argument: Any = "now", *, cancels: bool = False
) -> type:
    """A version that signals, or cancels, another workflow."""

    async def body(_: Any) -> Any:
        other: Any = workflow.get_external_workflow_handle(workflow_id)
        await (other.cancel() if cancels else other.signal(name, argument))

    return version(body)


def labelling(region: str = "north", stage: str = "one") -> type:
    """A version that sets a search attribute and a memo."""

    async def body(_: Any) -> Any:
        workflow.upsert_search_attributes([REGION.value_set(region)])
        workflow.upsert_memo({"stage": stage})
        await workflow.sleep(SOON)

    return version(body)


def cancelling_its_child() -> type:
    """A version that starts a child and cancels it."""

    async def body(_: Any) -> Any:
        handle = await workflow.start_child_workflow("Child", {"n": 1}, id="saga/child")
        await workflow.sleep(SOON)
        handle.cancel()
        with contextlib.suppress(ChildWorkflowError):
            await handle

    return version(body)


def locally() -> type:
    """A version with a local activity, which strict replay does not compare."""

    async def body(_: Any) -> Any:
        await workflow.execute_local_activity("local", start_to_close_timeout=SOON)

    return version(body)
