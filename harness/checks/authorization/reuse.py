"""INV-PDP-7: an allow that was taken back lets nothing through any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from harness.checks.authorization.attempts import Attempt, asked, done
from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import named as named_effect
from harness.contract.pdp_modes import Play, play_of
from harness.journal.records import Answer, Decision, Effect, Ending, Operation

REVOKED: Final = "used after it was revoked"
AWAY: Final = "used while the PDP was away"
REVOKE: Final = "revoke"
_MS: Final = 1_000_000

_Question = tuple[str, str, str]  # tenant, action, resource


def no_allow_outlives_its_policy(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions".

    From the moment an allow is revoked, or the PDP goes away, plus `pdp_staleness_ms`, no effect
    relies on it: neither in a later attempt of the same step, nor in a later step that asks the
    same. Both kinds of revocation, and a PDP that went away, must have been met.
    """
    judge = _ReuseJudge(evidence)
    broken = list(judge.broken())
    lacks = [
        coverage(evidence, "INV-PDP-7").lacks,
        *(f"never seen refused: {what}" for what in judge.unseen()),
    ]
    figures: dict[str, Any] = {
        "revoked_between_steps": len(judge.revoked),
        "refused_after_revocation": judge.refused,
        "staleness_ms": judge.staleness_ns / _MS,
        "tolerated_within_staleness": judge.tolerated,
    }
    kept = (
        f"{judge.refused} questions after an allow was revoked or its PDP went away were refused, "
        "and no effect relied on the older answer"
    )
    return conclude((REVOKED, AWAY), broken, lacks, kept, figures)


class _ReuseJudge:
    """`revoked` is when a resource was denied from, as the drive did it."""

    def __init__(self, evidence: Evidence) -> None:
        self.staleness_ns = int(evidence.parameters.get("pdp_staleness_ms", 0)) * _MS
        self.tolerated = 0
        self.refused = 0
        self.revoked = {
            (o.tenant, str(o.args.get("resource", ""))): o.at_ns
            for o in evidence.of(Operation)
            if o.name == REVOKE and o.ending is Ending.OK
        }
        self._asked = asked(evidence)
        self._done = done(evidence)
        self._fed = {(s.tenant, s.saga_id) for s in coverage(evidence, "INV-PDP-7").fed}

    def broken(self) -> Iterator[Broken]:
        """Effects that rely on an allow which was over when they arrived."""
        for attempt, effects in self._done.items():
            if attempt[:2] not in self._fed:
                continue
            own = self._asked.get(attempt, [])
            for effect in effects:
                if not any(d.answer is Answer.ALLOW and d.seq < effect.seq for d in own):
                    yield from self._relying(attempt, effect)

    def _relying(self, attempt: Attempt, effect: Effect) -> Iterator[Broken]:
        over = self._over(attempt, effect)
        if over is None:
            return
        clause, at_ns = over
        late_ns = effect.received_ns - at_ns
        if late_ns > self.staleness_ns:
            text = f"{named_effect(effect)}, {late_ns // _MS} ms after its allow was over"
            yield Broken(clause, text)
        else:
            self.tolerated += 1

    def _over(self, attempt: Attempt, effect: Effect) -> tuple[str, int] | None:
        """Since when the answer that this effect can only have remembered is over, and why."""
        play = _play(effect.resource)
        if play is not None and play.after and play.answers(attempt[3], play.after + 1):
            first = [
                d.answered_ns
                for other, decisions in self._asked.items()
                if other[:4] == attempt[:4]
                for d in decisions
                if d.answer is Answer.ALLOW and d.seq < effect.seq
            ]
            clause = REVOKED if play.mode.answer is Answer.DENY else AWAY
            return (clause, max(first)) if len(first) >= play.after else None
        at_ns = self.revoked.get((effect.tenant, effect.resource))
        return None if at_ns is None else (REVOKED, at_ns)

    def unseen(self) -> Iterator[str]:
        """The kinds of revocation of which no question was refused."""
        seen = set()
        for attempt, decisions in self._asked.items():
            for decision in decisions:
                kind = self._kind(decision) if attempt[:2] in self._fed else ""
                if kind and attempt not in self._done:
                    seen.add(kind)
                    self.refused += 1
        yield from sorted({"between steps", "between attempts", "the PDP away"} - seen)

    def _kind(self, decision: Decision) -> str:
        """What a question that was not allowed shows, if it came after an allow was over."""
        if decision.answer is Answer.ALLOW:
            return ""
        play = _play(decision.resource)
        if play is not None and play.after:
            return "between attempts" if decision.answer is Answer.DENY else "the PDP away"
        at_ns = self.revoked.get((decision.tenant, decision.resource))
        return "between steps" if at_ns is not None and decision.at_ns > at_ns else ""


def _play(resource: str) -> Play | None:
    try:
        return play_of(resource)
    except KeyError:
        return None
