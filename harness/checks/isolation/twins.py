"""INV-ISO-8: no state shared through equal ids."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import canonical_sha256
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.isolation.interleavings import OPERATION, SIGNAL, interleaved
from harness.journal.records import Effect, Ending, Operation, Program

EFFECT: Final = "effect of another tenant"
ANSWER: Final = "answer of another tenant"
RESULT: Final = "result of another tenant"
CLAUSES: Final = (EFFECT, ANSWER, RESULT, OPERATION, SIGNAL)


def twins_do_not_mix(evidence: Evidence) -> Finding:
    """ADR, Invariants: "never share workflow state across tenants".

    Sagas with the same workflow id and saga id run in several tenants at the same time with
    different inputs; no effect, result, signal or query answer of one shows anything of another.
    Starts, signals, queries, updates, cancels and terminations on equal workflow ids, in an order
    drawn from the trial's seed, meet the runs of the tenant that calls, and no other's: where only
    another tenant has an open run they are refused.
    """
    programs = {(p.tenant, p.workflow_id): p for p in evidence.of(Program)}
    twins = _twins(evidence.fed("INV-ISO-8"))
    orders = interleaved(evidence)
    answers = Counter(
        op.name
        for op in evidence.of(Operation)
        if op.ending is Ending.OK and (op.tenant, op.workflow_id) in twins
    )
    effects = sum((e.tenant, e.workflow_id) in twins for e in evidence.of(Effect))
    seen = (effects, answers["result"], answers["state"], answers["signal"])
    return conclude(
        CLAUSES,
        [
            *_crossed_effects(programs, evidence.of(Effect)),
            *_crossed_answers(programs, evidence.of(Operation)),
            *_crossed_results(programs, evidence),
            *orders.broken,
        ],
        [
            "" if twins and all(seen) else "no twin sagas with effects, results, queries, signals",
            orders.lacks,
        ],
        f"{len(twins)} sagas with the same ids in several tenants kept apart, and so did "
        f"{orders.operations} interleaved operations",
        {
            "twin_sagas": len(twins),
            "effects": effects,
            "results": answers["result"],
            "queries": answers["state"],
            "signals": answers["signal"],
            "interleaved_operations": orders.operations,
            "where_only_another_tenant_had_a_run": orders.orphans,
            "interleaved_unclear": orders.unclear,
        },
    )


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
) -> Iterator[Broken]:
    for effect in effects:
        program = programs.get((effect.tenant, effect.workflow_id))
        if program is None:
            continue
        node = _node(program, effect.step)
        asked = (node.get("resource", ""), node.get("amount", "1"))
        if (effect.resource, effect.amount) != asked:
            yield Broken(
                EFFECT,
                f"{effect.tenant}/{effect.workflow_id} step {effect.step}: asked for "
                f"{asked}, the service was asked for "
                f"{(effect.resource, effect.amount)}",
            )


def _node(program: Program, number: int) -> dict[str, Any]:
    nodes = program.program["nodes"]
    return nodes[number] if number < len(nodes) else {}


def _crossed_answers(
    programs: dict[tuple[str, str], Program], operations: Iterable[Operation]
) -> Iterator[Broken]:
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
            yield Broken(ANSWER, f"{op.tenant}/{op.workflow_id}: {op.name} shows {strange}")


def _crossed_results(
    programs: dict[tuple[str, str], Program], evidence: Evidence
) -> Iterator[Broken]:
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
                yield Broken(
                    RESULT,
                    f"{op.tenant}/{op.workflow_id}: {op.name} shows, for step "
                    f"{entry['step']}, what the service gave to {sorted(owners)}",
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
