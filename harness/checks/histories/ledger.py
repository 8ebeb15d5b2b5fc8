"""The services' ledger by business effect, and the order of what was applied."""

from __future__ import annotations

from harness.checks.check import Evidence
from harness.checks.histories.remember import remembered
from harness.checks.histories.saga import Place
from harness.journal.records import Disposition, Effect


@remembered(Effect)
def requests(evidence: Evidence) -> dict[Place, list[Effect]]:
    """All requests that reached a service, by business effect, each in the order of arrival."""
    found: dict[Place, list[Effect]] = {}
    for effect in evidence.of(Effect):
        place = (effect.tenant, effect.saga_id, effect.step, effect.direction)
        found.setdefault(place, []).append(effect)
    for effects in found.values():
        if len(effects) > 1:
            effects.sort(key=lambda effect: effect.received_ns)
    return found


def applied(effects: list[Effect]) -> list[Effect]:
    """Those that the service applied, in the order of application."""
    done = [effect for effect in effects if effect.disposition is Disposition.APPLIED]
    if len(done) > 1:
        done.sort(key=lambda effect: effect.applied_ns)
    return done


def named(effect: Effect) -> str:
    """A request, for a witness: tenant, workflow id, step, attempt."""
    return (
        f"{effect.tenant} {effect.workflow_id} saga {effect.saga_id} step {effect.step} "
        f"{effect.direction} attempt {effect.attempt}: {effect.service}.{effect.operation} "
        f"{effect.disposition}"
    )
