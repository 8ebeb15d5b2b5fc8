"""The reconciliation: what the histories say must be in the audit trail, against what arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple

from harness.checks.audit.arrivals import Received, received, same_content
from harness.checks.check import Evidence
from harness.checks.histories import Run, Transition, remembered, runs
from harness.contract.transitions import change_types, second_types, state_types
from harness.journal.records import AuditEvent, Decision, Effect, History, Operation

MISSING: Final = "missing"
EXTRA: Final = "extra"
DUPLICATE: Final = "duplicate"
LATE: Final = "late"
TENANT: Final = "wrong tenant"
WRONG: Final = "wrong content"
REUSED: Final = "reused id"
KINDS: Final = (MISSING, EXTRA, DUPLICATE, LATE, TENANT, WRONG, REUSED)
READS: Final = (AuditEvent, Decision, Effect, History, Operation)
_MS: Final = 1_000_000


Place = tuple[str, int, bool]  # run id, event id, of the second family


class Meaning(NamedTuple):
    """The declared meanings: the event type of each history event, and how late it may come.

    `types` are those of state transitions, `changes` of material changes, `second` of the second
    family, which is emitted beside the first. `each_attempt` is the type that is emitted for
    attempts too, for which histories have no event.
    """

    types: tuple[tuple[str, str], ...]
    changes: tuple[tuple[str, str], ...]
    second: tuple[tuple[str, str], ...]
    lag_ms: int
    each_attempt: str


class Fault(NamedTuple):
    """One thing that does not add up: its kind, the event type it belongs to, text and path.

    Of what came late, `span` is from when it was due to count until it came, in wall-clock ns.
    """

    kind: str
    type: str
    text: str
    path: str
    span: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Match:
    """What arrived for one transition: the first event, and those that came beside it."""

    run: Run
    transition: Transition
    first: Received
    acknowledged: bool
    again: list[Received] = field(default_factory=list)


@dataclass(slots=True)
class Reconciliation:
    """The outcome. `expected`, `matched` and `not_due` count by the type of history event.

    `unjudged` counts events, by their own type, that nothing recorded can confirm or refute.
    `matches` are by run, event id and whether it is of the second family; `phantoms` are the events
    that speak of a transition which is in no history. Copies that a reset made may have an event.
    """

    faults: list[Fault] = field(default_factory=list)
    expected: Counter[str] = field(default_factory=Counter)
    matched: Counter[str] = field(default_factory=Counter)
    not_due: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    lags_ms: list[float] = field(default_factory=list)
    matches: dict[Place, Match] = field(default_factory=dict)
    phantoms: list[Received] = field(default_factory=list)


def meaning(parameters: Mapping[str, Any]) -> Meaning:
    """The declared meanings out of a profile's parameters, with the defaults of the contract."""
    prefix = parameters.get("event_type_prefix", "")
    final = parameters.get("activity_failed_event", "final") == "final"
    states = state_types(parameters)
    return Meaning(
        types=_prefixed(prefix, states),
        changes=_prefixed(prefix, change_types(parameters)),
        second=_prefixed(prefix, second_types(parameters)),
        lag_ms=int(parameters.get("event_lag_ms", 30_000)),
        each_attempt="" if final else prefix + states["ACTIVITY_TASK_FAILED"],
    )


def _prefixed(prefix: str, types: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((event, prefix + name) for event, name in types.items())


@remembered(*READS)
def reconcile(evidence: Evidence, declared: Meaning) -> Reconciliation:
    """Match every transition of the histories with the events that arrived, once for each."""
    return _Matching(evidence, declared).outcome()


class _Expected(NamedTuple):
    run: Run
    transition: Transition
    type: str
    kind: str  # under which it is counted: the history event's type, or that of the second family

    @property
    def copied(self) -> bool:
        """Whether a reset copied it: then an event of it may come, and need not."""
        first = self.transition.event_id == self.run.first_event_id
        return self.transition.event_id < self.run.reset_event_id and not first

    @property
    def since_ns(self) -> int:
        """When it could be known first: a reset copies events that are older than its run."""
        return max(self.transition.wall_ns, self.run.reset_ns)

    @property
    def name(self) -> str:
        return (
            f"{self.type} of {self.run.name} event {self.transition.event_id} "
            f"({self.transition.type})"
        )


class _Matching:
    """One pass over what was expected and one over what arrived."""

    def __init__(self, evidence: Evidence, declared: Meaning) -> None:
        self._evidence = evidence
        self._declared = declared
        self._types = {**dict(declared.types), **dict(declared.changes)}
        self._second = dict(declared.second)
        self._runs = {run.history.run_id: run for run in runs(evidence).values()}
        self._known_runs, self._known_workflows = _known(evidence)
        self._expected = self._expectations()
        self._first: dict[tuple[str, str], Received] = {}
        self._result = Reconciliation()
        self._matches = self._result.matches

    def outcome(self) -> Reconciliation:
        seconds = set(self._second.values())
        types = {*self._types.values(), *seconds}
        for event in received(self._evidence):
            if event.type in types:
                second = event.type in seconds
                self._arrived(event, (*event.key, second) if event.key else None)
            else:
                self._result.figures["events_of_other_types"] += 1
        for place, expected in self._expected.items():
            self._settle(expected, self._matches.get(place))
        return self._result

    def _expectations(self) -> dict[Place, _Expected]:
        found: dict[Place, _Expected] = {}
        for run in self._runs.values():
            run_id = run.history.run_id
            for each in run.transitions:
                if each.type in self._types:
                    place = (run_id, each.event_id, False)
                    found[place] = _Expected(run, each, self._types[each.type], each.type)
                if each.type in self._second:
                    second = self._second[each.type]
                    found[run_id, each.event_id, True] = _Expected(run, each, second, second)
        return found

    def _fault(self, kind: str, type_: str, text: str, run: Run | None = None) -> None:
        path = run.history.path if run else ""
        self._result.faults.append(Fault(kind, type_, text, path))

    def _arrived(self, event: Received, place: Place | None) -> None:
        if self._is_redelivery(event):
            match = self._matches.get(place) if place else None
            if match is not None:
                match.acknowledged = match.acknowledged or event.acknowledged
            return
        expected = self._expected.get(place) if place else None
        if expected is None or place is None:
            self._unexpected(event)
        elif expected.type != event.type:
            text = f"{event.name} came for {expected.name}"
            self._fault(WRONG, expected.type, text, expected.run)
        else:
            self._expected_came(event, expected, place)

    def _is_redelivery(self, event: Received) -> bool:
        """Whether the same event came before; the same identity with another content is a fault."""
        if not event.id:
            return False  # it has no identity, which is the validator's finding
        first = self._first.setdefault((event.source, event.id), event)
        if first is event:
            return False
        if same_content(first, event):
            self._result.figures["redelivered"] += 1
            return True
        text = f"{event.name} has the source and id of {first.name}, and another content"
        self._fault(REUSED, event.type, text, self._run(event))
        return False

    def _run(self, event: Received) -> Run | None:
        return self._runs.get(event.key[0]) if event.key else None

    def _unexpected(self, event: Received) -> None:
        run = self._run(event)
        if run is None:
            self._of_no_recorded_run(event)
        elif event.key and event.key[1] > run.last_event_id and not run.closing:
            self._result.unjudged[event.type] += 1  # the run went on after its export
        elif event.type == self._declared.each_attempt:
            self._result.unjudged[event.type] += 1
        else:
            text = f"{event.name}: the history has no such transition"
            self._fault(EXTRA, event.type, text, run)
            self._result.phantoms.append(event)

    def _of_no_recorded_run(self, event: Received) -> None:
        if event.key is None:
            text = f"{event.name} names no run and event, so it belongs to no transition"
            self._fault(EXTRA, event.type, text)
            self._result.phantoms.append(event)
        elif event.key[0] in self._known_runs:
            self._result.figures["events_of_runs_without_history"] += 1
        elif event.workflow_id and event.workflow_id not in self._known_workflows:
            self._result.unjudged[event.type] += 1  # somebody else's workflow, as it seems
        else:
            self._fault(EXTRA, event.type, f"{event.name}: nobody knows such a run")
            self._result.phantoms.append(event)

    def _expected_came(self, event: Received, expected: _Expected, place: Place) -> None:
        match = self._matches.get(place)
        if match is not None:
            match.again.append(event)
            text = f"{event.name} came beside {match.first.name}"
            self._fault(DUPLICATE, expected.type, text, expected.run)
            return
        self._matches[place] = Match(expected.run, expected.transition, event, event.acknowledged)
        history = expected.run.history
        if event.tenants != (history.tenant,):
            named = " and ".join(event.tenants) or "no tenant"
            text = f"{event.name} names {named}, it happened in {history.tenant}"
            self._fault(TENANT, expected.type, text, expected.run)
        self._agrees(event, expected, "namespace", event.namespace, history.namespace)
        self._agrees(event, expected, "workflow_id", event.workflow_id, history.workflow_id)
        says, is_so = _plain(event.transition), _plain(expected.transition.type)
        self._agrees(event, expected, "transition", says, is_so)

    def _agrees(
        self, event: Received, expected: _Expected, name: str, says: str, is_so: str
    ) -> None:
        """What an event says must be so; what it does not say is another check's matter."""
        if says and says != is_so:
            text = f"{event.name} says {name} {says}, the history {is_so}"
            self._fault(WRONG, expected.type, text, expected.run)

    def _settle(self, expected: _Expected, match: Match | None) -> None:
        missing = match is None or not match.acknowledged
        if missing and expected.copied:
            self._result.figures["copied_by_a_reset_and_not_repeated"] += 1
            return
        self._result.expected[expected.kind] += 1
        if match is None or not match.acknowledged:
            self._absent(expected, match)
            return
        self._result.matched[expected.kind] += 1
        lag_ms = (match.first.arrived_ns - expected.since_ns) / _MS
        self._result.lags_ms.append(lag_ms)
        if lag_ms > self._declared.lag_ms:
            text = f"{expected.name} came {lag_ms:.0f} ms after it"
            span = (expected.since_ns, match.first.arrived_ns)
            self._result.faults.append(
                Fault(LATE, expected.type, text, expected.run.history.path, span)
            )

    def _absent(self, expected: _Expected, match: Match | None) -> None:
        until_ns = self._evidence.journal.manifest.ended_wall_ns
        if until_ns and expected.since_ns + self._declared.lag_ms * _MS > until_ns:
            self._result.not_due[expected.kind] += 1
        elif match is None:
            self._fault(MISSING, expected.type, f"{expected.name} did not come", expected.run)
        else:
            text = f"{expected.name} was refused by the sink and not delivered again"
            self._fault(MISSING, expected.type, text, expected.run)


@lru_cache(1024)
def _plain(name: str) -> str:
    """`WorkflowExecutionStarted`, `WORKFLOW_EXECUTION_STARTED` and its long form as one."""
    return name.replace("_", "").lower().removeprefix("eventtype")


def _known(evidence: Evidence) -> tuple[set[str], set[str]]:
    """The ids of all runs and of all workflows that anybody but the exporter has seen."""
    run_ids: set[str] = set()
    workflow_ids: set[str] = set()
    seen: Iterable[Operation | Effect | Decision | History] = chain(
        evidence.of(Operation), evidence.of(Effect), evidence.of(Decision), evidence.of(History)
    )
    for record in seen:
        run_ids.add(record.run_id)
        workflow_ids.add(record.workflow_id)
    for run in runs(evidence).values():
        run_ids.update(run.linked)
    return run_ids - {""}, workflow_ids
