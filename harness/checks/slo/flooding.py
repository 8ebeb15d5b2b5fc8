"""THR-D: a flood is refused, with cause and scope, and the others do not feel it.

What is declared is judged: the calls that one tenant may make a second (`tenant_calls_per_s`), and
the activities that its task queue dispatches (`queue_activities_per_s`), each kept within a tenth.
The first half of each noisy block is left out, in which a limiter may let through what it saved up.
Activities are counted where they take effect, at the services. The limits of worker processes
and those of the deployment's manifests cannot be seen from here: what the workers took is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from harness.checks.check import Clause, Evidence, Finding, inconclusive
from harness.checks.slo.load import Unfit
from harness.checks.slo.neighbours import Felt, concluded, latencies_felt
from harness.checks.slo.noise import REFUSED, Neighbours, seen_neighbours, too_quiet
from harness.errors import EvidenceError
from harness.journal.records import WORKER_RSS_BYTES, Block, Effect, Gauge
from harness.outcome import Outcome, worst

RATE: Final = "rate of calls"
TOLD: Final = "cause and scope"
QUEUE: Final = "rate of the queue"
OTHERS: Final = "others keep their service levels"
TOLERANCE: Final = 1.1
_SAVED: Final = 0.5  # of a block: what a limiter has saved up may be used in it
_OF_A_TENANT: Final = "NAMESPACE"
_ACTIVITIES: Final = "activities"
_STEPS: Final = 4  # of each saga of such a flood


def flood_is_refused(evidence: Evidence) -> Finding:
    """'Rate limiting on task queues and worker resource limits prevent DoS'.

    Beyond the declared rate a flood is answered with RESOURCE_EXHAUSTED, its cause and its tenant's
    scope, a declared rate of a queue is kept within a tenth, and meanwhile the others' starts and
    queries keep their limits.
    """
    calls_per_s = float(evidence.parameters["tenant_calls_per_s"])
    queue_per_s = float(evidence.parameters["queue_activities_per_s"])
    if not calls_per_s and not queue_per_s:
        return inconclusive(
            "no rate limit is declared; declare tenant_calls_per_s or queue_activities_per_s in "
            "the target file"
        )
    try:
        seen = seen_neighbours(evidence)
        lacking = too_quiet(seen, evidence.parameters)
        others = _others(seen, evidence.parameters)
    except (Unfit, EvidenceError) as reason:
        return inconclusive(str(reason))
    felt = []
    if calls_per_s:
        felt += [_rate(seen, calls_per_s), _told(seen)]
    if queue_per_s:
        felt.append(_queue(seen, evidence, queue_per_s))
    figures = {
        "declared_calls_per_s": calls_per_s or None,
        "declared_activities_per_s": queue_per_s or None,
        "rates": [_row(seen, block) for block in seen.noisy],
        "refusals": dict(sorted(_refusals(seen).items())),
        **_memory(evidence, seen),
    }
    return concluded([*felt, others], lacking, figures)


def _rate(seen: Neighbours, declared_per_s: float) -> Felt:
    """The flood's own calls alone; its worker's come on top, so this favours the platform."""
    bound = TOLERANCE * declared_per_s
    stretches = [(block, seen.calls_in(block, _SAVED)) for block in seen.noisy]
    over = [(b, c) for b, c in stretches if c.noise_per_s > bound]
    if not over:
        most = max(c.noise_per_s for _, c in stretches)
        reason = (
            f"the flood reached {most:.3g} calls a second at most, which is no test of a limit of "
            f"{declared_per_s:g}; raise --flood-rate"
        )
        return _felt(RATE, Outcome.INCONCLUSIVE, reason)
    block, calls = max(over, key=lambda pair: pair[1].served / pair[1].seconds)
    served_per_s = _per_s(calls.served, calls.seconds)
    reason = (
        f"at most {served_per_s:.3g} calls a second were served (flood of {block.flood}, "
        f"{calls.noise_per_s:.3g} offered); {declared_per_s:g} are declared"
    )
    return _felt(RATE, Outcome.FAIL if served_per_s > bound else Outcome.PASS, reason)


def _told(seen: Neighbours) -> Felt:
    refusals = _refusals(seen)
    total = sum(refusals.values())
    if not total:
        return _felt(TOLD, Outcome.INCONCLUSIVE, "nothing was refused, so no refusal can be read")
    blank = sum(count for name, count in refusals.items() if _blank(name))
    of_all = sum(
        count
        for name, count in refusals.items()
        if not _blank(name) and not name.endswith(f":{_OF_A_TENANT}")
    )
    if blank:
        reason = f"{blank} of {total} refusals say no cause or no scope"
    elif of_all > (TOLERANCE - 1) * total:
        reason = (
            f"{of_all} of {total} refusals are for the sake of the whole system, not of one "
            "tenant: they meet the others as well"
        )
    else:
        return _felt(TOLD, Outcome.PASS, f"{total} refusals, each with its cause and its scope")
    return _felt(TOLD, Outcome.FAIL, reason)


def _blank(name: str) -> bool:
    cause, scope = [*name.split(":")[1:], "-", "-"][:2]
    return bool({cause, scope} & {"-", "", "UNSPECIFIED"})


def _refusals(seen: Neighbours) -> Counter[str]:
    names = (seen.calls.causes[number] for number in seen.calls.cause)
    return Counter(name for name in names if name.startswith(REFUSED))


def _queue(seen: Neighbours, evidence: Evidence, declared_per_s: float) -> Felt:
    bound = TOLERANCE * declared_per_s
    blocks = [block for block in seen.noisy if block.flood == _ACTIVITIES]
    full = [
        block for block in blocks if _STEPS * seen.calls_in(block, _SAVED).served
        > bound * seen.calls_in(block, _SAVED).seconds
    ]  # fmt: skip
    if not full:
        reason = (
            f"no flood of {_ACTIVITIES} filled the queue beyond {declared_per_s:g} a second; "
            f"flood with --flood {_ACTIVITIES}"
        )
        return _felt(QUEUE, Outcome.INCONCLUSIVE, reason)
    received = [e.received_ns for e in evidence.of(Effect) if e.tenant == seen.flood.tenant]
    rates = [_within_per_s(received, block) for block in full]
    reason = (
        f"at most {max(rates):.3g} activities a second reached the services under a flood that "
        f"asked for more; {declared_per_s:g} are declared"
    )
    if not any(rates):
        return _felt(QUEUE, Outcome.INCONCLUSIVE, f"{reason}: none was dispatched at all")
    return _felt(QUEUE, Outcome.FAIL if max(rates) > bound else Outcome.PASS, reason)


def _within_per_s(moments_ns: list[int], block: Block) -> float:
    begin_ns = block.begin_ns + round(_SAVED * (block.end_ns - block.begin_ns))
    count = sum(begin_ns <= at < block.end_ns for at in moments_ns)
    return _per_s(count, (block.end_ns - begin_ns) / 1e9)


def _per_s(count: int, seconds: float) -> float:
    """The rate at least: of an even rate as many intervals fit in, and one moment more."""
    return max(count - 1, 0) / seconds


def _others(seen: Neighbours, parameters: Mapping[str, Any]) -> Felt:
    """The others' latencies, as INV-ISO-14 judges them."""
    felt = latencies_felt(seen, parameters)
    outcome = worst(each.clause.outcome for each in felt)
    told = [each for each in felt if each.clause.outcome is outcome]
    clause = Clause(
        name=OTHERS, outcome=outcome, reason="; ".join(each.clause.reason for each in told)
    )
    return Felt(clause=clause, figures={}, finding=told[0].finding)


def _felt(name: str, outcome: Outcome, reason: str) -> Felt:
    return Felt(
        clause=Clause(name=name, outcome=outcome, reason=reason),
        figures={},
        finding=Finding(outcome=outcome, reason=reason),
    )


def _row(seen: Neighbours, block: Block) -> dict[str, Any]:
    calls = seen.calls_in(block)
    return {
        "flood": block.flood,
        "pair": block.pair + 1,
        "offered_per_s": round(calls.noise_per_s, 1),
        "served_per_s": round(calls.served / calls.seconds, 1),
        "refused_per_s": round(calls.refused / calls.seconds, 1),
        "unanswered": calls.unanswered,
    }


def _memory(evidence: Evidence, seen: Neighbours) -> dict[str, Any]:
    """The most memory that all workers had together, with and without noise."""
    found: dict[str, Any] = {}
    gauges = [each for each in evidence.of(Gauge) if each.name == WORKER_RSS_BYTES]
    for name, noisy in (("noisy", True), ("quiet", False)):
        values = [
            gauge.value
            for gauge in gauges
            for block in seen.blocks
            if block.noisy is noisy and block.begin_ns <= gauge.at_ns < block.end_ns
        ]
        if values:
            found[f"workers_rss_{name}_max_bytes"] = max(values)
    return found
