"""Replaying histories in this process: the SDK's own replayer, and every command it issued."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import re
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from harness.errors import UnavailableError
from harness.journal.records import Difference, Ending
from harness.replay.capture import Captured, CapturingRunner
from harness.replay.compare import compare, unknown_kinds
from harness.replay.own import Own
from harness.replay.verdicts import ERROR

NOTHING: Final = Captured("", "")
WITHIN_S: Final = 30.0
UNKNOWN: Final = "default"  # the namespace of a history that does not know its own
_LEAVE_WITHIN_S: Final = 5.0
_BLOCKED: Final = "[TMPRL1101]"  # the SDK's deadlock detector
_WRAPPED: Final = re.compile(r'message: "(\[TMPRL\d+\](?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A history to replay, parsed when its turn comes; an empty `namespace` is not known."""

    namespace: str
    history: Callable[[], WorkflowHistory]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one: `failure` is the replayer's, `captured` what the code issued until then.

    `late` says that the replay did not end in time; then there is no history. `blind` are
    attributes that the comparison leaves out (to break it on purpose).
    """

    number: int
    namespace: str
    history: WorkflowHistory | None
    failure: BaseException | None
    captured: Captured
    late: bool = False
    blind: Collection[str] = ()

    @property
    def stuck(self) -> str:
        """Why it was given up: it is late, or its code blocked the SDK's thread; empty if not.

        A machine that is too slow for it may be the reason, so this is no failure.
        """
        if self.late:
            return f"its replay did not end within {WITHIN_S:g} s"
        said = _said(self.failure) if self.failure is not None else ""
        return said if _BLOCKED in said else ""

    @property
    def stock(self) -> Judged:
        """What the SDK's replayer says."""
        if self.stuck:
            return Ending.INFO, self.stuck, []
        return (Ending.FAIL, _said(self.failure), []) if self.failure else (Ending.OK, "", [])

    @property
    def strict(self) -> Judged:
        """What the comparison with the recorded attributes says."""
        if self.stuck or self.history is None:
            return Ending.INFO, self.stuck, []
        if isinstance(self.failure, workflow.NondeterminismError):
            return Ending.FAIL, _said(self.failure), []
        events = list(self.history.events)
        strange = unknown_kinds(self.captured.commands, events)
        if strange:
            return Ending.INFO, f"not compared: {', '.join(strange)}", []
        if self.failure is not None:
            return Ending.FAIL, _said(self.failure), []
        return self._compared(events)

    def _compared(self, events: list[Any]) -> Judged:
        started = events[0].workflow_execution_started_event_attributes
        own = Own(
            task_queue=started.task_queue.name,
            workflow_type=started.workflow_type.name,
            namespace=self.namespace,
            replayed_task_queue=self.captured.task_queue,
            replayed_namespace=self.captured.namespace,
        )
        differences = compare(self.captured.commands, events, own, self.blind)
        red = [each for each in differences if each.severity == ERROR]
        message = f"{len(red)} recorded attributes differ" if red else ""
        return Ending.FAIL if red else Ending.OK, message, differences


Judged = tuple[Ending, str, list[Difference]]


def _said(failure: BaseException) -> str:
    """What a replayer says, without the SDK's own wrapping."""
    text = " ".join(str(failure).split())
    found = _WRAPPED.search(text)
    return found[1].replace('\\"', '"') if found else text


def workflows_of(name: str, folder: Path, where: str = "worker.workflows") -> list[type]:
    """The workflow classes that a module, found from a folder, defines (else those it imports).

    Raises `UnavailableError` for a module that does not import or has none; `where` is what named
    it.
    """
    sys.path.insert(0, str(folder.absolute()))
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the platform's code may raise anything
        raise UnavailableError(
            f"{where}: module {name} does not import ({type(error).__name__}: {_line(error)}); "
            "correct it, or where it is looked for"
        ) from None
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and "__temporal_workflow_definition" in vars(each)
    ]
    own = [each for each in found if each.__module__ == name]
    if not found:
        raise UnavailableError(
            f"{where}: module {name} has no workflow class; name the module that defines them"
        )
    return own or found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def type_name(workflow_class: type) -> str | None:
    """The workflow type under which a class is registered; None for a dynamic one."""
    definition = workflow._Definition.from_class(workflow_class)
    return definition.name if definition else None


async def replay(
    given: Sequence[Given],
    workflows: Sequence[type],
    settings: Mapping[str, Any] | None = None,
    passthrough: Sequence[str] = (),
) -> AsyncIterator[Result]:
    """Replay each history once, one after the other, in the order of the namespaces.

    `settings` are further arguments of the replayer (a data converter, interceptors, a runner);
    `passthrough` are modules that pass through the sandbox. Raises `UnavailableError` if the
    replayer does not take the workflows.
    """
    for namespace in sorted({each.namespace for each in given}):
        numbers = [n for n, each in enumerate(given) if each.namespace == namespace]
        while numbers:
            async for result in _replayed(
                given, tuple(numbers), workflows, settings or {}, passthrough
            ):
                numbers.remove(result.number)
                yield result


async def _replayed(
    given: Sequence[Given],
    numbers: Sequence[int],
    workflows: Sequence[type],
    settings: Mapping[str, Any],
    passthrough: Sequence[str],
) -> AsyncIterator[Result]:
    """By one replayer, until all are done or one of them is late."""
    namespace = given[numbers[0]].namespace
    inner = settings.get("workflow_runner") or _sandbox(passthrough)
    runner = CapturingRunner(inner)
    outside = CapturingRunner(UnsandboxedWorkflowRunner())

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for number in numbers:
            yield given[number].history()

    try:
        replayer = Replayer(
            **{
                "namespace": namespace or UNKNOWN,
                **settings,
                "workflows": list(workflows),
                "workflow_runner": runner,
                "unsandboxed_workflow_runner": outside,
            }
        )
        entered = replayer.workflow_replay_iterator(histories())
        results = await entered.__aenter__()
    except Exception as error:  # noqa: BLE001 - the platform's code is loaded in the sandbox
        raise UnavailableError(
            f"the SDK does not take the workflows ({type(error).__name__}: {_line(error)}"
            f"{_because(error)})"
        ) from None
    try:
        for number in numbers:  # the replayer takes one after the other
            about = given[number].namespace
            try:
                result = await asyncio.wait_for(anext(results), WITHIN_S)
            except TimeoutError:
                yield Result(
                    number=number, namespace=about, history=None, failure=None,
                    captured=NOTHING, late=True,
                )  # fmt: skip
                return
            run_id = result.history.run_id
            yield Result(
                number=number,
                namespace=about,
                history=result.history,
                failure=result.replay_failure,
                captured=(runner if run_id in runner.runs else outside).runs.pop(run_id, NOTHING),
            )
    finally:
        with contextlib.suppress(TimeoutError):  # one that hangs is left behind
            await asyncio.wait_for(entered.__aexit__(None, None, None), _LEAVE_WITHIN_S)


def _because(error: BaseException) -> str:
    return f": {_line(error.__cause__)}" if error.__cause__ else ""


def _sandbox(passthrough: Sequence[str]) -> WorkflowRunner:
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*passthrough)
    )
