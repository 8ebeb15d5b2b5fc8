"""`ReferenceSaga`: executes a saga program (contract §4).

A mutant changes one thing of it by a subclass:

    @workflow.defn(name="ReferenceSaga")
    class Forgetful(ReferenceSaga):
        @workflow.run
        async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
            return await super().run(raw)

        def to_compensate(self, unknown: int | None) -> list[int]:
            return []

The methods without underscore are that seam; the SDK demands that `run` is defined anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError
from temporalio.exceptions import CancelledError as TemporalCancelled
from temporalio.exceptions import TimeoutError as TemporalTimeout

# pure data and functions; importing them anew for every run would cost 10 ms
with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import (
        COMPENSATION_RETRY,
        Child,
        ContinueAsNew,
        Effect,
        Misfit,
        Node,
        Program,
        Progress,
        Retry,
        Step,
        Timer,
        Wait,
        parse,
    )

WORKFLOW_TYPE: Final = "ReferenceSaga"
SCHEDULE_TO_CLOSE: Final = timedelta(seconds=60)
NOT_RETRIED: Final = (
    "InvalidInput",
    "AuthorizationDenied",
    "BusinessFailure",
    "ServiceRejected",
    "SagaFailed",
)
NOT_APPLIED: Final = frozenset(
    {"AuthorizationDenied", "AuthorizationUnavailable", "BusinessFailure", "ServiceRejected"}
)
NOT_AUTHORIZED: Final = frozenset({"AuthorizationDenied", "AuthorizationUnavailable"})
CANCELLED: Final = "Cancelled"
_ACTIVITY_FAILURES: Final = NOT_APPLIED | {"ServiceUnavailable"}
_DEFAULT_START_TO_CLOSE_MS: Final = 10_000
_ROUNDS: Final = 4
NOTHING: Final = RawValue(Payload())
"""What a missing argument is taken for; it does not decode."""
_DECODING_ERRORS: Final = (ValueError, TypeError, LookupError, RuntimeError)


class NodeFailed(Exception):
    """A node failed for good, or was given up (`CANCELLED`)."""

    def __init__(self, number: int, cause: str, *, may_be_applied: bool) -> None:
        self.number = number
        self.cause = cause
        self.may_be_applied = may_be_applied
        super().__init__(f"node {number}: {cause}")


@workflow.defn(name=WORKFLOW_TYPE)
class ReferenceSaga:
    """One saga; its state is what the query `state` shows."""

    def __init__(self) -> None:
        self.saga_id = ""
        self.tenant = ""
        self.phase = "running"
        self.program = Program(tenant="", saga_id="", nodes=(), progress=Progress())
        self.argument: dict[str, Any] = {}
        self.results: dict[int, dict[str, Any]] = {}
        self.compensated: list[int] = []
        self.signals: dict[str, str] = {}

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        """The argument is taken undecoded, so that a misfit ends the run and not the task."""
        try:
            self.argument = decode(raw)
            self.program = parse(self.argument)
        except Misfit as error:
            self.phase = "failed"
            raise ApplicationError(str(error), type="InvalidInput", non_retryable=True) from error
        self._take_up(self.program.progress)
        try:
            await self._execute()
        except NodeFailed as failure:
            cancelled = _cancel_requested()
            await _detached(self._compensate(failure))
            await workflow.wait_condition(workflow.all_handlers_finished)
            if cancelled:
                self.phase = "cancelled"
                raise asyncio.CancelledError from failure
            self.phase = "failed"
            raise ApplicationError(
                str(failure), self._failure_detail(failure), type="SagaFailed", non_retryable=True
            ) from failure.__cause__
        await workflow.wait_condition(workflow.all_handlers_finished)
        self.phase = "completed"
        return self.result()

    @workflow.signal(name="deliver")
    def deliver(self, raw: RawValue = NOTHING) -> None:
        """A signal id counts once; what is no signal of the contract is ignored."""
        try:
            fields = decode(raw)
        except Misfit:
            return
        name, signal_id = fields.get("name"), fields.get("id")
        if isinstance(name, str) and isinstance(signal_id, str):
            self.receive(signal_id, name)

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        """Contract §4.5."""
        return {
            "saga_id": self.saga_id,
            "tenant": self.tenant,
            "phase": self.phase,
            "completed": list(self.results),
            "compensated": self.compensated,
            "signals": list(self.signals),
        }

    @workflow.update(name="annotate")
    def annotate(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        """Accept a note."""
        return {"id": decode(raw)["id"], "accepted": True}

    @annotate.validator
    def _validate_annotate(self, raw: RawValue = NOTHING) -> None:
        fields = decode(raw)
        if not isinstance(fields.get("id"), str):
            raise Misfit("annotate.id: not a string")
        if not isinstance(fields.get("text"), str) or not fields["text"]:
            raise Misfit("annotate.text: empty")

    # --- what a mutant may change -------------------------------------------------------------

    def receive(self, signal_id: str, name: str) -> None:
        """Count a signal, once for each id."""
        self.signals.setdefault(signal_id, name)

    def result(self) -> dict[str, Any]:
        """The answer of a completed run (§4.1)."""
        return {
            "saga_id": self.saga_id,
            "tenant": self.tenant,
            "outcome": "completed",
            "steps": [{"step": n, "result": r} for n, r in sorted(self.results.items())],
            "signals": list(self.signals),
        }

    def to_compensate(self, unknown: int | None) -> list[int]:
        """Step numbers in the order of compensation; `unknown` is the step in doubt."""
        completed = list(reversed(self.results))
        return completed if unknown is None else [unknown, *completed]

    def may_be_applied(self, cause: str) -> bool:
        """Whether a step that ended so may have had its effect."""
        return cause not in NOT_APPLIED

    def tried_before(self, cause: str, error: ActivityError) -> bool:
        """Whether an attempt was not authorized after another whose outcome nobody told."""
        return cause in NOT_AUTHORIZED and _attempt(error) > 1

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        """The argument of an activity (§5)."""
        return {
            "tenant": self.tenant,
            "saga_id": self.saga_id,
            "step": effect.number,
            "direction": effect.direction,
            "service": effect.step.service,
            "operation": effect.operation,
            "resource": effect.step.resource,
            "amount": effect.step.amount,
        }

    def retry_policy(self, retry: Retry) -> RetryPolicy:
        """The SDK's policy; an interval never exceeds the maximum."""
        return RetryPolicy(
            initial_interval=timedelta(milliseconds=min(retry.initial_ms, retry.max_interval_ms)),
            backoff_coefficient=retry.coefficient,
            maximum_interval=timedelta(milliseconds=retry.max_interval_ms),
            maximum_attempts=retry.max_attempts,
            non_retryable_error_types=list(NOT_RETRIED),
        )

    def start_effect(self, effect: Effect) -> workflow.ActivityHandle[Any]:
        """Schedule the activity of one effect; compensations use the defaults of a step."""
        forward = effect.direction == "forward"
        heartbeat_ms = effect.step.heartbeat_ms if forward else 0
        return workflow.start_activity(
            effect.activity_type,
            self.activity_argument(effect),
            schedule_to_close_timeout=SCHEDULE_TO_CLOSE,
            start_to_close_timeout=timedelta(
                milliseconds=effect.step.start_to_close_ms
                if forward
                else _DEFAULT_START_TO_CLOSE_MS
            ),
            heartbeat_timeout=timedelta(milliseconds=heartbeat_ms) if heartbeat_ms else None,
            retry_policy=self.retry_policy(effect.step.retry if forward else COMPENSATION_RETRY),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )

    async def perform(self, effect: Effect) -> dict[str, Any]:
        """Run one effect to its end and return the service's result; raises `NodeFailed`."""
        handle = self.start_effect(effect)
        try:
            answer = await _to_its_end(handle)
        except ActivityError as error:
            cause = _cause(error)
            may_be_applied = self.may_be_applied(cause) or self.tried_before(cause, error)
            raise NodeFailed(effect.number, cause, may_be_applied=may_be_applied) from error
        except asyncio.CancelledError as error:
            if not _cancel_requested():
                raise  # the run is evicted from the worker's cache
            raise NodeFailed(effect.number, CANCELLED, may_be_applied=True) from error
        result: dict[str, Any] = answer["result"]
        return result

    async def step(self, number: int, node: Step) -> None:
        """Node kind `step`."""
        self.results[number] = await self.perform(
            Effect(number=number, direction="forward", step=node)
        )

    async def wait(self, node: Wait) -> None:
        """Node kind `wait`."""
        self.phase = "waiting"
        await workflow.wait_condition(lambda: node.signal in self.signals.values())
        self.phase = "running"

    async def timer(self, node: Timer) -> None:
        """Node kind `timer`."""
        await workflow.sleep(timedelta(milliseconds=node.duration_ms))

    async def child(self, number: int, node: Child) -> None:
        """Node kind `child`."""
        try:
            await workflow.execute_child_workflow(
                WORKFLOW_TYPE,
                node.program,
                id=f"{workflow.info().workflow_id}/{number}",
                cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        except FailureError as error:
            cause = CANCELLED if _cancel_requested() else "ChildFailed"
            raise NodeFailed(number, cause, may_be_applied=False) from error

    async def continue_as_new(self, number: int) -> None:
        """Node kind `continue_as_new`."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new({**self.argument, "progress": self.reached(number + 1).to_json()})

    def reached(self, next_node: int) -> Progress:
        """What the continued run starts from."""
        return Progress(
            next_node=next_node,
            results=tuple(self.results.items()),
            signals=tuple(self.signals.items()),
        )

    # --- the course of a run ------------------------------------------------------------------

    def _take_up(self, progress: Progress) -> None:
        """Go on from what an earlier run reached; its signals come before this run's."""
        self.saga_id, self.tenant = self.program.saga_id, self.program.tenant
        self.results = dict(progress.results)
        received, self.signals = self.signals, dict(progress.signals)
        for signal_id, name in received.items():
            self.receive(signal_id, name)

    async def _execute(self) -> None:
        nodes = self.program.nodes
        for number in range(self.program.progress.next_node, len(nodes)):
            try:
                await self._node(number, nodes[number])
            except asyncio.CancelledError as error:
                if not _cancel_requested():
                    raise  # the run is evicted from the worker's cache
                raise NodeFailed(number, CANCELLED, may_be_applied=False) from error
            if _cancel_requested():  # the node ended all the same
                raise NodeFailed(number, CANCELLED, may_be_applied=False)

    async def _node(self, number: int, node: Node) -> None:
        match node:
            case Step():
                await self.step(number, node)
            case Wait():
                await self.wait(node)
            case Timer():
                await self.timer(node)
            case Child():
                await self.child(number, node)
            case ContinueAsNew():
                await self.continue_as_new(number)

    async def _compensate(self, failure: NodeFailed) -> None:
        self.phase = "compensating"
        for number in self.to_compensate(failure.number if failure.may_be_applied else None):
            node = self.program.nodes[number]
            if not isinstance(node, Step):
                continue
            effect = Effect(number=number, direction="compensation", step=node)
            try:
                await self.perform(effect)
            except NodeFailed:
                continue  # the others are still run
            self.compensated.append(number)

    def _failure_detail(self, failure: NodeFailed) -> dict[str, Any]:
        asked = self.to_compensate(failure.number if failure.may_be_applied else None)
        complete = set(asked) <= set(self.compensated)
        return {
            "saga_id": self.saga_id,
            "tenant": self.tenant,
            "outcome": "compensated" if complete else "compensation_incomplete",
            "cause": failure.cause,
            "step": failure.number,
            "completed": list(self.results),
            "compensated": self.compensated,
        }


async def _detached(work: Coroutine[Any, Any, None]) -> None:
    """Do the work to its end, whatever is cancelled meanwhile."""
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
    task.result()


async def _to_its_end(handle: workflow.ActivityHandle[Any]) -> Any:
    """What the activity ends with; a cancellation of the saga asks it to end and waits.

    An outcome that arrives in the same workflow task as the cancellation counts, so the handle is
    given the loop's next rounds before it is cancelled.
    """
    try:
        return await asyncio.shield(handle)
    except asyncio.CancelledError:
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        handle.cancel()
        return await handle


def _cancel_requested() -> bool:
    return workflow.cancellation_reason() is not None


def _cause(error: ActivityError) -> str:
    """The type of §6 (or `Timeout`) that an activity ended with, or `CANCELLED`."""
    match error.cause:
        case TemporalTimeout():
            return "Timeout"
        case TemporalCancelled() if _cancel_requested():
            return CANCELLED
        case ApplicationError(type=str(name)) if name in _ACTIVITY_FAILURES:
            return name
        case _:  # nothing of the contract: the outcome is unknown
            return "ServiceUnavailable"


def _attempt(error: ActivityError) -> int:
    """The attempt that an activity's failure tells (contract §6), 1 where it tells none."""
    cause = error.cause
    details = cause.details if isinstance(cause, ApplicationError) else ()
    told = details[0].get("attempt") if details and isinstance(details[0], dict) else None
    return told if isinstance(told, int) else 1


def decode(raw: RawValue) -> dict[str, Any]:
    """The JSON object in a payload; raises `Misfit`."""
    try:
        value = workflow.payload_converter().from_payload(raw.payload)
    except _DECODING_ERRORS as error:
        raise Misfit(f"argument: not decodable: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise Misfit("argument: not an object")
    return value
