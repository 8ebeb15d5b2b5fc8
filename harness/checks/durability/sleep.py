"""DUR-4: how long sagas slept, against how long they were to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import Run, Saga, coverage, ended_runs, wall_ns
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import requests
from harness.checks.histories.pace import SLOW_TASK_MS
from harness.checks.histories.run import forced
from harness.journal.read import HistoryEvent, decode_events
from harness.journal.records import Ending, Operation, Process

NOT_WOKEN: Final = "did not wake"
EARLY: Final = "woke early"
LATE: Final = "woke late"
ORDER: Final = "woke in the wrong order"
CLAUSES: Final = (NOT_WOKEN, EARLY, LATE, ORDER)
EARLY_MS: Final = 20.0  # what a clock may round
DAY_MS: Final = 86_400_000
LEAST_SLEEPS: Final = 3  # of a month or more
YEAR_DAYS: Final = 300
_OVER: Final = "WORKFLOW_EXECUTION_COMPLETED"


@dataclass(frozen=True, slots=True)
class Sleep:
    """One timer of a saga, from its first engine timer's start to its last one's end.

    `due_ns` is when it was to wake; times are those of the history, which may be skipped ones.
    `step` is the step that comes after it.
    """

    saga: Saga
    step: int
    asked_ms: int
    slept_ms: float
    began_ns: int
    path: str

    @property
    def due_ns(self) -> int:
        return self.began_ns + self.asked_ms * 1_000_000

    @property
    def lag_ms(self) -> float:
        return self.slept_ms - self.asked_ms

    def broken(self, skew_ms: float) -> Iterator[Broken]:
        text = f"{self.saga.name}: slept {_shown(self.slept_ms)} of {_shown(self.asked_ms)}"
        if self.lag_ms < -EARLY_MS:
            yield Broken(EARLY, text, self.path)
        elif self.lag_ms > skew_ms:
            yield Broken(LATE, f"{text}, {_shown(self.lag_ms)} too long", self.path)


def sleepers_wake_when_due(evidence: Evidence) -> Finding:
    """ADR, Option A: "Native support for long-running workflows (days/months/years)".

    Sagas that sleep for a week, months and a year, on a server whose clock jumps to the next timer,
    wake not before they are due and within the declared skew after it, in the order in which they
    are due. On the engine itself, sleeping sagas outlive their worker and wake in time.
    """
    skew_ms = float(evidence.parameters["timer_skew_ms"])
    fed = {(saga.tenant, saga.workflow_id): saga for saga in coverage(evidence, "DUR-4").fed}
    skipped, broken = _skipped(evidence, fed)
    real, lost = _over_restarts(evidence, fed)
    broken += lost
    for sleep in skipped:
        broken += sleep.broken(skew_ms)
    slow: list[str] = []
    for sleep, run in real:
        late = list(sleep.broken(skew_ms))
        if sleep.lag_ms > skew_ms and run.slowest_task_ns / 1e6 > SLOW_TASK_MS:
            slow += [f"a machine that was too slow may be why {each.text}" for each in late]
        else:
            broken += late
    broken += _disordered(evidence, skipped)
    long = [sleep for sleep in skipped if sleep.asked_ms >= 30 * DAY_MS]
    longest_ms = max((sleep.asked_ms for sleep in skipped), default=0)
    lacks = [
        ""
        if len(long) >= LEAST_SLEEPS
        else f"{len(long)} sleeps of a month or more were seen, {LEAST_SLEEPS} are the least",
        "" if longest_ms >= YEAR_DAYS * DAY_MS else "no sleep of a year was seen",
        *slow[:1],
        "" if real else "no saga slept while its worker died and came back",
        _refused(evidence),
    ]
    figures: dict[str, Any] = {
        "sleeps": [
            {
                "saga": sleep.saga.program.case,
                "asked": _shown(sleep.asked_ms),
                "lag_ms": round(sleep.lag_ms, 1),
                "over_a_restart": restarted,
            }
            for restarted, sleeps in ((False, skipped), (True, [sleep for sleep, _ in real]))
            for sleep in sleeps
        ],
        "skew_allowed_ms": skew_ms,
    }
    kept = (
        f"{len(skipped)} sleeps of up to {_shown(longest_ms)} ended when they were due, in their "
        f"order, and {len(real)} that a restart of the worker fell into did too"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def _refused(evidence: Evidence) -> str:
    """Why there was no server that skips time."""
    for op in evidence.of(Operation):
        if op.name == "time-skipping" and op.ending is not Ending.OK:
            return f"no server that skips time: {op.message}"
    return ""


def _skipped(
    evidence: Evidence, fed: dict[tuple[str, str], Saga]
) -> tuple[list[Sleep], list[Broken]]:
    """The sleeps on the server that skips time, and the sagas that did not wake."""
    skew_ns = int(evidence.parameters["timer_skew_ms"]) * 1_000_000
    found: list[Sleep] = []
    broken: list[Broken] = []
    for op in evidence.of(Operation):
        saga = fed.get((op.tenant, op.workflow_id))
        if op.name != "slept" or op.ending is not Ending.OK or saga is None:
            continue
        path = str(op.result["path"])
        events = decode_events(evidence.raw(path, str(op.result["sha256"])))
        found += _sleeps(saga, events, path)
        broken += _asleep(saga, events, path, skew_ns)
    return found, broken


def _over_restarts(
    evidence: Evidence, fed: dict[tuple[str, str], Saga]
) -> tuple[list[tuple[Sleep, Run]], list[Broken]]:
    """The sleeps on the engine in whose middle the saga's worker was killed."""
    skew_ns = int(evidence.parameters["timer_skew_ms"]) * 1_000_000
    ends = ended_runs(evidence)
    killed: dict[str, list[int]] = {}
    for each in evidence.of(Process):
        if each.event == "killed":
            killed.setdefault(each.group, []).append(each.wall_ns)
    found: list[tuple[Sleep, Run]] = []
    broken: list[Broken] = []
    for key, saga in fed.items():
        for run in ends.get(key, ()):
            events = evidence.events(run.history)
            dead = killed.get(saga.program.group, [])
            sleeps = _sleeps(saga, events, run.history.path)
            found += [(s, run) for s in sleeps if any(s.began_ns < at < s.due_ns for at in dead)]
            if dead:
                broken += _asleep(saga, events, run.history.path, skew_ns)
    return found, broken


def _sleeps(saga: Saga, events: Sequence[HistoryEvent], path: str) -> Iterator[Sleep]:
    """The sleeps of a saga whose timers stand between two steps each."""
    steps = [n for n, node in enumerate(saga.nodes) if node.get("kind") == "step"]
    scheduled = [e for e in events if e.type == "ACTIVITY_TASK_SCHEDULED"]
    for (before, after), (one, other) in zip(pairwise(steps), pairwise(scheduled), strict=False):
        asked_ms = sum(int(node.get("duration_ms", 0)) for node in saga.nodes[before + 1 : after])
        within = [event for event in events if one.id < event.id < other.id]
        began = [wall_ns(event.time) for event in within if event.type == "TIMER_STARTED"]
        ended = [wall_ns(event.time) for event in within if event.type == "TIMER_FIRED"]
        if asked_ms:
            slept_ms = (ended[-1] - began[0]) / 1e6 if began and ended else 0.0
            at_ns = began[0] if began else wall_ns(one.time)
            yield Sleep(saga, after, asked_ms, slept_ms, at_ns, path)


def _asleep(
    saga: Saga, events: Sequence[HistoryEvent], path: str, skew_ns: int
) -> Iterator[Broken]:
    """A saga that has not ended as it should: it sleeps on though it is due, or cannot go on.

    One that waits for an activity or a workflow task is slow at worst.
    """
    types = [event.type for event in events]
    if types[-1] == _OVER:
        return
    if any(e.type == "WORKFLOW_TASK_FAILED" and not forced(e.attributes) for e in events):
        yield Broken(NOT_WOKEN, f"{saga.name}: its workflow task fails", path)
    elif any(due_ns + skew_ns < wall_ns(events[-1].time) for due_ns in _pending(events)):
        yield Broken(NOT_WOKEN, f"{saga.name}: its timer has not fired", path)


def _pending(events: Sequence[HistoryEvent]) -> list[int]:
    """When each timer is due that has not fired."""
    due: dict[int, int] = {}
    for event in events:
        if event.type == "TIMER_STARTED":
            waits_s = float(str(event.attributes.get("startToFireTimeout", "0s")).removesuffix("s"))
            due[event.id] = wall_ns(event.time) + int(waits_s * 1e9)
        elif event.type in ("TIMER_FIRED", "TIMER_CANCELED"):
            due.pop(int(event.attributes.get("startedEventId", 0)), None)
    return list(due.values())


def _disordered(evidence: Evidence, sleeps: Sequence[Sleep]) -> Iterator[Broken]:
    """Where what was due later was done earlier, as the services saw it."""
    ledger = requests(evidence)
    done: list[tuple[int, int, Sleep]] = []
    for sleep in sleeps:
        effects = ledger.get((sleep.saga.tenant, sleep.saga.saga_id, sleep.step, "forward"))
        if effects:
            done.append((sleep.due_ns, effects[0].seq, sleep))
    for one, other in pairwise(sorted(done, key=lambda each: each[0])):
        if one[1] > other[1]:
            text = (
                f"{other[2].saga.name} woke before {one[2].saga.name}, which was due "
                f"{_shown((other[0] - one[0]) / 1e6)} earlier"
            )
            yield Broken(ORDER, text, other[2].path)


def _shown(ms: float) -> str:
    if ms >= DAY_MS:
        return f"{ms / DAY_MS:.4g} days"
    return f"{ms / 1000:.4g} s"
