"""DUR-9: signals and updates that were acknowledged, in the histories and in what sagas made of
them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import COMPLETED, Run, coverage, groups, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.run import payload
from harness.journal.records import Ending, Operation, Process, Tapped

LOST: Final = "acknowledged and lost"
TWICE: Final = "recorded twice"
UNHANDLED: Final = "recorded, not handled"
CLAUSES: Final = (LOST, TWICE, UNHANDLED)
LEAST: Final = 4  # signals that were acknowledged while something was broken
_METHODS: Final = {"signal": "SignalWorkflowExecution", "update": "UpdateWorkflowExecution"}
_Message = tuple[str, str, str, str]  # tenant, workflow id, signal or update, its id


def acknowledged_messages_are_kept(evidence: Evidence) -> Finding:
    """ADR, Context: "Workflows must survive service restarts, network partitions, and
    infrastructure failures".

    Every signal and every update that the engine acknowledged stands in the history of its saga
    exactly once for each time it was acknowledged; one whose fate is open at most once more. A saga
    that completes names every signal of its history in its result, and every update that was
    accepted was completed. Workers died in between, and calls were lost, refused and repeated.
    """
    told, open_ = _told(evidence)
    recorded, handled = _recorded(evidence)
    broken: list[Broken] = []
    for message, count in told.items():
        found = recorded[message]
        name = f"{message[2]} {message[3]!r} of {message[0]} {message[1]}"
        if found < count:
            broken.append(Broken(LOST, f"{name}: acknowledged {count} times, recorded {found}"))
        elif found > count + open_[message]:
            broken.append(Broken(TWICE, f"{name}: acknowledged {count} times, recorded {found}"))
    broken += _unhandled(evidence, handled)
    while_down = _while_down(evidence)
    bitten = Counter(
        (each.method, each.action)
        for each in evidence.of(Tapped)
        if each.action and each.method in _METHODS.values()
    )
    lacks = [
        coverage(evidence, "DUR-9").lacks,
        ""
        if while_down["signal"] >= LEAST
        else f"{while_down['signal']} signals were acknowledged while a worker was down, {LEAST} "
        "are the least",
        "" if any(action == "lose-answer" for _, action in bitten) else "no answer was lost",
    ]
    figures: dict[str, Any] = {
        "signals_acknowledged": sum(n for m, n in told.items() if m[2] == "signal"),
        "updates_acknowledged": sum(n for m, n in told.items() if m[2] == "update"),
        "while_a_worker_was_down": dict(while_down),
        "open": sum(open_.values()),
        "bitten": [
            {"call": method, "how": action, "calls": count}
            for (method, action), count in sorted(bitten.items())
        ],
    }
    kept = (
        f"{figures['signals_acknowledged']} signals and {figures['updates_acknowledged']} updates "
        f"that were acknowledged stand in the histories as often, {while_down.total()} of them "
        "sent while a worker was down, and all were handled"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def _told(evidence: Evidence) -> tuple[Counter[_Message], Counter[_Message]]:
    """How often each message was acknowledged, and how often its fate is open."""
    known = groups(evidence).keys() & {
        (run.tenant, run.history.workflow_id) for run in runs(evidence).values()
    }
    told: Counter[_Message] = Counter()
    open_: Counter[_Message] = Counter()
    for op in evidence.of(Operation):
        if op.name in _METHODS and (op.tenant, op.workflow_id) in known:
            message = (op.tenant, op.workflow_id, op.name, str(op.args.get("id", "")))
            told[message] += op.ending is Ending.OK
            open_[message] += op.ending is Ending.INFO
    return told, open_


def _recorded(evidence: Evidence) -> tuple[Counter[_Message], list[tuple[Run, set[str], set[str]]]]:
    """How often histories have each message; and for each run, the signals and updates in it.

    What a reset copied counts in the run that it was copied from.
    """
    recorded: Counter[_Message] = Counter()
    found: list[tuple[Run, set[str], set[str]]] = []
    for run in runs(evidence).values():
        signals: set[str] = set()
        pending: set[str] = set()
        where = (run.tenant, run.history.workflow_id)
        for event in evidence.events(run.history):
            if event.id < run.reset_event_id:
                continue
            if event.type == "WORKFLOW_EXECUTION_SIGNALED":
                told = payload(event.attributes.get("input"))
                name = str(told.get("id", "")) if isinstance(told, dict) else ""
                signals.add(name)
                recorded[*where, "signal", name] += 1
            elif event.type == "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
                request = event.attributes.get("acceptedRequest") or {}
                name = str((request.get("meta") or {}).get("updateId", ""))
                pending.add(name)
                recorded[*where, "update", name] += 1
            elif event.type == "WORKFLOW_EXECUTION_UPDATE_COMPLETED":
                pending.discard(str((event.attributes.get("meta") or {}).get("updateId", "")))
        found.append((run, signals, pending))
    return recorded, found


def _unhandled(evidence: Evidence, found: list[tuple[Run, set[str], set[str]]]) -> Iterator[Broken]:
    for run, signals, pending in found:
        if run.closing != COMPLETED:
            continue
        closing = evidence.events(run.history)[-1].attributes
        result = payload(closing.get("result"))
        named = set(result.get("signals", ())) if isinstance(result, dict) else set()
        for each in sorted(signals - named):
            text = f"{run.name}: signal {each!r} is not in its result"
            yield Broken(UNHANDLED, text, run.history.path)
        for each in sorted(pending):
            text = f"{run.name}: update {each!r} was accepted, and never completed"
            yield Broken(UNHANDLED, text, run.history.path)


def _while_down(evidence: Evidence) -> Counter[str]:
    """How many messages were acknowledged that were sent between a kill and the next worker."""
    down: dict[str, list[tuple[int, int]]] = {}
    killed: dict[str, int] = {}
    for each in evidence.of(Process):
        if each.event == "killed":
            killed[each.group] = each.at_ns
        elif each.event == "ready" and each.group in killed:
            down.setdefault(each.group, []).append((killed.pop(each.group), each.at_ns))
    driven_in = groups(evidence)
    return Counter(
        op.name
        for op in evidence.of(Operation)
        if op.name in _METHODS and op.ending is Ending.OK
        for began_ns, over_ns in down.get(driven_in.get((op.tenant, op.workflow_id), ""), ())
        if began_ns <= op.invoked_ns < over_ns
    )
