"""What the load arm does to tell what a workflow costs: who is looked at, what is weighed."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    ChildWorkflowExecutionStartedEventAttributes,
    HistoryEvent,
    WorkflowExecutionContinuedAsNewEventAttributes,
)

from harness.drive.weigh import Root, Run, drawn, followers
from harness.errors import UsageError
from harness.run.counting import bypassing, idle_s

CALLS = """\
import socket, sys
kept = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def engine() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def caller(engine: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours that is connected to the engine itself."""
    port = str(engine.getsockname()[1])
    command = [sys.executable, "-c", CALLS, port]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        yield process
        process.kill()


def platform(engine: socket.socket, *, engine_pid: int = 0, counting_pid: int = 0) -> Any:
    return SimpleNamespace(
        address=f"127.0.0.1:{engine.getsockname()[1]}",
        engine=SimpleNamespace(pid=engine_pid),
        counting_pid=counting_pid,
    )


def test_who_calls_the_engine_itself_is_seen(
    engine: socket.socket, caller: subprocess.Popen[bytes]
) -> None:
    found = bypassing(platform(engine))
    assert found is not None
    assert [f"({caller.pid})" in each for each in found] == [True]


def test_the_proxy_and_the_engine_itself_may(
    engine: socket.socket, caller: subprocess.Popen[bytes]
) -> None:
    assert bypassing(platform(engine, counting_pid=caller.pid)) == []
    assert bypassing(platform(engine, engine_pid=caller.pid)) == []


def test_who_is_connected_elsewhere_is_not_meant(
    engine: socket.socket, caller: subprocess.Popen[bytes]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert bypassing(platform(other)) == []


@pytest.mark.parametrize(
    ("asked", "duration_s", "found"),
    [(None, 299.0, 5.0), (None, 300.0, 75.0), (0.0, 600.0, 0.0), (9.0, 1.0, 9.0)],
)
def test_the_platform_is_left_alone_as_befits_the_load(
    asked: float | None, duration_s: float, found: float
) -> None:
    assert idle_s(asked, duration_s) == found


@pytest.mark.parametrize("asked", [-1.0, 3601.0, float("nan"), float("inf")])
def test_an_idle_stretch_that_cannot_be_is_refused(asked: float) -> None:
    with pytest.raises(UsageError, match="--idle"):
        idle_s(asked, 60.0)


def test_workflows_are_drawn_evenly_from_first_to_last() -> None:
    roots = [Root("alpha", f"w-{n}") for n in range(1000)]
    chosen = list(drawn(roots, 4))
    assert [root.workflow_id for root in chosen] == ["w-0", "w-250", "w-500", "w-750"]
    assert list(drawn(roots, 5000)) == roots
    assert list(drawn([], 5)) == []


def test_each_operation_is_drawn_from_although_they_take_turns() -> None:
    roots = [Root("alpha", f"w-{n}", ("noop", "noop-local")[n % 2]) for n in range(1000)]
    chosen = list(drawn(roots, 10))
    assert [root.operation for root in chosen] == ["noop"] * 5 + ["noop-local"] * 5
    assert [root.workflow_id for root in chosen[5:]] == ["w-1", "w-201", "w-401", "w-601", "w-801"]
    assert sorted(drawn(roots, 1000)) == sorted(roots)


def test_a_history_leads_to_what_carries_it_on_and_to_children() -> None:
    run = Run("alpha", "w", "r1")
    events = [
        HistoryEvent(
            event_type=EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
            child_workflow_execution_started_event_attributes=(
                ChildWorkflowExecutionStartedEventAttributes(
                    workflow_execution=WorkflowExecution(workflow_id="c", run_id="r2")
                )
            ),
        ),
        HistoryEvent(
            event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
            workflow_execution_continued_as_new_event_attributes=(
                WorkflowExecutionContinuedAsNewEventAttributes(new_execution_run_id="r3")
            ),
        ),
    ]
    assert list(followers(run, events)) == [Run("alpha", "c", "r2"), Run("alpha", "w", "r3")]
