"""Tenant isolation, as far as a cluster without TLS can show it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from harness.checks.check import (
    Check,
    Evidence,
    Finding,
    Witness,
    failed,
    inconclusive,
    passed,
)
from harness.checks.histories import canonical_sha256
from harness.journal.records import Effect, Ending, Operation, Program, Subject

TOKEN_METHODS = 8
COMMAND_KINDS = 3


def task_tokens_are_confined(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Separate Temporal namespaces and task queues per tenant; never share
    workflow state across tenants".

    A task token or activity id of one tenant, used through another tenant's namespace, and a forged
    token, must be refused and change nothing; the owner's own call must succeed, else nothing was
    shown.
    """
    calls = [op for op in evidence.of(Operation) if op.name == "task-token"]
    states = [op for op in evidence.of(Operation) if op.name == "task-token-state"]
    foreign = [op for op in calls if op.args["variant"] != "owner"]
    controls = [op for op in calls if op.args["variant"] == "owner"]
    taken = [_token_witness(op) for op in foreign if op.ending is Ending.OK]
    changed = [
        Witness(
            text=f"{op.tenant}: {op.args['method']} with {op.args['variant']} from "
            f"{op.args['caller']} changed the history: {_grown(op)}"
        )
        for op in states
        if op.result["before"] != op.result["after"]
    ]
    figures: dict[str, Any] = {
        "foreign_calls": len(foreign),
        "refused": len(foreign) - len(taken),
        "statuses": dict(sorted(Counter(op.status for op in foreign).items())),
    }
    if taken or changed:
        return failed(
            f"{len(taken)} foreign calls were accepted, {len(changed)} changed a history",
            [*taken, *changed],
            **figures,
        )
    unclear = [op for op in foreign if op.ending is Ending.INFO]
    idle = [op for op in controls if op.ending is not Ending.OK]
    methods = {op.args["method"] for op in controls if op.ending is Ending.OK}
    if unclear or idle or len(methods) < TOKEN_METHODS or len(states) < len(controls):
        return inconclusive(
            f"{len(unclear)} foreign calls ended unclear, {len(idle)} calls of the owner failed, "
            f"{len(methods)} of {TOKEN_METHODS} methods were shown to work for the owner",
            **figures,
        )
    return passed(
        f"all {len(foreign)} foreign calls over {len(methods)} methods were refused and "
        "changed nothing; the owner's own calls succeeded",
        **figures,
    )


def _token_witness(op: Operation) -> Witness:
    return Witness(
        text=f"{op.args['method']} with {op.args['variant']}: {op.args['caller']} acted "
        f"on an activity of {op.args['owner']} ({op.workflow_id})"
    )


def _grown(op: Operation) -> str:
    return f"{op.result['before']} -> {op.result['after']} events"


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


def twins_do_not_mix(evidence: Evidence) -> Finding:
    """ADR, Invariants: "never share workflow state across tenants".

    Sagas with the same workflow id and saga id run in several tenants at the same time with
    different inputs; no effect, result, signal or query answer of one shows anything of another.
    """
    programs = {(p.tenant, p.workflow_id): p for p in evidence.of(Program)}
    twins = _twins(evidence.fed("INV-ISO-8"))
    crossed = [
        *_crossed_effects(programs, evidence.of(Effect)),
        *_crossed_answers(programs, evidence.of(Operation)),
        *_crossed_results(programs, evidence),
    ]
    answers = Counter(
        op.name
        for op in evidence.of(Operation)
        if op.ending is Ending.OK and (op.tenant, op.workflow_id) in twins
    )
    effects = sum((e.tenant, e.workflow_id) in twins for e in evidence.of(Effect))
    figures = {
        "twin_sagas": len(twins),
        "effects": effects,
        "results": answers["result"],
        "queries": answers["state"],
        "signals": answers["signal"],
    }
    if crossed:
        return failed(
            f"{len(crossed)} times something of one tenant showed in another", crossed, **figures
        )
    if not twins or min(effects, answers["result"], answers["state"], answers["signal"]) == 0:
        return inconclusive("no twin sagas with effects, results, signals and queries", **figures)
    return passed(f"{len(twins)} sagas with the same ids in several tenants kept apart", **figures)


def _twins(programs: Iterable[Program]) -> set[tuple[str, str]]:
    tenants: defaultdict[str, set[str]] = defaultdict(set)
    for program in programs:
        tenants[program.workflow_id].add(program.tenant)
    return {
        (tenant, workflow_id)
        for workflow_id, found in tenants.items()
        if len(found) > 1
        for tenant in found
    }


def _crossed_effects(
    programs: dict[tuple[str, str], Program], effects: Iterable[Effect]
) -> Iterator[Witness]:
    for effect in effects:
        program = programs.get((effect.tenant, effect.workflow_id))
        if program is None:
            continue
        node = _node(program, effect.step)
        asked = (node.get("resource", ""), node.get("amount", "1"))
        if (effect.resource, effect.amount) != asked:
            yield Witness(
                text=f"{effect.tenant}/{effect.workflow_id} step {effect.step}: asked for "
                f"{asked}, the service was asked for "
                f"{(effect.resource, effect.amount)}"
            )


def _node(program: Program, number: int) -> dict[str, Any]:
    nodes = program.program["nodes"]
    return nodes[number] if number < len(nodes) else {}


def _crossed_answers(
    programs: dict[tuple[str, str], Program], operations: Iterable[Operation]
) -> Iterator[Witness]:
    for op in operations:
        program = programs.get((op.tenant, op.workflow_id))
        answer = _answer(op)
        if program is None or answer is None:
            continue
        strange = [
            f"{name} {answer.get(name)!r}"
            for name, own in (("tenant", op.tenant), ("saga_id", program.saga_id))
            if answer.get(name) != own
        ]
        strange += [
            f"signal {each!r}"
            for each in answer.get("signals", ())
            if _named_tenant(each, programs, program)
        ]
        if strange:
            yield Witness(text=f"{op.tenant}/{op.workflow_id}: {op.name} shows {strange}")


def _crossed_results(
    programs: dict[tuple[str, str], Program], evidence: Evidence
) -> Iterator[Witness]:
    """Results of steps that a service gave to another tenant's step, and never to this one's."""
    given: defaultdict[tuple[str, int, str], set[str]] = defaultdict(set)
    for effect in evidence.of(Effect):
        if effect.direction == "forward" and effect.result_sha256:
            given[effect.saga_id, effect.step, effect.result_sha256].add(effect.tenant)
    for op in evidence.of(Operation):
        program = programs.get((op.tenant, op.workflow_id))
        answer = _answer(op)
        if program is None or answer is None:
            continue
        for entry in _steps(answer):
            digest = canonical_sha256(entry.get("result"))
            owners = given.get((program.saga_id, int(entry.get("step", -1)), digest), set())
            if owners and op.tenant not in owners:
                yield Witness(
                    text=f"{op.tenant}/{op.workflow_id}: {op.name} shows, for step "
                    f"{entry['step']}, what the service gave to {sorted(owners)}"
                )


def _steps(answer: dict[str, Any]) -> list[dict[str, Any]]:
    listed = answer.get("steps")
    return [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []


def _answer(op: Operation) -> dict[str, Any] | None:
    """The saga's own account in a result or a query answer, if it gave one."""
    if op.ending is not Ending.OK or op.name not in ("result", "state", "closed-state"):
        return None
    answer = op.result
    if op.name == "result" and isinstance(answer, dict):
        answer = answer.get("value") or answer.get("detail")
    return answer if isinstance(answer, dict) else None


def _named_tenant(signal_id: str, programs: dict[tuple[str, str], Program], own: Program) -> bool:
    """Whether a signal's id names another tenant than the saga's own."""
    others = {tenant for tenant, workflow_id in programs if workflow_id == own.workflow_id}
    return any(signal_id.endswith(f"-{tenant}") for tenant in others - {own.tenant})


CHECKS: tuple[Check, ...] = (
    Check(
        id="INV-ISO-6", subject=Subject.ENGINE, needs={Operation: 1}, judge=task_tokens_are_confined
    ),
    Check(
        id="INV-ISO-7", subject=Subject.ENGINE, needs={Operation: 1}, judge=commands_do_not_cross
    ),
    Check(
        id="INV-ISO-8",
        subject=Subject.DEPLOYMENT,
        needs={Program: 2, Effect: 1, Operation: 1},
        judge=twins_do_not_mix,
    ),
)
