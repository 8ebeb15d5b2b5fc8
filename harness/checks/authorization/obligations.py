"""INV-PDP-8: an allow that obliges to something is carried out with it, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from harness.checks.authorization.attempts import asked, done, named
from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage
from harness.checks.histories.clauses import Broken, conclude
from harness.contract.pdp_modes import CAP_AMOUNT, MODES
from harness.journal.records import Decision, Effect

IGNORED: Final = "obligation ignored"
_CAPPED: Final = "1"
_OBLIGES: Final = {mode.id: mode for mode in MODES if mode.id.startswith("FM-42")}
_DIRECTIONS: Final = ("forward", "compensation")


def obligations_are_honoured_or_refused(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions".

    After an allow with an obligation either nothing reaches a service in that attempt, or the
    obligation is one that the platform declares to carry out (`obligations_honoured`) and the
    request shows that it did: its amount is the one that the obligation caps it to.
    """
    honoured_ids = set(evidence.parameters.get("obligations_honoured", ()))
    effects = done(evidence)
    broken: list[Broken] = []
    met: set[tuple[str, str]] = set()
    refused = honoured = 0
    for attempt, decisions in asked(evidence).items():
        for decision in decisions:
            if decision.mode not in _OBLIGES:
                continue
            met.add((decision.mode, decision.direction))
            found = effects.get(attempt, [])
            bad = list(_ignored(decision, found, honoured_ids))
            broken += bad
            refused += not found
            honoured += bool(found) and not bad
    lacks = [coverage(evidence, "INV-PDP-8").lacks, _unmet(met)]
    figures: dict[str, Any] = {"refused": refused, "honoured": honoured}
    kept = f"{refused} allows with an obligation were refused, {honoured} were carried out with it"
    return conclude((IGNORED,), broken, lacks, kept, figures)


def _ignored(decision: Decision, effects: list[Effect], known: set[str]) -> Iterator[Broken]:
    mode = _OBLIGES[decision.mode]
    for effect in effects:
        if mode.obligation == CAP_AMOUNT and CAP_AMOUNT in known and effect.amount == _CAPPED:
            continue
        text = f"{effect.service}.{effect.operation} was called with amount {effect.amount!r}"
        yield Broken(IGNORED, f"{named(decision)} ({mode.description}), and {text}")


def _unmet(met: set[tuple[str, str]]) -> str:
    missing = [
        f"{mode} {direction}"
        for mode in _OBLIGES
        for direction in _DIRECTIONS
        if (mode, direction) not in met
    ]
    return f"never met: {', '.join(missing)}" if missing else ""
