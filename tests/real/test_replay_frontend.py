"""The replay frontend before real workers: what it must catch, and what it must not hide.

The worker is the SDK's own, and knows nothing of it: everything goes over the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from harness.outcome import Outcome
from harness.platform.child import Children
from harness.platform.registry import Registry
from harness.replay.corpus import Entry
from harness.replay.frontend.course import Patience
from harness.replay.frontend.matching import Matching
from harness.replay.frontend.plan import Plan, Wanted
from harness.replay.frontend.play import COLD, WARM, WHOLE, Player
from harness.replay.frontend.server import Frontend
from harness.replay.recorded import Recorded as History
from harness.replay.recorded import read
from harness.replay.verdicts import HistoryVerdict
from harness.run.replay_wire import Build, replay_over_wire
from harness.tools.temporal import find_temporal
from tests.real import replayed_rich as rich
from tests.real.commands import ROOT, Place
from tests.unit import replayed_sagas as sagas
from tests.unit import sandboxed_sagas as sandboxed
from tests.unit.recorded import Recorded, encoded, payloads
from tests.unit.test_replay_compare import (
    cancelled_another,
    continued_as_new,
    failed,
    labelled,
    plain,
    signalled,
    with_labelled_child,
)

pytestmark = pytest.mark.real
MODES = (WARM, COLD)
NAMESPACE = "alpha"


@asynccontextmanager
async def served(
    *workflows: type,
    queue: str = "sagas",
    activities: Sequence[Any] = (),
    namespace: str = NAMESPACE,
    **options: Any,
) -> AsyncIterator[Matching]:
    """A frontend with an unmodified worker before it."""
    matching = Matching()
    frontend = Frontend(matching)
    client = await Client.connect(await frontend.open(), namespace=namespace)
    worker = Worker(client, task_queue=queue, workflows=workflows, activities=activities, **options)
    try:
        async with worker:
            yield matching
    finally:
        await frontend.close()


def history(folder: Path, recorded: Recorded, name: str = "saga") -> History:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"events": recorded.events}))
    return read(Entry(path=path, name=path.name, run_id=recorded.run_id, namespace=NAMESPACE))


async def play(matching: Matching, given: History, mode: str, task_s: float = 10) -> HistoryVerdict:
    loop = asyncio.get_running_loop()
    patience = Patience(ready_by=loop.time() + 10, poll_s=10, task_s=task_s)
    return await Player(matching, mode, patience, NAMESPACE).play(given)


async def judged(
    folder: Path, recorded: Recorded, version: type, modes: Sequence[str] = MODES, **options: Any
) -> list[HistoryVerdict]:
    """The verdicts on a history, in these modes."""
    async with served(version, **options) as matching:
        given = history(folder, recorded)
        return [await play(matching, given, mode) for mode in modes]


def outcomes(verdicts: Sequence[HistoryVerdict]) -> list[str]:
    return [str(each.outcome) for each in verdicts]


def red(verdict: HistoryVerdict) -> list[str]:
    return [each.attribute for each in verdict.errors]


# --- the rows of the table of what a change must be


async def test_the_build_that_recorded_a_history_answers_the_same(tmp_path: Path) -> None:
    verdicts = await judged(tmp_path, plain(), sagas.AS_RECORDED, (*MODES, WHOLE))
    assert outcomes(verdicts) == ["pass", "pass", "pass"]
    assert [(each.tasks, each.compared) for each in verdicts] == [(3, 3), (3, 3), (1, 0)]
    assert [each.differences for each in verdicts] == [[], [], []]


INPUT = "ACTIVITY_TASK_SCHEDULED.input"
PASSED_BY_THE_STOCK_REPLAYER: dict[str, tuple[type, str]] = {
    "activity input": (sagas.INPUT_CHANGED, INPUT),
    "type of a value in an input": (sagas.INPUT_TRUE_FOR_ONE, INPUT),
    "activity task queue": (sagas.QUEUE_CHANGED, "ACTIVITY_TASK_SCHEDULED.task_queue"),
    "timer": (sagas.TIMER_CHANGED, "TIMER_STARTED.start_to_fire_timeout"),
    "result": (sagas.RESULT_CHANGED, "WORKFLOW_EXECUTION_COMPLETED.result"),
    "unsandboxed random": (sagas.INPUT_BY_CHANCE, INPUT),
    "unsandboxed counter": (sagas.INPUT_OF_THE_PROCESS, INPUT),
    "workflow.random": (sandboxed.ByWorkflowRandom, INPUT),
    "helper passed through": (sandboxed.ByHelperPassedThrough, INPUT),
    "sandbox_unrestricted": (sandboxed.ByUnrestrictedSection, INPUT),
    "order of a set": (sandboxed.BySetOrder, INPUT),
    "hash": (sandboxed.ByHash, INPUT),
    "id": (sandboxed.ById, INPUT),
    "sys.argv": (sandboxed.ByArguments, INPUT),
    "global counter": (sandboxed.ByCounter, INPUT),
}


@pytest.mark.parametrize("change", PASSED_BY_THE_STOCK_REPLAYER)
async def test_what_the_stock_replayer_passes_is_a_difference(tmp_path: Path, change: str) -> None:
    version, attribute = PASSED_BY_THE_STOCK_REPLAYER[change]
    verdicts = await judged(tmp_path, plain(), version, (*MODES, WHOLE))
    assert outcomes(verdicts) == ["fail", "fail", "pass"]
    assert [red(each) for each in verdicts] == [[attribute], [attribute], []]
    (difference,) = verdicts[0].errors
    event = plain().events[difference.event_id - 1]
    assert attribute.startswith(event["eventType"].removeprefix("EVENT_TYPE_"))
    assert difference.recorded != difference.replayed


@pytest.mark.parametrize(
    ("version", "attribute"),
    [
        (sagas.TIMEOUT_CHANGED, "ACTIVITY_TASK_SCHEDULED.start_to_close_timeout"),
        (sagas.RETRY_CHANGED, "ACTIVITY_TASK_SCHEDULED.retry_policy"),
    ],
)
async def test_timeouts_and_retries_are_legal_evolution_and_shown(
    tmp_path: Path, version: type, attribute: str
) -> None:
    for verdict in await judged(tmp_path, plain(), version):
        assert verdict.outcome is Outcome.PASS
        assert [(d.attribute, d.severity) for d in verdict.differences] == [(attribute, "info")]


OTHER_COMMANDS: dict[str, type] = {
    "activity type": sagas.TYPE_CHANGED,
    "activity added": sagas.ACTIVITY_ADDED,
    "activity removed": sagas.ACTIVITY_REMOVED,
    "timer added": sagas.TIMER_ADDED,
    "timer removed": sagas.TIMER_REMOVED,
    "swapped": sagas.SWAPPED,
    "memo added": sagas.MEMO_ADDED,
    "fails instead": sagas.FAILS_INSTEAD,
}


@pytest.mark.parametrize("change", OTHER_COMMANDS)
async def test_other_commands_are_a_difference(tmp_path: Path, change: str) -> None:
    for verdict in await judged(tmp_path, plain(), OTHER_COMMANDS[change]):
        assert verdict.outcome is Outcome.FAIL
        assert "command" in red(verdict)


@pytest.mark.parametrize("change", ["activity type", "swapped", "timer removed", "memo added"])
async def test_a_worker_cannot_replay_other_commands_whole(tmp_path: Path, change: str) -> None:
    (verdict,) = await judged(tmp_path, plain(), OTHER_COMMANDS[change], [WHOLE])
    assert (verdict.outcome, red(verdict)) == (Outcome.FAIL, ["history"])
    assert "TMPRL1100" in verdict.message


@pytest.mark.parametrize(
    "version",
    [sandboxed.ByChance, sandboxed.ByClock, sandboxed.ByEnvironment, sandboxed.ByFile],
)
async def test_what_the_sandbox_forbids_fails_the_task(tmp_path: Path, version: type) -> None:
    for verdict in await judged(tmp_path, plain(), version):
        assert (verdict.outcome, red(verdict)[0]) == (Outcome.FAIL, "task")
        assert "restricted" in verdict.message.lower() or "Cannot access" in verdict.message


# --- patches


async def test_a_change_behind_a_patch_is_legal(tmp_path: Path) -> None:
    for verdict in await judged(tmp_path, plain(), sagas.PATCHED):
        assert (verdict.outcome, verdict.differences) == (Outcome.PASS, [])
        assert verdict.notes == ["event 10: takes a patch that the run did not know: one-more"]


def patched_at_the_end(otherwise: Any) -> type:
    """A version with a patch in the last task; runs of before answer this."""

    async def body(_: Any) -> Any:
        await sagas.reserve()
        await workflow.sleep(sagas.SOON)
        if workflow.patched("late"):
            await sagas.reserve(name="ams.grant")
        elif otherwise:
            await workflow.sleep(otherwise)
        return {"done": True}

    return sagas.version(body)


async def test_patches_everywhere_leave_nothing_to_compare(tmp_path: Path) -> None:
    async def body(_: Any) -> Any:
        workflow.patched("first")
        await sagas.reserve()
        await workflow.wait_condition(lambda: False)

    recorded = Recorded().activity()
    for verdict in await judged(tmp_path, recorded, sagas.version(body), [WARM]):
        assert verdict.outcome is Outcome.INCONCLUSIVE


async def test_behind_a_patch_in_the_last_task_the_whole_history_is_replayed(
    tmp_path: Path,
) -> None:
    sound = await judged(tmp_path, plain(), patched_at_the_end(None))
    assert outcomes(sound) == ["pass", "pass"]
    broken = await judged(tmp_path, plain(), patched_at_the_end(sagas.SOON))
    assert outcomes(broken) == ["fail", "fail"]
    assert [red(each) for each in broken] == [["history"], ["history"]]


def with_patch(*, deprecated: bool) -> Recorded:
    recorded = Recorded()
    data = {"patch-data": payloads({"id": "one-more", "deprecated": deprecated})}
    recorded.command("MARKER_RECORDED", markerName="core_patch", details=data)
    recorded.command(
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        searchAttributes={"indexedFields": {"TemporalChangeVersion": encoded(["one-more"])}},
    )
    return recorded.activity().timer().completed({"done": True})


def asking(how: Any) -> type:
    async def body(_: Any) -> Any:
        how("one-more")
        await sagas.reserve()
        await workflow.sleep(sagas.SOON)
        return {"done": True}

    return sagas.version(body)


async def test_the_life_of_a_patch_is_legal_in_its_order(tmp_path: Path) -> None:
    live, fading = with_patch(deprecated=False), with_patch(deprecated=True)
    patched, deprecated = asking(workflow.patched), asking(workflow.deprecate_patch)
    assert outcomes(await judged(tmp_path, live, patched)) == ["pass", "pass"]
    assert outcomes(await judged(tmp_path, live, deprecated)) == ["pass", "pass"]
    assert outcomes(await judged(tmp_path, fading, deprecated)) == ["pass", "pass"]
    assert outcomes(await judged(tmp_path, fading, sagas.AS_RECORDED)) == ["pass", "pass"]
    # too early: runs that may still take the other branch
    assert outcomes(await judged(tmp_path, live, sagas.AS_RECORDED)) == ["fail", "fail"]


# --- every other kind of command, as recorded and changed

KINDS: list[tuple[Callable[[], Recorded], type, str]] = [
    (with_labelled_child, sagas.child(), ""),
    (with_labelled_child, sagas.child(arg={"n": 2}), "input"),
    (with_labelled_child, sagas.child(task_queue="tenant-b"), "task_queue"),
    (with_labelled_child, sagas.child(memo={"of": "another"}), "memo"),
    (with_labelled_child, sagas.child(cron_schedule="@daily"), "cron_schedule"),
    (with_labelled_child, sagas.child(parent_close_policy=sagas.ABANDON), "parent_close_policy"),
    (with_labelled_child, sagas.child(workflow="Other"), "command"),
    (continued_as_new, sagas.continued(), ""),
    (continued_as_new, sagas.continued({"n": 3}), "input"),
    (continued_as_new, sagas.continued(task_queue="tenant-b"), "task_queue"),
    (failed, sagas.failing(), ""),
    (failed, sagas.failing(message="other words"), ""),
    (failed, sagas.failing("Another"), "failure"),
    (failed, sagas.failing(detail="because"), "failure"),
    (signalled, sagas.signalling(), ""),
    (signalled, sagas.signalling("another"), "workflow_id"),
    (signalled, sagas.signalling(argument="later"), "input"),
    (signalled, sagas.signalling(name="stop"), "signal_name"),
    (cancelled_another, sagas.signalling(cancels=True), ""),
    (cancelled_another, sagas.signalling("another", cancels=True), "workflow_id"),
    (labelled, sagas.labelling(), ""),
    (labelled, sagas.labelling(region="south"), "search_attributes"),
    (labelled, sagas.labelling(stage="two"), "upserted_memo"),
]


@pytest.mark.parametrize(("recorded", "version", "attribute"), KINDS)
async def test_every_kind_of_command_is_compared_by_its_attributes(
    tmp_path: Path, recorded: Callable[[], Recorded], version: type, attribute: str
) -> None:
    """With no attribute named, the answer is the same in all of them."""
    for verdict in await judged(tmp_path, recorded(), version):
        assert [each.rpartition(".")[2] for each in red(verdict)][:1] == [attribute][
            : bool(attribute)
        ]
        assert verdict.outcome is (Outcome.FAIL if attribute else Outcome.PASS), verdict.message


# --- a run with everything in it, recorded by a real engine


@pytest.fixture(scope="module")
def rich_histories(tmp_path_factory: pytest.TempPathFactory) -> list[History]:
    """The two runs of a workflow with every kind of command, and its child, from a real engine."""
    folder = tmp_path_factory.mktemp("rich")
    return asyncio.run(record(folder))


async def record(folder: Path) -> list[History]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_temporal()),
        namespace=NAMESPACE,
        search_attributes=[rich.REGION],
    )
    async with environment as engine:
        worker = Worker(
            engine.client,
            task_queue="rich",
            workflows=[rich.rich(rich.Version()), rich.Child],
            activities=rich.ACTIVITIES,
        )
        async with worker:
            first = await engine.client.start_workflow(
                "Rich", 0, id="rich", task_queue="rich", memo={"by": "hand"}
            )
            await driven(first)
            last = engine.client.get_workflow_handle("rich")
            child = engine.client.get_workflow_handle("rich/child")
            await last.result()
            runs = [
                ("rich", str(first.result_run_id)),
                ("rich", (await last.describe()).run_id),
                ("rich/child", (await child.describe()).run_id),
            ]
        return [await exported(engine.client, folder, *run) for run in runs]


async def driven(handle: WorkflowHandle[Any, Any]) -> None:
    """Updates that are completed, refused and failed; a query, then the signal to go on."""
    assert await handle.execute_update("note", "one") == "noted"
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("note", "")
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("fails")
    await handle.query("__stack_trace")
    assert await handle.execute_update("note", "two") == "noted"
    await handle.signal("go")


async def exported(client: Client, folder: Path, workflow_id: str, run_id: str) -> History:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    path = folder / f"{run_id}.json"
    path.write_text((await handle.fetch_history()).to_json())
    return read(
        Entry(
            path=path, name=path.name, namespace=NAMESPACE, workflow_id=workflow_id, run_id=run_id
        )
    )


@asynccontextmanager
async def rich_worker(version: rich.Version, namespace: str = NAMESPACE) -> AsyncIterator[Matching]:
    async with served(
        rich.rich(version), rich.Child, queue="rich", activities=rich.ACTIVITIES,
        namespace=namespace,
    ) as matching:  # fmt: skip
        yield matching


async def test_a_run_with_every_kind_of_command_is_answered_the_same(
    rich_histories: list[History],
) -> None:
    kinds = {e.event_type for given in rich_histories for e in given.events}
    assert len(kinds) > 25
    async with rich_worker(rich.Version()) as matching:
        for given in rich_histories:
            for mode in (*MODES, WHOLE):
                verdict = await play(matching, given, mode)
                assert (verdict.outcome, verdict.message) == (Outcome.PASS, ""), verdict
                assert verdict.differences == []


@pytest.mark.parametrize(
    ("version", "attribute"),
    [
        (rich.Version(note="changed"), "WORKFLOW_EXECUTION_UPDATE_COMPLETED.outcome"),
        (rich.Version(rejects=True), "command"),
        (
            rich.Version(told="changed"),
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED.input",
        ),
        (rich.Version(memo="changed"), "WORKFLOW_PROPERTIES_MODIFIED.upserted_memo"),
        (rich.Version(region="south"), "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES.search_attributes"),
        (
            rich.Version(child_id="another"),
            "START_CHILD_WORKFLOW_EXECUTION_INITIATED.workflow_id",
        ),
        (rich.Version(after_local="changed"), "ACTIVITY_TASK_SCHEDULED.input"),
    ],
)
async def test_each_change_in_a_run_with_everything_is_found(
    rich_histories: list[History], version: rich.Version, attribute: str
) -> None:
    async with rich_worker(version) as matching:
        for mode in MODES:
            verdict = await play(matching, rich_histories[0], mode)
            assert verdict.outcome is Outcome.FAIL
            assert attribute in red(verdict)


@pytest.mark.parametrize(
    ("known", "differing"),
    [("", []), ("of-yore", []), ("another", ["namespace"] * 3)],
    ids=["not known", "as recorded", "another"],
)
async def test_the_namespace_of_children_is_the_run_s_own_where_that_is_known(
    rich_histories: list[History], tmp_path: Path, known: str, differing: list[str]
) -> None:
    """A history from a folder is served in a namespace of ours, which then stands for its own."""
    first = rich_histories[0].entry
    path = tmp_path / first.name
    events = json.loads(first.path.read_text().replace(NAMESPACE, "of-yore"))
    path.write_text(json.dumps(events))
    given = read(dataclasses.replace(first, path=path, namespace=known))
    served_as = known or NAMESPACE
    async with rich_worker(rich.Version(), namespace=served_as) as matching:
        verdict = await play(matching, given, "warm")
    assert [each.rpartition(".")[2] for each in red(verdict)] == differing


async def test_a_local_activity_that_answers_otherwise_is_no_difference(
    rich_histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs for real, and the outside world may have changed: what follows is judged with the
    recorded answer."""
    monkeypatch.setattr(rich, "LOCALLY", [2])
    async with rich_worker(rich.Version()) as matching:
        for mode in MODES:
            verdict = await play(matching, rich_histories[0], mode)
            assert (verdict.outcome, verdict.message) == (Outcome.PASS, "")


async def test_what_differs_after_a_local_activity_leaves_its_task_open(
    rich_histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rich, "LOCALLY", [2])
    async with rich_worker(rich.Version(after_local="changed")) as matching:
        for mode in MODES:
            verdict = await play(matching, rich_histories[0], mode)
            assert verdict.outcome is Outcome.INCONCLUSIVE
            assert "core_local_activity was made anew" in verdict.message


# --- workers and histories that are not as they should be


async def test_a_worker_without_a_cache_asks_for_what_it_was_told_already(tmp_path: Path) -> None:
    verdicts = await judged(tmp_path, plain(), sagas.AS_RECORDED, max_cached_workflows=0)
    assert outcomes(verdicts) == ["pass", "pass"]


async def test_several_histories_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    recorded = [
        Recorded().activity().timer().completed({"done": n if n % 2 else True}) for n in range(40)
    ]
    given = [history(tmp_path, each, str(n)) for n, each in enumerate(recorded)]
    async with served(sagas.AS_RECORDED) as matching:
        for mode in MODES:
            if mode == WARM:  # run ids of their own, as runs have
                given = [replace(each, run_id=str(uuid.uuid4())) for each in given]
            verdicts = await asyncio.gather(*(play(matching, each, mode) for each in given))
            assert outcomes(verdicts) == ["pass", "fail"] * 20


async def test_a_kind_of_event_that_is_not_known_is_inconclusive_and_named(tmp_path: Path) -> None:
    recorded = Recorded().activity()
    recorded.add("WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY")
    (verdict,) = await judged(tmp_path, recorded.timer(), sagas.AS_RECORDED, [WARM])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY" in verdict.message


async def test_a_marker_that_is_not_known_is_inconclusive_and_named(tmp_path: Path) -> None:
    recorded = Recorded()
    recorded.command("MARKER_RECORDED", markerName="of-another-sdk")
    (verdict,) = await judged(tmp_path, recorded.activity(), sagas.AS_RECORDED, [WARM])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "marker 'of-another-sdk'" in verdict.message


async def test_an_encrypted_input_that_differs_is_inconclusive(tmp_path: Path) -> None:
    recorded = plain()
    scheduled = recorded.events[4]["activityTaskScheduledEventAttributes"]
    scheduled["input"]["payloads"][0]["metadata"]["encoding"] = "YmluYXJ5L2VuY3J5cHRlZA=="
    (verdict,) = await judged(tmp_path, recorded, sagas.AS_RECORDED, [COLD])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "encrypted" in verdict.message


async def test_a_run_of_which_nothing_was_executed_is_not_applicable(tmp_path: Path) -> None:
    recorded = Recorded()
    del recorded.events[1:]
    (verdict,) = await judged(tmp_path, recorded, sagas.AS_RECORDED, [WARM])
    assert verdict.outcome is Outcome.NOT_APPLICABLE


async def test_tasks_that_failed_or_timed_out_are_seen_and_not_served(tmp_path: Path) -> None:
    recorded = Recorded()
    del recorded.events[3:]  # the first one was started
    recorded.add("WORKFLOW_TASK_FAILED", scheduledEventId="2", startedEventId="3")
    recorded.add("WORKFLOW_TASK_SCHEDULED", taskQueue={"name": "sagas"}, attempt=2)
    recorded.add("WORKFLOW_TASK_STARTED", scheduledEventId="5")
    recorded.add("WORKFLOW_TASK_TIMED_OUT", scheduledEventId="5", startedEventId="6")
    recorded.task()
    verdicts = await judged(
        tmp_path, recorded.activity().timer().completed({"done": True}), sagas.AS_RECORDED
    )
    assert outcomes(verdicts) == ["pass", "pass"]
    assert {each.tasks for each in verdicts} == {3}


# --- the command

PREFIX = f"""
import asyncio, os, sys, time
sys.path.insert(0, {str(ROOT)!r})
from temporalio.client import Client
from temporalio.worker import Worker
from tests.unit import replayed_sagas as sagas

async def serve(version=sagas.AS_RECORDED, queue="sagas", namespace="", **options):
    namespace = namespace or os.environ["TEMPORAL_NAMESPACE"]
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"], namespace=namespace)
    await Worker(client, task_queue=queue, workflows=[version], **options).run()

async def poll_and_forget():
    from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueRequest as Poll
    from temporalio.api.taskqueue.v1 import TaskQueue
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"], namespace="default")
    while True:
        poll = Poll(namespace="default", task_queue=TaskQueue(name="sagas"), identity="idle")
        await client.workflow_service.poll_workflow_task_queue(poll)

async def hang_at(argument):
    if argument == {{"hang": True}}:
        time.sleep(60)
    await sagas.reserve()
    await sagas.workflow.sleep(sagas.SOON)
    return {{"done": True}}

async def die_at(argument):
    if argument == {{"die": True}}:
        os._exit(9)
    await sagas.reserve()
    await sagas.workflow.sleep(sagas.SOON)
    return {{"done": True}}
"""


@dataclass
class Replayed:
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def of(self, file: str) -> list[tuple[str, str]]:
        """The outcomes of a file and what is said of them."""
        return [
            (each["outcome"], each.get("message", ""))
            for each in self.told["verdicts"]
            if each["file"] == file
        ]


def replayed(place: Place, script: str, *options: str) -> Replayed:
    """`harness replay --worker` with a worker of this script."""
    worker = place.folder / "worker.py"
    worker.write_text(PREFIX + script)
    done = place.run(
        *("replay", "--histories", str(place.folder / "histories"), "--format", "json"),
        *("--worker", f"{sys.executable} {worker}", "--ready-within", "20", *options),
    )
    assert place.left() == []
    assert "Traceback" not in done.stderr.split("its last lines")[0]
    return Replayed(done.returncode, done.stdout, done.stderr)


def begun_with(**argument: Any) -> Recorded:
    recorded = Recorded(str(uuid.uuid4()))
    started = recorded.events[0]["workflowExecutionStartedEventAttributes"]
    started["input"] = payloads(argument)
    return recorded


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "histories").mkdir()
    made = Place(tmp_path)
    recorded(made, "sound", begun_with(a=1).activity().timer().completed({"done": True}))
    return made


def recorded(place: Place, name: str, given: Recorded) -> None:
    path = place.folder / "histories" / f"{name}.json"
    path.write_text(json.dumps({"events": given.events}))


SERVES = "asyncio.run(serve())"


def test_the_command_judges_each_history_and_what_is_none(place: Place) -> None:
    folder = place.folder / "histories"
    (folder / "not-json.json").write_text("hello")
    whole = (folder / "sound.json").read_text()
    (folder / "cut.json").write_text(whole[: len(whole) // 2])
    (folder / "newer.json").write_text(whole.replace("TIMER_FIRED", "TIMER_TELEPORTED"))
    (folder / "other-type.json").write_text(whole.replace('"Saga"', '"Other"'))
    (folder / "other-queue.json").write_text(whole.replace('"sagas"', '"others"'))
    recorded(place, "differs", begun_with(a=1).activity().timer().completed({"done": False}))
    done = replayed(place, SERVES)
    assert (done.code, done.told["exit_code"], done.told["histories"]) == (1, 1, 7)
    assert [outcome for outcome, _ in done.of("sound.json")] == ["pass", "pass"]
    assert [outcome for outcome, _ in done.of("differs.json")] == ["fail", "fail"]
    assert done.of("not-json.json")[0][0] == "inconclusive"
    assert "not JSON" in done.of("not-json.json")[0][1]
    assert "cut off" in done.of("cut.json")[0][1]
    assert "TIMER_TELEPORTED" in done.of("newer.json")[0][1]
    assert done.of("other-type.json")[0][0] == "fail"
    assert "Other is not registered" in done.of("other-type.json")[0][1]
    assert done.of("other-queue.json")[0][0] == "inconclusive"
    assert "does not poll its task queue others" in done.of("other-queue.json")[0][1]


def test_a_sound_build_ends_with_0_and_says_what_was_compared(place: Place) -> None:
    worker = place.folder / "worker.py"
    worker.write_text(PREFIX + SERVES)
    command = f"{sys.executable} {worker}"
    done = place.run("replay", "--histories", str(place.folder / "histories"), "--worker", command)
    assert done.returncode == 0
    assert "pass            sound.json  (Saga sound)" in done.stdout
    assert "1 histories (warm and cold), 6 commands compared" in done.stdout


def test_a_worker_in_another_namespace_is_learnt_from_its_polls(place: Place) -> None:
    done = replayed(place, 'asyncio.run(serve(namespace="acme-prod"))')
    assert done.code == 0, done.out


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("print('no licence'); sys.exit(3)", ["ended with exit code 3", "no licence"]),
        ("time.sleep(60)", ["polled nothing within 2 s"]),
        ('asyncio.run(serve(queue="x"))', ["polls other task queues (x in default)", "sagas"]),
        ("asyncio.run(poll_and_forget())", ["took", "answered none within 1 s"]),
    ],
    ids=["exits", "never polls", "polls another queue", "answers nothing"],
)
def test_a_worker_that_cannot_be_judged_is_told_in_a_line(
    place: Place, script: str, told: list[str]
) -> None:
    for n in range(8):
        recorded(place, f"more-{n}", begun_with(a=n).activity())
    done = replayed(place, script, "--ready-within", "2", "--task-within", "1")
    assert done.code == 69, done.err
    assert done.out == ""
    error = next(line for line in done.err.splitlines() if line.startswith("harness: "))
    assert all(each in done.err for each in told), done.err
    assert "Traceback" not in error


def test_a_command_that_is_not_there_is_told_in_a_line(place: Place) -> None:
    folder = str(place.folder / "histories")
    done = place.run("replay", "--histories", folder, "--worker", "./no-such-worker")
    assert done.returncode == 69
    assert "no-such-worker" in done.stderr


def test_a_worker_that_dies_of_one_history_is_told_and_the_rest_goes_on(place: Place) -> None:
    recorded(place, "deadly", begun_with(die=True).activity().timer().completed({"done": True}))
    for n in range(5):
        recorded(place, f"more-{n}", begun_with(a=n).activity().timer().completed({"done": True}))
    done = replayed(place, "asyncio.run(serve(sagas.version(die_at)))")
    assert done.code == 1
    outcomes = {each["file"]: each["outcome"] for each in done.told["verdicts"]}
    assert outcomes.pop("deadly.json") == "fail"
    assert "exit code 9 when it is given this history alone" in done.of("deadly.json")[0][1]
    assert set(outcomes.values()) == {"pass"}


@pytest.mark.parametrize(
    ("options", "outcome", "told"),
    [
        ("", "fail", "TMPRL1101"),  # the SDK sees it itself
        (", debug_mode=True", "inconclusive", "answer within 6 s"),  # nothing goes on
    ],
)
def test_a_worker_that_hangs_in_one_task_is_told_and_the_rest_goes_on(
    place: Place, options: str, outcome: str, told: str
) -> None:
    recorded(place, "hanging", begun_with(hang=True).activity())
    for n in range(5):
        recorded(place, f"more-{n}", begun_with(a=n).activity().timer().completed({"done": True}))
    script = f"asyncio.run(serve(sagas.version(hang_at){options}))"
    done = replayed(place, script, "--task-within", "6", "--mode", "warm")
    (hanging,) = done.of("hanging.json")
    assert hanging[0] == outcome
    assert told in hanging[1]
    assert {e["outcome"] for e in done.told["verdicts"] if e["file"] != "hanging.json"} == {"pass"}


# --- a trial's histories, as a conformance run has them judged


ONE_TENANT = """
import json
(tenants,) = [json.loads(os.environ["HARNESS_TENANTS"])]
assert len({each["tenant"] for each in tenants}) == 1, tenants

async def all_queues():
    queues = ((each["task_queue"], each["namespace"]) for each in tenants)
    await asyncio.gather(*(serve(queue=queue, namespace=name) for queue, name in queues))

asyncio.run(all_queues())
"""


async def test_tenants_that_need_a_process_each_get_one(tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(PREFIX + ONE_TENANT)
    out = tmp_path / "verdicts.jsonl"
    wanted = []
    for number, tenant in enumerate(("alpha", "beta", "beta")):
        path = tmp_path / f"{number}.json"
        events = begun_with(a=1).activity().timer().completed({"done": True}).events
        path.write_text(json.dumps({"events": events}).replace("sagas", f"sagas-{number}"))
        about = {"tenant": tenant, "namespace": f"{tenant}-prod"}
        wanted.append(Wanted(path=str(path), name=path.name, **about))
    plan = Plan(
        wanted=wanted, modes=list(MODES), namespace="default", at_once=4, ready_within_s=20,
        task_within_s=20, out=str(out),
    )  # fmt: skip
    build = Build(command=[sys.executable, str(worker)], tenants_apart=True)
    with contextlib.closing(Registry(tmp_path / "running")) as registry:
        async with Children(registry, tmp_path) as children:
            summary = await replay_over_wire(children, tmp_path, plan, build)
    verdicts = [json.loads(line) for line in out.read_text().splitlines()]
    assert (summary.histories, [each["outcome"] for each in verdicts]) == (3, ["pass"] * 6)
