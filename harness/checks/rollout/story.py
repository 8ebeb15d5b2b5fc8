"""What was rolled out, read from operations and histories: who did which task, and when.

Expected of the drive, all of suite `rollout`: Operations `set-current` and `set-ramp` (args: phase,
build_id, percent), `look` (its result: current, ramping, status by build id), `move`, `remove`;
and of each run `start` (args.phase), `signal`, `result`. Phases: begin, ramp, promote, rollback,
settle, retired, pinned, removal, removed; runs `old`, `moved` and `flying` wait in their middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from harness.checks.check import Evidence
from harness.checks.histories import remembered
from harness.checks.histories.run import wall_ns
from harness.journal.read import HistoryEvent
from harness.journal.records import Ending, History, Operation

SUITE: Final = "rollout"
UNVERSIONED: Final = "no version"
SLOW_S: Final = 10.0
READS: Final = (Operation, History)


class Task(NamedTuple):
    """A task that a worker took. `build_id` is what the history says, for activities what their
    worker's workflow tasks say; empty where that is not known."""

    kind: str  # workflow, activity
    event_id: int
    wall_ns: int
    identity: str
    build_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """A workflow that was started during the rollout, with its continued runs and children.

    `result` is its end as the drive saw it: status, or nothing. `told_ns` is when it was told to go
    on (0: never), `goes_on` how many tasks it had after that. `failed_tasks` are the causes of its
    failed workflow tasks.
    """

    start: Operation
    tasks: tuple[Task, ...]
    result: dict[str, Any]
    ended_ns: int
    told_ns: int
    goes_on: int
    failed_tasks: tuple[str, ...]
    path: str

    @property
    def phase(self) -> str:
        """When it was started."""
        return str(self.start.args.get("phase", ""))

    @property
    def workflow_id(self) -> str:
        """Its workflow id."""
        return self.start.workflow_id

    @property
    def builds(self) -> tuple[str, ...]:
        """The builds that did its workflow tasks, in order, each once in a row."""
        found: list[str] = []
        for task in self.tasks:
            if task.kind == "workflow" and found[-1:] != [task.build_id]:
                found.append(task.build_id)
        return tuple(found)

    @property
    def landed_on(self) -> str:
        """The build that did its first workflow task; empty if none did."""
        return self.builds[0] if self.builds else ""

    @property
    def status(self) -> str:
        """COMPLETED, FAILED …; empty while it is not known to have ended."""
        return str(self.result.get("status", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The rollout. `old` and `new` are the two build ids, empty if there was none.

    `slowest_task_s` is the longest that one of its workflow tasks took, its wait included.
    """

    old: str
    new: str
    steps: tuple[Operation, ...]
    looks: tuple[Operation, ...]
    runs: tuple[Rolled, ...]
    slowest_task_s: float = 0.0

    def of(self, *phases: str) -> list[Rolled]:
        """The runs that were started in these phases."""
        return [run for run in self.runs if run.phase in phases]

    def step(self, name: str, phase: str = "") -> Operation | None:
        """The last thing of that name that the operator did, and that the engine accepted."""
        found = [
            op
            for op in self.steps
            if op.name == name and op.ending is Ending.OK and phase in ("", op.args["phase"])
        ]
        return found[-1] if found else None

    def look(self, phase: str) -> dict[str, Any]:
        """How the deployment stood in a phase; empty if nobody looked."""
        found = [op.result for op in self.looks if op.args["phase"] == phase and op.result]
        return found[-1] if found else {}

    @property
    def lacks(self) -> str:
        """Why nothing can be said of it; empty if something can."""
        if not self.old:
            return "no rollout was driven"
        failed = [op for op in self.steps if op.ending is not Ending.OK]
        if failed:
            op = failed[0]
            return f"{op.name} ({op.args['phase']}): {op.status} {op.message}".strip()
        return ""

    @property
    def starved(self) -> str:
        """Why a run that did not end says nothing; empty where engine and workers were quick."""
        if self.slowest_task_s <= SLOW_S:
            return ""
        return f"workflow tasks took up to {self.slowest_task_s:.0f} s: the machine was too slow"

    def spans(self, build_id: str, spread_ns: int) -> list[tuple[int, int, str]]:
        """The times in which new runs must land on a build: (from, until, phase), monotonic."""
        found = []
        for number, op in enumerate(self.steps):
            if op.name != "set-current" or op.args["build_id"] != build_id:
                continue
            following = next(
                (each.invoked_ns for each in self.steps[number + 1 :] if each.name in ROUTING),
                2**63,
            )
            if op.ending is Ending.OK:
                found.append((op.at_ns + spread_ns, following, str(op.args["phase"])))
        return found

    def landing(self, build_id: str, spread_ns: int, *phases: str) -> list[Rolled]:
        """The runs that were started while a build had to get every new one; none of the pinned."""
        spans = [each for each in self.spans(build_id, spread_ns) if each[2] in phases]
        return [
            run
            for run in self.runs
            if run.phase != "pinned"
            and any(a <= run.start.invoked_ns and run.start.at_ns < b for a, b, _ in spans)
        ]


ROUTING: Final = ("set-current", "set-ramp")


@remembered(*READS)
def story(evidence: Evidence) -> Story:
    """The rollout of a trial."""
    ops = [op for op in evidence.of(Operation) if op.suite == SUITE]
    steps = tuple(op for op in ops if op.name in (*ROUTING, "remove"))
    begun = next((op for op in steps if op.args["phase"] == "begin"), None)
    following = next((op for op in steps if op.args["phase"] in ("ramp", "promote")), None)
    return Story(
        old=begun.args["build_id"] if begun else "",
        new=following.args["build_id"] if following else "",
        steps=steps,
        looks=tuple(op for op in ops if op.name == "look" and op.ending is Ending.OK),
        runs=tuple(_rolled(evidence, ops)),
        slowest_task_s=_slowest_task_s(evidence, {op.workflow_id for op in ops}),
    )


def _slowest_task_s(evidence: Evidence, ids: set[str]) -> float:
    """Of the workflow tasks that were completed, from being scheduled on."""
    slowest_ns = 0
    for history in evidence.of(History):
        if history.workflow_id not in ids:
            continue
        scheduled: dict[str, int] = {}
        for event in evidence.events(history):
            if event.type == "WORKFLOW_TASK_SCHEDULED":
                scheduled[str(event.id)] = wall_ns(event.time)
            elif event.type == "WORKFLOW_TASK_COMPLETED":
                since_ns = scheduled.get(str(event.attributes.get("scheduledEventId")))
                if since_ns:
                    slowest_ns = max(slowest_ns, wall_ns(event.time) - since_ns)
    return slowest_ns / 1e9


def _rolled(evidence: Evidence, ops: Sequence[Operation]) -> Iterator[Rolled]:
    starts = [
        op for op in ops if op.name == "start" and op.ending is Ending.OK and "phase" in op.args
    ]
    results = {op.workflow_id: op for op in ops if op.name == "result"}
    told = {op.workflow_id: op.at_ns for op in ops if op.name == "signal"}
    histories = _histories(evidence, {op.workflow_id for op in starts})
    builds = _builds_by_identity(evidence, histories)
    for start in starts:
        mine = histories.get(start.workflow_id, [])
        events = [(history, evidence.events(history)) for history in mine]
        tasks = tuple(t for _, found in events for t in _tasks(found, builds))
        result = results.get(start.workflow_id)
        ended = result is not None and result.ending is Ending.OK
        yield Rolled(
            start=start,
            tasks=tuple(sorted(tasks, key=lambda task: task.wall_ns)),
            result=result.result if result and ended else {},
            ended_ns=result.at_ns if result and ended else 0,
            told_ns=told.get(start.workflow_id, 0),
            goes_on=_after_signal(events),
            failed_tasks=tuple(c for _, found in events for c in _failures(found)),
            path=mine[0].path if mine else "",
        )


def _histories(evidence: Evidence, started: set[str]) -> dict[str, list[History]]:
    """The histories of each started workflow, its continued runs and its children."""
    found: dict[str, list[History]] = {}
    for history in evidence.of(History):
        root = history.workflow_id
        while root not in started and "/" in root:
            root = root.rpartition("/")[0]
        if root in started:
            found.setdefault(root, []).append(history)
    return found


def build_of(event: HistoryEvent) -> str:
    """The build that completed a workflow task, if it was versioned; else empty."""
    attributes = event.attributes
    behaviour = str(attributes.get("versioningBehavior", "")).removeprefix("VERSIONING_BEHAVIOR_")
    if behaviour in ("", "UNSPECIFIED"):
        return ""
    return str((attributes.get("deploymentVersion") or {}).get("buildId", ""))


def _builds_by_identity(evidence: Evidence, histories: dict[str, list[History]]) -> dict[str, str]:
    """The build of each worker process, where its identity stands for one build alone."""
    seen: dict[str, set[str]] = {}
    for found in histories.values():
        for history in found:
            for event in evidence.events(history):
                if event.type == "WORKFLOW_TASK_COMPLETED":
                    identity = str(event.attributes.get("identity", ""))
                    seen.setdefault(identity, set()).add(build_of(event))
    return {who: next(iter(builds)) for who, builds in seen.items() if len(builds) == 1}


def _tasks(events: Sequence[HistoryEvent], builds: dict[str, str]) -> Iterator[Task]:
    for event in events:
        identity = str(event.attributes.get("identity", ""))
        if event.type == "WORKFLOW_TASK_COMPLETED":
            done_by = build_of(event) or UNVERSIONED
            yield Task("workflow", event.id, wall_ns(event.time), identity, done_by)
        elif event.type == "ACTIVITY_TASK_STARTED":
            done_by = builds.get(identity, "")
            yield Task("activity", event.id, wall_ns(event.time), identity, done_by)


def _after_signal(events: Sequence[tuple[History, Sequence[HistoryEvent]]]) -> int:
    """How many workflow tasks came after the signal that told the run to go on."""
    signalled_ns = 0
    count = 0
    for _, found in events:
        for event in found:
            if event.type == "WORKFLOW_EXECUTION_SIGNALED":
                signalled_ns = wall_ns(event.time)
    for _, found in events:
        for event in found:
            if event.type == "WORKFLOW_TASK_COMPLETED" and wall_ns(event.time) >= signalled_ns > 0:
                count += 1
    return count


def _failures(events: Sequence[HistoryEvent]) -> Iterator[str]:
    for event in events:
        if event.type == "WORKFLOW_TASK_FAILED":
            cause = str(event.attributes.get("cause", ""))
            yield cause.removeprefix("WORKFLOW_TASK_FAILED_CAUSE_")
