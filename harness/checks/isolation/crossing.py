"""INV-ISO-7: no commands from one namespace into another."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Operation

KINDS: Final = 3
COMMAND: Final = "cross-namespace-command"
EFFECT: Final = "cross-namespace-effect"
ACCEPTED: Final = "command accepted across namespaces"
TOOK_EFFECT: Final = "command took effect across namespaces"


def commands_do_not_cross(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Separate Temporal namespaces and task queues per tenant; never share
    workflow state across tenants".

    A workflow of one tenant that starts a child in, signals or cancels in another tenant's
    namespace is refused and has no effect there; the same command within its own namespace takes
    effect, else nothing was shown.
    """
    ops = [op for op in evidence.of(Operation) if op.name in (COMMAND, EFFECT)]
    across = [op for op in ops if op.args["across"]]
    effects = [op for op in across if op.name == EFFECT and _effect(op)]
    accepted = [op for op in across if op.name == COMMAND and op.ending is Ending.OK]
    works = {op.args["kind"] for op in ops if not op.args["across"] and _effect(op)}
    tried = {op.args["kind"] for op in across if op.name == COMMAND}
    unclear = sum(op.ending is Ending.INFO for op in across)
    commands = sum(op.name == COMMAND for op in across)
    return conclude(
        (ACCEPTED, TOOK_EFFECT),
        [
            *(Broken(ACCEPTED, _said(op)) for op in accepted),
            *(Broken(TOOK_EFFECT, _said(op)) for op in effects),
        ],
        [
            f"{unclear} commands ended unclear" if unclear else "",
            ""
            if len(works & tried) >= KINDS
            else f"{len(tried)} kinds were tried across, {len(works)} of {KINDS} shown to work "
            "within",
        ],
        f"{commands} commands across namespaces were refused, none took effect; the same commands "
        "within a namespace did",
        {
            "commands_across": commands,
            "had_an_effect": len(effects),
            "accepted": len(accepted),
        },
    )


def _effect(op: Operation) -> bool:
    return op.name == EFFECT and bool(op.result and op.result.get("effect"))


def _said(op: Operation) -> str:
    return f"{op.args['kind']} from {op.args['from']} into {op.args['to']} ({op.workflow_id})"
