"""The chain of digests by which an audit trail shows that somebody tampered with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from harness.checks.audit.matching import Match
from harness.checks.audit.order import by_run
from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage
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
    runs = by_run(evidence)
    links = sum(1 for matches in runs.values() for match in matches if match.first.chainhash)
    lacks = [coverage(evidence, "INV-AUD-7").lacks, _NOT_SEEN.get(declared, "")]
    broken = []
    if declared == "hash_chain":
        broken = [each for matches in runs.values() for each in _faults(matches)]
        if not any(len(matches) > 1 for matches in runs.values()):
            lacks.append("no run has two events that arrived, so nothing is chained")
    kept = (
        f"{links} events of {len(runs)} runs form unbroken chains; that the store refuses changes "
        "cannot be seen from here"
    )
    return conclude(CLAUSES, broken, lacks, kept, {"runs": len(runs), "links": links})


def _faults(matches: list[Match]) -> Iterator[Broken]:
    """What is wrong with the chain of one run, whose matches are in the order of its history."""
    digests = {match.first.chainhash for match in matches} | {GENESIS}
    before = Counter(match.first.prevhash for match in matches)
    place = {match.first.chainhash: match.transition.event_id for match in matches}
    for match in matches:
        event, path = match.first, match.run.history.path
        if not (event.chainhash and event.prevhash):
            yield Broken(UNCHAINED, f"{event.name} carries no digests", path)
            continue
        if not event.intact:
            yield Broken(EDITED, f"{event.name} does not have the digest that it carries", path)
        if event.prevhash not in digests:
            yield Broken(GAP, f"what {event.name} is chained to is not in the trail", path)
        if before[event.prevhash] > 1:
            yield Broken(FORKED, f"{event.name} is chained to what another is chained to", path)
        if place.get(event.prevhash, 0) > match.transition.event_id:
            yield Broken(REORDERED, f"{event.name} is chained to a later one", path)
