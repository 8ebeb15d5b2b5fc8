"""INV-ISO-7: no commands from one namespace into another."""

from __future__ import annotations

from harness.checks.check import Evidence, Finding, Witness, failed, inconclusive, passed
from harness.journal.records import Ending, Operation

COMMAND_KINDS = 3


def commands_do_not_cross(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Separate Temporal namespaces and task queues per tenant; never share
    workflow state across tenants".

    A workflow of one tenant that starts a child in, signals or cancels in another tenant's
    namespace is refused and has no effect there; the same command within its own namespace takes
    effect, else nothing was shown.
    """
    ops = [
        op
        for op in evidence.of(Operation)
        if op.name in ("cross-namespace-command", "cross-namespace-effect")
    ]
    across = [op for op in ops if op.args["across"]]
    effects = [op for op in across if op.name == "cross-namespace-effect" and _effect(op)]
    accepted = [
        op for op in across if op.name == "cross-namespace-command" and op.ending is Ending.OK
    ]
    controls = {
        op.args["kind"]
        for op in ops
        if not op.args["across"] and op.name == "cross-namespace-effect" and _effect(op)
    }
    figures = {
        "commands_across": len(across) // 2,
        "had_an_effect": len(effects),
        "accepted": len(accepted),
    }
    if effects or accepted:
        return failed(
            f"{len(accepted)} commands across namespaces were accepted, {len(effects)} took effect",
            [
                Witness(
                    text=f"{op.args['kind']} from {op.args['from']} into {op.args['to']} "
                    f"({op.workflow_id}): {op.name}"
                )
                for op in (*effects, *accepted)
            ],
            **figures,
        )
    unclear = [op for op in across if op.ending is Ending.INFO]
    kinds = {op.args["kind"] for op in across}
    if unclear or len(kinds) < COMMAND_KINDS or len(controls) < COMMAND_KINDS:
        return inconclusive(
            f"{len(unclear)} commands ended unclear; {len(kinds)} kinds were tried "
            f"across, {len(controls)} of {COMMAND_KINDS} shown to work within",
            **figures,
        )
    return passed(
        f"{len(across) // 2} commands across namespaces were refused, none took effect; "
        "the same commands within a namespace did",
        **figures,
    )


def _effect(op: Operation) -> bool:
    return bool(op.result and op.result.get("effect"))
