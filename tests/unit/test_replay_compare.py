"""Strict replay: what the SDK's own replayer passes, and what it must not hide.

Histories are built by hand as an engine writes them; the replayer works without one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_commands import WorkflowCommand

from harness.errors import UnavailableError
from harness.journal.records import Difference, Ending, History
from harness.replay.__main__ import replayed
from harness.replay.compare import LEFT_OUT, PAIRS, unknown_kinds
from harness.replay.inprocess import workflows_of
from tests.unit import replayed_sagas as sagas
from tests.unit import sandboxed_sagas as sandboxed
from tests.unit.recorded import Recorded, encoded, payloads


def plain() -> Recorded:
    return Recorded().activity().timer().completed({"done": True})


Verdict = tuple[Ending, str, list[Difference]]


async def replay(
    folder: Path, recorded: Recorded, version: type, namespace: str = "alpha"
) -> tuple[Verdict, Verdict]:
    """The stock and the strict result of one history."""
    ((_, stock, strict),) = await replay_all(folder, [recorded], version, namespace)
    return stock, strict


async def replay_all(
    folder: Path, histories: list[Recorded], version: type, namespace: str = "alpha"
) -> list[tuple[History, Verdict, Verdict]]:
    about = []
    for number, recorded in enumerate(histories):
        raw = json.dumps({"events": recorded.events}).encode()
        (folder / f"{number}.json").write_bytes(raw)
        about.append(
            History(
                at_ns=1,
                wall_ns=1,
                tenant="alpha",
                namespace=namespace,
                workflow_id=f"saga-{number}",
                run_id=f"run-{number}",
                workflow_type="Saga",
                status="COMPLETED",
                path=f"{number}.json",
                events=len(recorded.events),
                sha256=hashlib.sha256(raw).hexdigest(),
            )
        )
    found = []
    async for recorded, result in replayed(folder, about, [version]):
        assert isinstance(recorded, History)
        found.append((recorded, result.stock, result.strict))
    return found


async def test_the_code_that_recorded_a_history_replays_the_same(tmp_path: Path) -> None:
    assert await replay(tmp_path, plain(), sagas.AS_RECORDED) == (
        (Ending.OK, "", []),
        (Ending.OK, "", []),
    )


# --- what the stock replayer passes


@pytest.mark.parametrize(
    ("version", "attribute", "recorded", "replayed_as"),
    [
        (sagas.INPUT_CHANGED, "activity_task_scheduled.input", '"amount": 1', '"amount": 2'),
        (sagas.INPUT_TRUE_FOR_ONE, "activity_task_scheduled.input", ": 1,", '"amount": true'),
        (sagas.INPUT_BY_CHANCE, "activity_task_scheduled.input", ": 1,", '"amount": 0.'),
        (sagas.INPUT_OF_THE_PROCESS, "activity_task_scheduled.input", ": 1,", '"amount": '),
        (sagas.QUEUE_CHANGED, "activity_task_scheduled.task_queue", "sagas", "tenant-b"),
        (sagas.TIMER_CHANGED, "timer_started.start_to_fire_timeout", "10.0", "999.0"),
        (
            sagas.RESULT_CHANGED,
            "workflow_execution_completed.result",
            '{"done": true}',
            '{"done": 1}',
        ),
    ],
    ids=["input", "type of an input", "random", "process state", "queue", "timer", "result"],
)
async def test_a_change_that_the_stock_replayer_passes_is_an_error(
    tmp_path: Path, version: type, attribute: str, recorded: str, replayed_as: str
) -> None:
    stock, (ending, message, differences) = await replay(tmp_path, plain(), version)
    assert stock == (Ending.OK, "", [])
    assert (ending, message) == (Ending.FAIL, "1 recorded attributes differ")
    (difference,) = differences
    assert (difference.attribute, difference.severity) == (attribute, "error")
    assert recorded in difference.recorded
    assert replayed_as in difference.replayed


@pytest.mark.parametrize(
    ("version", "attribute"),
    [
        (sagas.TIMEOUT_CHANGED, "activity_task_scheduled.start_to_close_timeout"),
        (sagas.RETRY_CHANGED, "activity_task_scheduled.retry_policy"),
    ],
    ids=["timeout", "retry policy"],
)
async def test_a_change_that_is_legal_evolution_is_shown_and_not_red(
    tmp_path: Path, version: type, attribute: str
) -> None:
    stock, (ending, _, differences) = await replay(tmp_path, plain(), version)
    assert (stock[0], ending) == (Ending.OK, Ending.OK)
    assert [(d.attribute, d.severity) for d in differences] == [(attribute, "info")]


@pytest.mark.parametrize(
    "version",
    [
        sandboxed.ByWorkflowRandom,
        sandboxed.ByHelperPassedThrough,
        sandboxed.ByUnrestrictedSection,
        sandboxed.BySetOrder,
        sandboxed.ByHash,
        sandboxed.ById,
        sandboxed.ByArguments,
        sandboxed.ByCounter,
    ],
    ids=lambda version: version.__name__,
)
async def test_what_the_sandbox_lets_through_is_an_error(tmp_path: Path, version: type) -> None:
    stock, (ending, _, differences) = await replay(tmp_path, plain(), version)
    assert (stock, ending) == ((Ending.OK, "", []), Ending.FAIL)
    assert [each.attribute for each in differences] == ["activity_task_scheduled.input"]


async def test_the_sandbox_by_itself_changes_nothing(tmp_path: Path) -> None:
    assert await replay(tmp_path, plain(), sandboxed.AsRecorded) == (
        (Ending.OK, "", []),
        (Ending.OK, "", []),
    )


@pytest.mark.parametrize(
    "version",
    [sandboxed.ByChance, sandboxed.ByClock, sandboxed.ByEnvironment, sandboxed.ByFile],
    ids=lambda version: version.__name__,
)
async def test_what_the_sandbox_restricts_is_red_for_both(tmp_path: Path, version: type) -> None:
    stock, strict = await replay(tmp_path, plain(), version)
    assert (stock[0], strict[0]) == (Ending.FAIL, Ending.FAIL)
    assert "Cannot access" in stock[1]


async def test_code_that_blocks_is_given_up_and_no_failure(tmp_path: Path) -> None:
    """The SDK's detector of deadlocks cannot tell it from a machine that is too slow."""
    stock, strict = await replay(tmp_path, plain(), sagas.BLOCKING)
    assert (stock[0], strict[0]) == (Ending.INFO, Ending.INFO)
    assert "[TMPRL1101]" in stock[1]


async def test_a_difference_names_the_event_that_it_differs_from(tmp_path: Path) -> None:
    recorded = plain()
    _, (_, _, (difference,)) = await replay(tmp_path, recorded, sagas.TIMER_CHANGED)
    event = recorded.events[difference.event_id - 1]
    assert event["eventType"] == "EVENT_TYPE_TIMER_STARTED"


# --- what the stock replayer finds itself


@pytest.mark.parametrize(
    "version",
    [
        sagas.TYPE_CHANGED,
        sagas.TIMER_REMOVED,
        sagas.TIMER_ADDED,
        sagas.SWAPPED,
        sagas.ACTIVITY_ADDED,
        sagas.ACTIVITY_REMOVED,
        sagas.MEMO_ADDED,
        sagas.FAILS_INSTEAD,
    ],
    ids=[
        "activity type",
        "timer removed",
        "timer added",
        "swapped",
        "activity added",
        "activity removed",
        "memo added",
        "fails instead",
    ],
)
async def test_other_commands_are_red_for_both(tmp_path: Path, version: type) -> None:
    stock, strict = await replay(tmp_path, plain(), version)
    assert (stock[0], strict[0]) == (Ending.FAIL, Ending.FAIL)
    assert "TMPRL1100" in stock[1]


async def test_a_change_behind_a_patch_is_legal(tmp_path: Path) -> None:
    stock, strict = await replay(tmp_path, plain(), sagas.PATCHED)
    assert (stock[0], strict) == (Ending.OK, (Ending.OK, "", []))


async def test_what_the_sdk_records_of_a_patch_is_not_taken_for_the_codes(tmp_path: Path) -> None:
    """A marker and a search attribute that no command of the workflow's code asked for."""
    recorded = Recorded().activity()
    patch = {"patch-data": payloads({"id": "one-more", "deprecated": False})}
    recorded.command("MARKER_RECORDED", markerName="core_patch", details=patch)
    recorded.command(
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        searchAttributes={"indexedFields": {"TemporalChangeVersion": encoded(["one-more"])}},
    )
    recorded.activity("ams.grant", "2").timer().completed({"done": True})
    stock, strict = await replay(tmp_path, recorded, sagas.PATCHED)
    assert (stock[0], strict) == (Ending.OK, (Ending.OK, "", []))


# --- every other kind of command, as recorded and changed


def with_child(**memo: Any) -> Recorded:
    recorded = Recorded()
    initiated = recorded.command(
        "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
        namespace="alpha",
        workflowId="saga/child",
        workflowType={"name": "Child"},
        taskQueue={"name": "sagas"},
        input=payloads({"n": 1}),
        workflowRunTimeout="0s",
        parentClosePolicy="PARENT_CLOSE_POLICY_TERMINATE",
        workflowIdReusePolicy="WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE",
        memo={"fields": {name: encoded(value) for name, value in memo.items()}},
    )
    recorded.add(
        "CHILD_WORKFLOW_EXECUTION_STARTED",
        namespace="alpha",
        initiatedEventId=initiated,
        workflowExecution={"workflowId": "saga/child", "runId": "r"},
        workflowType={"name": "Child"},
    )
    recorded.task()
    return recorded.timer().completed()


def with_labelled_child() -> Recorded:
    return with_child(of="saga")


def continued_as_new() -> Recorded:
    recorded = Recorded()
    recorded.command(
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
        newExecutionRunId="dbdf6e20-ccb1-4a22-8444-54b06f6be8d0",
        workflowType={"name": "Saga"},
        taskQueue={"name": "sagas"},
        input=payloads({"n": 2}),
    )
    return recorded


def failed() -> Recorded:
    recorded = Recorded()
    recorded.command(
        "WORKFLOW_EXECUTION_FAILED",
        failure={
            "message": "no",
            "applicationFailureInfo": {
                "type": "SagaFailed",
                "nonRetryable": True,
                "details": payloads("why"),
            },
        },
    )
    return recorded


def signalled() -> Recorded:
    recorded = Recorded()
    initiated = recorded.command(
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
        namespace="alpha",
        workflowExecution={"workflowId": "other"},
        signalName="go",
        input=payloads("now"),
    )
    recorded.add(
        "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED",
        initiatedEventId=initiated,
        namespace="alpha",
        workflowExecution={"workflowId": "other"},
    )
    recorded.task()
    return recorded.completed()


def cancelled_another() -> Recorded:
    recorded = Recorded()
    initiated = recorded.command(
        "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
        namespace="alpha",
        workflowExecution={"workflowId": "other"},
        reason="",
    )
    recorded.add(
        "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
        initiatedEventId=initiated,
        namespace="alpha",
        workflowExecution={"workflowId": "other"},
    )
    recorded.task()
    return recorded.completed()


def labelled() -> Recorded:
    recorded = Recorded()
    recorded.command(
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        searchAttributes={"indexedFields": {"Region": encoded("north")}},
    )
    recorded.command(
        "WORKFLOW_PROPERTIES_MODIFIED", upsertedMemo={"fields": {"stage": encoded("one")}}
    )
    return recorded.timer().completed()


INITIATED = "start_child_workflow_execution_initiated"
CONTINUED = "workflow_execution_continued_as_new"
SIGNALLED = "signal_external_workflow_execution_initiated"
CANCELLED = "request_cancel_external_workflow_execution_initiated"


@pytest.mark.parametrize(
    ("history", "version", "attribute"),
    [
        (with_labelled_child, sagas.child(), ""),
        (with_labelled_child, sagas.child(arg={"n": 2}), f"{INITIATED}.input"),
        (with_labelled_child, sagas.child(task_queue="tenant-b"), f"{INITIATED}.task_queue"),
        (with_labelled_child, sagas.child(memo={"of": "another"}), f"{INITIATED}.memo"),
        (with_labelled_child, sagas.child(cron_schedule="@daily"), f"{INITIATED}.cron_schedule"),
        (
            with_labelled_child,
            sagas.child(search_attributes=sagas.NORTH),
            f"{INITIATED}.search_attributes",
        ),
        (
            with_labelled_child,
            sagas.child(id_reuse_policy=sagas.REJECTED),
            f"{INITIATED}.workflow_id_reuse_policy",
        ),
        (
            continued_as_new,
            sagas.continued(search_attributes=sagas.NORTH),
            f"{CONTINUED}.search_attributes",
        ),
        (
            with_labelled_child,
            sagas.child(parent_close_policy=sagas.ABANDON),
            f"{INITIATED}.parent_close_policy",
        ),
        (continued_as_new, sagas.continued(), ""),
        (continued_as_new, sagas.continued({"n": 3}), f"{CONTINUED}.input"),
        (continued_as_new, sagas.continued(task_queue="tenant-b"), f"{CONTINUED}.task_queue"),
        (failed, sagas.failing(), ""),
        (failed, sagas.failing(message="other words"), ""),
        (failed, sagas.failing("Another"), "workflow_execution_failed.failure"),
        (failed, sagas.failing(detail="because"), "workflow_execution_failed.failure"),
        (signalled, sagas.signalling(), ""),
        (signalled, sagas.signalling("another"), f"{SIGNALLED}.workflow_id"),
        (signalled, sagas.signalling(argument="later"), f"{SIGNALLED}.input"),
        (cancelled_another, sagas.signalling(cancels=True), ""),
        (cancelled_another, sagas.signalling("another", cancels=True), f"{CANCELLED}.workflow_id"),
        (labelled, sagas.labelling(), ""),
        (
            labelled,
            sagas.labelling(region="south"),
            "upsert_workflow_search_attributes.search_attributes",
        ),
        (labelled, sagas.labelling(stage="two"), "workflow_properties_modified.memo"),
    ],
)
async def test_every_kind_of_command_is_compared_by_its_attributes(
    tmp_path: Path, history: Callable[[], Recorded], version: type, attribute: str
) -> None:
    """With no attribute named, the replay is the same in all of them."""
    stock, (ending, _, differences) = await replay(tmp_path, history(), version)
    assert stock == (Ending.OK, "", [])
    assert [d.attribute for d in differences] == ([attribute] if attribute else [])
    assert ending is (Ending.FAIL if attribute else Ending.OK)


async def test_a_cancelled_child_is_compared_and_not_confused_with_another_workflow(
    tmp_path: Path,
) -> None:
    recorded = with_child()
    del recorded.events[-1]
    child = {"workflowId": "saga/child", "runId": "r"}
    initiated = recorded.command(
        "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
        namespace="alpha",
        workflowExecution=child,
        childWorkflowOnly=True,
    )
    about = {"namespace": "alpha", "workflowExecution": child}
    recorded.add(
        "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED", initiatedEventId=initiated, **about
    )
    recorded.add(
        "CHILD_WORKFLOW_EXECUTION_CANCELED",
        initiatedEventId="5",
        startedEventId="6",
        workflowType={"name": "Child"},
        **about,
    )
    recorded.task()
    recorded.completed()
    _, strict = await replay(tmp_path, recorded, sagas.cancelling_its_child())
    assert strict == (Ending.OK, "", [])


# --- what is not known


def with_local_activity(type_: str = "local") -> Recorded:
    recorded = Recorded()
    recorded.add(
        "MARKER_RECORDED",
        markerName="core_local_activity",
        workflowTaskCompletedEventId="4",
        details={
            "result": payloads(1),
            "data": payloads(
                {
                    "seq": 1,
                    "attempt": 1,
                    "activity_id": "1",
                    "activity_type": type_,
                    "complete_time": {"seconds": 1767323045, "nanos": 0},
                    "backoff": None,
                    "original_schedule_time": {"seconds": 1767323045, "nanos": 0},
                    "activation_index": 1,
                }
            ),
        },
    )
    return recorded.completed()


async def test_a_local_activity_is_compared_by_what_its_marker_says(tmp_path: Path) -> None:
    same = await replay(tmp_path, with_local_activity(), sagas.locally())
    assert same == ((Ending.OK, "", []), (Ending.OK, "", []))
    other = await replay(tmp_path, with_local_activity("another"), sagas.locally())
    assert other[1][0] is Ending.FAIL


def test_kinds_that_are_not_compared_are_named() -> None:
    assert unknown_kinds([("schedule_nexus_operation", None)], []) == ["schedule_nexus_operation"]
    marker: Any = HistoryEvent()
    marker.marker_recorded_event_attributes.marker_name = "Version"
    assert unknown_kinds([], [marker]) == ["marker Version"]


def test_every_field_of_every_command_is_compared_or_left_out_with_a_reason() -> None:
    """A field that a newer SDK adds must be looked at."""
    variants = WorkflowCommand.DESCRIPTOR.oneofs_by_name["variant"].fields
    fields = {each.name: {f.name for f in each.message_type.fields} for each in variants}
    for kind, pair in PAIRS.items():
        read: set[str] = set()
        for attribute in pair.attributes:
            read |= READ_AS.get(attribute.name, {attribute.name})
        unlooked = fields[kind] - read - LEFT_OUT.get(kind, frozenset())
        assert not unlooked, (kind, unlooked)
        assert LEFT_OUT.get(kind, frozenset()) <= fields[kind], kind


# attributes that read fields of another name
READ_AS = {
    "input": {"input", "arguments", "args"},
    "workflow_id": {"workflow_id", "workflow_execution", "child_workflow_id"},
    "memo": {"memo", "upserted_memo"},
    "outcome": {"accepted", "rejected", "completed"},
}


async def test_a_kind_of_event_that_is_not_known_is_inconclusive_and_named(tmp_path: Path) -> None:
    recorded = Recorded().activity()
    recorded.add("WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY")
    recorded.task()
    _, strict = await replay(
        tmp_path, recorded.timer().completed({"done": True}), sagas.AS_RECORDED
    )
    assert strict[0] is Ending.INFO
    assert "workflow_properties_modified_externally" in strict[1]


async def test_a_run_that_was_cut_short_lacks_only_its_last_events(tmp_path: Path) -> None:
    """What the code would have done next was never recorded, and is no difference."""
    recorded = Recorded().activity()
    recorded.add("WORKFLOW_EXECUTION_TERMINATED", reason="by hand", identity="operator")
    _, strict = await replay(tmp_path, recorded, sagas.AS_RECORDED)
    assert strict == (Ending.OK, "", [])


async def test_a_replay_runs_in_the_namespace_in_which_the_run_was_recorded(
    tmp_path: Path,
) -> None:
    recorded = Recorded().completed("alpha")
    assert (await replay(tmp_path, recorded, sagas.NAMING_ITS_NAMESPACE))[1][0] is Ending.OK
    other = await replay(tmp_path, recorded, sagas.NAMING_ITS_NAMESPACE, namespace="beta")
    assert other[1][0] is Ending.FAIL


async def test_a_namespace_that_is_not_known_is_not_compared(tmp_path: Path) -> None:
    known = await replay(tmp_path, with_labelled_child(), sagas.child(), namespace="beta")
    assert known[1][0] is Ending.FAIL
    assert (await replay(tmp_path, with_labelled_child(), sagas.child(), namespace=""))[1] == (
        Ending.OK, "", [],
    )  # fmt: skip


async def test_runs_that_share_their_first_run_are_told_apart(tmp_path: Path) -> None:
    """A reset run's history begins with the id of the run that it was made from."""
    sound, other = plain(), Recorded().activity().timer().completed({"done": False})
    results = await replay_all(tmp_path, [sound, other], sagas.AS_RECORDED)
    assert [(about.run_id, strict[0]) for about, _, strict in results] == [
        ("run-0", Ending.OK),
        ("run-1", Ending.FAIL),
    ]


# --- the module to replay


def test_the_workflow_classes_of_a_module_are_found_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "their_sagas.py").write_text(
        "from temporalio import workflow\n"
        "@workflow.defn\n"
        "class Saga:\n"
        "    @workflow.run\n"
        "    async def run(self) -> None: ...\n"
    )
    assert [each.__name__ for each in workflows_of("their_sagas", tmp_path)] == ["Saga"]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [(None, "does not import"), ("1 / 0", "ZeroDivisionError"), ("", "no workflow class")],
    ids=["missing", "broken", "without workflows"],
)
def test_a_module_that_cannot_be_replayed_says_why_in_one_line(
    tmp_path: Path, source: str | None, complaint: str
) -> None:
    name = f"their_module_{complaint.split()[0]}_{source is None}"
    if source is not None:
        (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(UnavailableError, match=complaint) as raised:
        workflows_of(name, tmp_path)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)
