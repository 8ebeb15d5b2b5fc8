"""DUR-1: sagas whose worker was killed at a boundary of their history, beside undisturbed ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from harness.checks.check import Evidence, Finding
from harness.checks.histories import TIMED_OUT, Run, Saga, coverage, runs, wall_ns
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, requests
from harness.checks.histories.pace import starved
from harness.checks.histories.run import forced, payload
from harness.journal.read import HistoryEvent
from harness.journal.records import Process

END: Final = "another end"
RESULT: Final = "another result"
EFFECTS: Final = "other effects"
CLAUSES: Final = (END, RESULT, EFFECTS)
BY_PARENT: Final = "by parent close policy"  # the engine's words, where it ends a child
LEAST_BOUNDARIES: Final = 8
LEAST_KINDS: Final = 2
_OPENS: Final = (
    *("WORKFLOW_TASK_SCHEDULED", "ACTIVITY_TASK_SCHEDULED", "TIMER_STARTED"),
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
)


@dataclass(frozen=True, slots=True)
class Course:
    """How a saga went, all its runs taken together, in words that are the same for its twins."""

    closing: str
    result: str
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where in its history a saga's worker died: after which event of its type, in which run."""

    run: int
    event: str
    number: int

    @property
    def shown(self) -> str:
        return f"run {self.run} after {self.event} {self.number}"


def restarts_leave_the_course(evidence: Evidence) -> Finding:
    """ADR, Consequences: "Workflows survive service restarts, network partitions, and
    infrastructure failures".

    A saga whose worker was killed in its middle ends as the same saga did that nothing disturbed:
    the same end, the same result, the same effects in the same order, each once. Workers died at
    many boundaries of histories, which are named.
    """
    driven = coverage(evidence, "DUR-1")
    slow = starved(evidence)
    kills = _kills(evidence)
    chains = _chains(evidence)
    twins: dict[str, Course] = {}
    odd: list[str] = []
    for saga in driven.fed:
        if saga.program.group in kills or not _whole(evidence, saga, chains):
            continue
        course = _course(evidence, saga, chains)
        if twins.setdefault(_shape(saga), course) != course:
            odd.append(saga.name)
    hit: Counter[Boundary] = Counter()
    broken: list[Broken] = []
    unclear = judged = 0
    for saga in driven.fed:
        chain = chains.get((saga.tenant, saga.workflow_id), [])
        where = _died(evidence, chain, kills.get(saga.program.group, ()))
        twin = twins.get(_shape(saga))
        if where is None or twin is None:
            continue
        if not _whole(evidence, saga, chains) and (slow or not _stuck(evidence, chain[-1])):
            unclear += 1
            continue
        hit[where] += 1
        judged += 1
        broken += _departures(saga, where, _course(evidence, saga, chains), twin, chain[-1])
    kinds = Counter(where.event for where in hit)
    lacks = [
        driven.lacks,
        "" if twins else "no undisturbed saga came to its end, so there is nothing to compare with",
        f"undisturbed sagas of one shape went differently: {odd[0]}" if odd else "",
        ""
        if len(hit) >= LEAST_BOUNDARIES
        else f"workers died at {len(hit)} boundaries, {LEAST_BOUNDARIES} are the least",
        ""
        if len(kinds) >= LEAST_KINDS
        else f"workers died after {len(kinds)} kinds of event, {LEAST_KINDS} are the least",
        f"{unclear} sagas were not done when their time was over; {slow or 'they worked still'}"
        if unclear
        else "",
    ]
    figures: dict[str, Any] = {
        "sagas_whose_worker_died": judged,
        "boundaries_hit": len(hit),
        "kinds_of_event": dict(sorted(kinds.items())),
        "boundaries": [
            {"after": w.event, "run": w.run, "number": w.number, "sagas": count}
            for w, count in sorted(hit.items(), key=lambda x: (x[0].run, x[0].event, x[0].number))
        ],
    }
    kept = (
        f"{judged} sagas whose worker died at {len(hit)} boundaries of their histories, after "
        f"{len(kinds)} kinds of event, went on as their undisturbed twins did"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def _kills(evidence: Evidence) -> dict[str, tuple[int, ...]]:
    """When the workers of each group were killed, by the wall clock."""
    found: dict[str, tuple[int, ...]] = {}
    for each in evidence.of(Process):
        if each.event == "killed" and each.group:
            found[each.group] = (*found.get(each.group, ()), each.wall_ns)
    return found


def _chains(evidence: Evidence) -> dict[tuple[str, str], list[Run]]:
    """The runs of each workflow id, in their order."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(runs(evidence).values(), key=lambda run: run.started_ns):
        found.setdefault((run.tenant, run.history.workflow_id), []).append(run)
    return found


def _whole(evidence: Evidence, saga: Saga, chains: dict[tuple[str, str], list[Run]]) -> bool:
    """Whether it came to an end of its own: its time was not over, nor its parent's."""
    chain = chains.get((saga.tenant, saga.workflow_id), [])
    if not chain or not chain[-1].ended or chain[-1].closing == TIMED_OUT:
        return False
    last = evidence.events(chain[-1].history)[-1]
    return last.attributes.get("reason") != BY_PARENT


def _shape(saga: Saga) -> str:
    """What a saga does, whoever does it: the same for its twins."""
    return _plain(saga, [_bare(node) for node in saga.nodes])


def _bare(node: dict[str, Any]) -> dict[str, Any]:
    """A node without names and without what is done to it."""
    if node.get("kind") == "child":
        inner = node.get("program", {}).get("nodes", ())
        return {"kind": "child", "nodes": [_bare(each) for each in inner]}
    told = node.get("behaviour", {})
    final = bool(told.get("business_failure") or told.get("rejected"))
    left_out = ("behaviour", "compensation_behaviour")
    return {**{k: v for k, v in node.items() if k not in left_out}, "final": final}


def _plain(saga: Saga, value: Any) -> str:
    """JSON in which saga and tenant have no name."""
    text = msgspec.json.encode(value, order="sorted").decode()
    return text.replace(saga.saga_id, "{saga}").replace(saga.tenant, "{tenant}")


# --- how it went


def _course(evidence: Evidence, saga: Saga, chains: dict[tuple[str, str], list[Run]]) -> Course:
    last = chains[saga.tenant, saga.workflow_id][-1]
    events = evidence.events(last.history)
    closing = events[-1].attributes if events else {}
    result = payload(closing.get("result")) if "result" in closing else last.detail
    return Course(
        last.closing or "open",
        _plain(saga, [last.failure, _without_references(result)]),
        tuple(_effects(evidence, saga)),
    )


def _without_references(value: Any) -> Any:
    """References differ from saga to saga; that they are the service's own is INV-IDEM-8's."""
    if isinstance(value, dict):
        return {k: _without_references(v) for k, v in value.items() if k != "reference"}
    if isinstance(value, list):
        return [_without_references(each) for each in value]
    return value


def _effects(evidence: Evidence, saga: Saga) -> Iterator[str]:
    """What was applied for a saga and its children, in that order."""
    found = [
        (effect.applied_ns, saga_id.removeprefix(saga.saga_id), effect)
        for (tenant, saga_id, _, _), effects in requests(evidence).items()
        if tenant == saga.tenant and _of(saga_id, saga.saga_id)
        for effect in applied(effects)
    ]
    for _, child, effect in sorted(found, key=lambda each: each[0]):
        resource = effect.resource.replace(saga.tenant, "{tenant}")
        yield (
            f"{child or 'saga'} step {effect.step} {effect.service}.{effect.operation} "
            f"{resource} {effect.amount}"
        )


def _of(saga_id: str, own: str) -> bool:
    return saga_id == own or (
        saga_id.startswith(f"{own}.") and saga_id[len(own) + 1 :].replace(".", "").isdecimal()
    )


# --- where it was disturbed


def _died(evidence: Evidence, chain: list[Run], kills: Iterable[int]) -> Boundary | None:
    """The last event before a kill in the middle of a saga; None if none was."""
    for killed_ns in kills:
        for number, run in reversed(list(enumerate(chain, start=1))):
            if run.started_ns <= killed_ns:
                over = run.closed_ns and run.closed_ns <= killed_ns
                if over and number == len(chain):
                    break  # it had ended
                return _boundary(number, evidence.events(run.history), killed_ns)
    return None


def _boundary(number: int, events: Iterable[HistoryEvent], killed_ns: int) -> Boundary:
    counts: Counter[str] = Counter()
    last = ""
    for event in events:
        if wall_ns(event.time) > killed_ns:
            break
        counts[event.type] += 1
        last = event.type
    return Boundary(number, last, counts[last])


def _stuck(evidence: Evidence, run: Run) -> bool:
    """Whether a run that did not end waits for nothing that can come.

    A task that failed is tried for ever; else nothing of it may be open: no workflow task, no
    activity, no timer, no child.
    """
    events = evidence.events(run.history)
    failed = [event for event in events if event.type == "WORKFLOW_TASK_FAILED"]
    if failed:  # by its code, or for it was at work when its time was over
        return not all(forced(event.attributes) for event in failed)
    opened = sum(event.type in _OPENS for event in events)
    return opened == sum(event.type in _CLOSES for event in events)


_CLOSES: Final = (
    *(f"WORKFLOW_TASK_{how}" for how in ("COMPLETED", "FAILED", "TIMED_OUT")),
    *(f"ACTIVITY_TASK_{how}" for how in ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELED")),
    *("TIMER_FIRED", "TIMER_CANCELED", "START_CHILD_WORKFLOW_EXECUTION_FAILED"),
    *(
        f"CHILD_WORKFLOW_EXECUTION_{how}"
        for how in ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELED", "TERMINATED")
    ),
)


def _departures(
    saga: Saga, where: Boundary, course: Course, twin: Course, last: Run
) -> Iterator[Broken]:
    name, path = f"{saga.name}, killed in {where.shown}", last.history.path
    if course.closing != twin.closing:
        yield Broken(END, f"{name}: {course.closing}, its twin {twin.closing}", path)
    elif course.result != twin.result:
        yield Broken(RESULT, f"{name}: {course.result}, its twin {twin.result}", path)
    if course.effects != twin.effects:
        gone = [each for each in twin.effects if each not in course.effects]
        twice = [e for e, count in Counter(course.effects).items() if count > 1]
        text = f"{name}: {len(course.effects)} effects, its twin {len(twin.effects)}"
        text += f"; missing: {gone[0]}" if gone else f"; twice: {twice[0]}" if twice else ""
        yield Broken(EFFECTS, text, path)
