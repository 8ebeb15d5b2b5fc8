"""Decisions and effects by the attempt that they belong to, and what interrupted attempts."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Evidence
from harness.checks.histories import Place, Saga, remembered, sagas
from harness.journal.records import Decision, Effect, Fault, Process

Attempt = tuple[str, str, int, str, str, int]  # tenant, saga id, step, direction, run id, attempt
_REDIRECT_TARGET: Final = " target"
_STOPS: Final = frozenset({"killed", "exited", "paused"})
_AFTER_NS: Final = 5_000_000_000
_FOR_EVER: Final = 2**63


def attempt_of(record: Decision | Effect) -> Attempt:
    """The attempt that a decision or an effect belongs to."""
    return (
        record.tenant,
        record.saga_id,
        record.step,
        record.direction,
        record.run_id,
        record.attempt,
    )


def followed_redirect(decision: Decision) -> bool:
    """Whether this is the second request of a question whose answer was a redirect."""
    return decision.mode.endswith(_REDIRECT_TARGET)


def place_of(attempt: Attempt) -> Place:
    """The business effect of an attempt."""
    return attempt[:4]


@remembered(Decision)
def asked(evidence: Evidence) -> dict[Attempt, list[Decision]]:
    """What the PDP was asked in each attempt, redirects that were followed left out."""
    found: dict[Attempt, list[Decision]] = {}
    for decision in evidence.of(Decision):
        if not followed_redirect(decision):
            found.setdefault(attempt_of(decision), []).append(decision)
    return found


@remembered(Effect)
def done(evidence: Evidence) -> dict[Attempt, list[Effect]]:
    """What reached a service in each attempt, whatever the service made of it."""
    found: dict[Attempt, list[Effect]] = {}
    for effect in evidence.of(Effect):
        found.setdefault(attempt_of(effect), []).append(effect)
    return found


def named(decision: Decision) -> str:
    """A decision, for a witness: tenant, workflow id, step, attempt, mode."""
    return (
        f"{decision.tenant} {decision.workflow_id} saga {decision.saga_id} step {decision.step} "
        f"{decision.direction} attempt {decision.attempt}: {decision.mode}, {decision.answer}"
    )


class Interruptions:
    """When workers were stopped or links broken: what an attempt did not do then proves nothing."""

    def __init__(self, evidence: Evidence) -> None:
        self._sagas = sagas(evidence)
        self._stops = [
            (process.at_ns, process.group)
            for process in evidence.of(Process)
            if process.role.startswith("worker") and process.event in _STOPS
        ]
        self._faults = _windows(evidence)

    def concern(self, decision: Decision) -> bool:
        """Whether the worker may have been stopped between this question and what follows it."""
        saga = self._sagas.get((decision.tenant, decision.saga_id))
        since_ns, until_ns = decision.received_ns, decision.at_ns + _AFTER_NS
        return any(
            since_ns <= at_ns <= until_ns and _runs_on(saga, group) for at_ns, group in self._stops
        ) or any(since_ns <= end_ns and begin_ns <= until_ns for begin_ns, end_ns in self._faults)


def _runs_on(saga: Saga | None, group: str) -> bool:
    return saga is None or not group or saga.program.group == group


def _windows(evidence: Evidence) -> list[tuple[int, int]]:
    healed: dict[str, int] = {}
    injected: dict[str, int] = {}
    for fault in evidence.of(Fault):
        if fault.phase == "injected":
            injected.setdefault(fault.fault_id, fault.at_ns)
        elif fault.phase == "healed":
            healed[fault.fault_id] = fault.at_ns + _AFTER_NS
    return [(at_ns, healed.get(fault_id, _FOR_EVER)) for fault_id, at_ns in injected.items()]
