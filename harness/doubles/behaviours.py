"""How the services shall behave towards each step: the programs that were registered."""

from __future__ import annotations

import msgspec

from harness.contract.program import Behaviour, Child, SagaProgram, Step
from harness.doubles.claims import COMPENSATION, FORWARD
from harness.doubles.ledger import Place

_DEFAULT = Behaviour()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What one request meets, of what its step's behaviour asks for.

    The first `fail` requests of a step fail, the next `lose_answer` lose their answer; the very
    first is held.
    """

    fail: bool
    lose_answer: bool
    delay_ms: int
    business_failure: bool
    rejected: bool
    hold: str


class _Script(msgspec.Struct):
    behaviour: Behaviour
    requests: int = 0
    questions: int = 0

    def turn(self) -> Turn:
        behaviour, number = self.behaviour, self.requests
        self.requests += 1
        waits = not behaviour.delayed or number < behaviour.delayed
        losing = behaviour.fail <= number < behaviour.fail + behaviour.lose_answer
        return Turn(
            fail=number < behaviour.fail, lose_answer=losing,
            delay_ms=behaviour.delay_ms if waits else 0,
            business_failure=behaviour.business_failure,
            rejected=behaviour.rejected,
            hold=behaviour.hold if number == 0 else "",
        )  # fmt: skip


class Behaviours:
    """Behaviours by tenant, saga, step and direction. Only the ones that differ are kept."""

    def __init__(self) -> None:
        self._scripts: dict[Place, _Script] = {}

    def register(self, tenant: str, program: SagaProgram) -> None:
        """Take a program's behaviours, and its children's; again: counts begin anew.

        Raises `ValueError` for a `hold` that is none of asked, before, after.
        """
        for number, node in enumerate(program.nodes):
            if isinstance(node, Child):
                self.register(node.program.tenant, node.program)
            elif isinstance(node, Step):
                place = (tenant, program.saga_id, number)
                self._keep((*place, FORWARD), node.behaviour)
                self._keep((*place, COMPENSATION), node.compensation_behaviour)

    def _keep(self, place: Place, behaviour: Behaviour) -> None:
        if behaviour.hold not in ("", "asked", "before", "after"):
            raise ValueError(f"hold: {behaviour.hold!r} is none of asked, before, after, {place}")
        if behaviour == _DEFAULT:
            self._scripts.pop(place, None)
        else:
            self._scripts[place] = _Script(behaviour)

    def turn(self, place: Place) -> Turn | None:
        """What the next request of a step meets; None: nothing out of the ordinary."""
        script = self._scripts.get(place)
        return None if script is None else script.turn()

    def holds_question(self, place: Place) -> bool:
        """Whether the answer to this question of a step is to be held: its first, if any."""
        script = self._scripts.get(place)
        if script is None or script.behaviour.hold != "asked":
            return False
        script.questions += 1
        return script.questions == 1
