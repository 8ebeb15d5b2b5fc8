"""The chain of digests by which an audit trail shows that somebody tampered with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from harness.checks.audit.arrivals import Received, received
from harness.checks.audit.matching import meaning, reconcile
from harness.checks.check import Evidence, Finding
from harness.checks.histories import Run, coverage, runs
from harness.checks.histories.clauses import Broken, conclude

GENESIS: Final = "0" * 64
UNCHAINED: Final = "unchained"
EDITED: Final = "edited"
GAP: Final = "gap"
FORKED: Final = "forked"
REORDERED: Final = "reordered"
CLAUSES: Final = (UNCHAINED, EDITED, GAP, FORKED, REORDERED)
_NOT_SEEN: Final = {
    "store_refuses": (
        "the target declares that its store refuses changes, which the sink cannot see: attest it"
    ),
    "none": "the target declares nothing by which tampering would show: attest how it is prevented",
}


def tampering_is_evident(evidence: Evidence) -> Finding:
    """ADR, Threats Addressed: "audit trail prevents tampering".

    Where the target declares a chain of digests, it is computed again from the raw bytes of every
    run's events: each carries its own digest and that of the one before it, so that one which was
    changed, left out, added or moved shows. A chain cannot show that a whole run is missing (the
    histories do, INV-AUD-1), and whether the store refuses changes is not seen at the sink.
    """
    declared = evidence.parameters.get("tamper_evidence", "none")
    known = {run.history.run_id: run for run in runs(evidence).values()}
    trails = _trails(evidence, known)
    links = sum(1 for trail in trails.values() for event in trail if event.chainhash)
    lacks = [coverage(evidence, "INV-AUD-7").lacks, _NOT_SEEN.get(declared, "")]
    broken = []
    if declared == "hash_chain":
        types = meaning(evidence.parameters)
        owed = {name for each in (types.types, types.changes, types.second) for _, name in each}
        broken = [
            b for run_id, trail in trails.items() for b in _faults(trail, owed, known[run_id])
        ]
        waiting = reconcile(evidence, types).not_due.total()
        if waiting and any(each.clause == GAP for each in broken):
            broken = [each for each in broken if each.clause != GAP]
            lacks.append(f"{waiting} events that had not come were not due yet: there may be gaps")
        if not any(len(trail) > 1 for trail in trails.values()):
            lacks.append("no run has two events that arrived, so nothing is chained")
    kept = (
        f"{links} events of {len(trails)} runs form unbroken chains; that the store refuses "
        "changes cannot be seen from here"
    )
    return conclude(CLAUSES, broken, lacks, kept, {"runs": len(trails), "links": links})


def _trails(evidence: Evidence, known: dict[str, Run]) -> dict[str, list[Received]]:
    """The events of each recorded run, of whatever type, each once, in the order of its history."""
    found: defaultdict[str, dict[tuple[str, str], Received]] = defaultdict(dict)
    for event in received(evidence):
        if event.key and event.key[0] in known:
            found[event.key[0]].setdefault((event.source, event.id), event)
    return {run_id: sorted(of.values(), key=_event_id) for run_id, of in found.items()}


def _event_id(event: Received) -> int:
    return event.key[1] if event.key else 0


def _faults(trail: list[Received], owed: set[str], run: Run) -> Iterator[Broken]:
    """What is wrong with the chain of one run."""
    links = [event for event in trail if event.chainhash and event.prevhash]
    digests = {event.chainhash for event in links} | {GENESIS}
    before = Counter(event.prevhash for event in links)
    place = {event.chainhash: _event_id(event) for event in links}
    path = run.history.path
    for event in trail:
        if not (event.chainhash and event.prevhash):
            if event.type in owed:
                yield Broken(UNCHAINED, f"{event.name} carries no digests", path)
            continue
        if not event.intact:
            yield Broken(EDITED, f"{event.name} does not have the digest that it carries", path)
        if event.prevhash not in digests:
            yield Broken(GAP, f"what {event.name} is chained to is not in the trail", path)
        if before[event.prevhash] > 1:
            yield Broken(FORKED, f"{event.name} is chained to what another is chained to", path)
        if place.get(event.prevhash, 0) > _event_id(event):
            yield Broken(REORDERED, f"{event.name} is chained to a later one", path)
