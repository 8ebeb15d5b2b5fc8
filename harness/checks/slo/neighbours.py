"""INV-ISO-14: what one tenant feels when another floods.

A victim works at its normal rate throughout; another tenant floods in every second of as many
blocks, of which each noisy one has a quiet one beside it. The victim's p95 in all noisy blocks is
judged against its limit as any service level is. What is over the limit in quiet blocks too, and
not provably slower by the noise, decides nothing here: either no neighbour is to blame, or the
noise outlasts its blocks (an SDK that was refused comes back after ten seconds).

The ratio of noisy to quiet is that of the p95 of paired blocks (`harness.paired`). The first fifth
of each block is left out of latencies, in which the flood begins and in which it dies away. A flood
that called less than `noise_multiple` times as often as the victim is no noise: then nothing is
judged. Calls that were refused count as noise, those that could not be sent do not, nor those that
failed for another reason than a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from harness.checks.check import Clause, Evidence, Finding, inconclusive
from harness.checks.histories.clauses import COVERAGE
from harness.checks.slo.completions import judge_completion
from harness.checks.slo.latency import Limit, judge_latency
from harness.checks.slo.load import NEVER, Load, Unfit, generator
from harness.checks.slo.noise import Neighbours, seen_neighbours, too_quiet
from harness.checks.slo.starts import COLUMN_OF, FIRST_TASK
from harness.checks.slo.telling import PERCENTILE, ordered
from harness.checks.slo.waits import Waits
from harness.errors import EvidenceError
from harness.journal.records import Block, LoadRun
from harness.outcome import Outcome, worst
from harness.paired import ratio_of
from harness.statistics import percentile_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

START: Final = "start under noise"
QUERY: Final = "query under noise"
ACTIVITY: Final = "activity under noise"
COMPLETION: Final = "completion under noise"
UNCLEAR: Final = (
    "either no neighbour is to blame, or the noise outlasts its blocks, as longer ones would show"
)
_LEAST_IN_BLOCK: Final = 5  # of each operation, for a percentile that is worth comparing


@dataclass(frozen=True, slots=True, kw_only=True)
class Felt:
    """What the victim felt of one kind of thing: its clause, and figures for the report."""

    clause: Clause
    figures: Mapping[str, Any]
    finding: Finding


def no_noise_is_felt(evidence: Evidence) -> Finding:
    """'Strict tenant isolation required': a noisy neighbour does not slow the others.

    Of the victim's starts and queries in noisy blocks the p95 is within its limit, and so is the
    wait of its activities for a worker, by its histories; its sagas complete.
    """
    try:
        seen = seen_neighbours(evidence)
    except (Unfit, EvidenceError) as reason:
        runs = evidence.of(LoadRun)
        return inconclusive(str(reason), **(generator(runs[-1]) if runs else {}))
    parameters = evidence.parameters
    lacking = too_quiet(seen, parameters)
    felt = [
        *latencies_felt(seen, parameters),
        _activities_felt(seen, evidence),
        _completion_felt(seen, parameters),
    ]
    figures = {
        **seen.load.figures,
        "victim_per_s": seen.load.run.rate_per_s,
        "flood_per_s": seen.flood.rate_per_s,
        "felt": [dict(each.figures) for each in felt],
        "blocks": _blocks(seen, parameters),
    }
    return concluded(felt, lacking, figures)


def concluded(felt: Sequence[Felt], lacking: str, figures: Mapping[str, Any]) -> Finding:
    """The worst of what was felt; nothing at all where there was no noise to be felt."""
    if lacking:
        return Finding(
            outcome=Outcome.INCONCLUSIVE,
            reason=lacking,
            figures=figures,
            clauses=[
                *(
                    Clause(name=f.clause.name, outcome=Outcome.INCONCLUSIVE, reason=lacking)
                    for f in felt
                ),
                Clause(name=COVERAGE, outcome=Outcome.INCONCLUSIVE, reason=lacking),
            ],
        )
    outcome = worst(each.clause.outcome for each in felt)
    told = [each for each in felt if each.clause.outcome is outcome]
    return Finding(
        outcome=outcome,
        reason="; ".join(each.clause.reason for each in told),
        figures=figures,
        witnesses=[w for each in told for w in each.finding.witnesses],
        clauses=[*(each.clause for each in felt), Clause(name=COVERAGE, outcome=Outcome.PASS)],
    )


def latencies_felt(seen: Neighbours, parameters: Mapping[str, Any]) -> list[Felt]:
    """What the victim felt of starts and of queries."""
    sli = parameters["workflow_start_sli"]
    starts = replace(seen.load, samples=seen.load.samples.of(("RUN", "START")))
    queries = replace(seen.load, samples=seen.load.samples.of(("QUERY",)))
    confidence = parameters["confidence"]
    if sli == FIRST_TASK and not starts.samples.origin.follows_first_task:
        raise Unfit("the first workflow tasks were not followed in this run")
    return [
        _felt(
            seen,
            starts,
            COLUMN_OF[sli],
            START,
            Limit(
                what=f"starts ({sli})",
                limit_ms=parameters["start_p95_limit_ms"],
                confidence=confidence,
            ),
        ),
        _felt(
            seen,
            queries,
            "answered_ns",
            QUERY,
            Limit(
                what="queries",
                limit_ms=parameters["visibility_p95_limit_ms"],
                confidence=confidence,
            ),
        ),
    ]


def _felt(seen: Neighbours, load: Load, column: str, name: str, limit: Limit) -> Felt:
    return _compared(
        name,
        limit,
        _judged(lambda blocks: seen.during(load, blocks), seen.noisy, column, limit),
        _judged(lambda blocks: seen.during(load, blocks), seen.quiet, column, limit),
        _pairs(seen, lambda block: _load_p95_ms(seen.during(load, [block]), column)),
    )


def _activities_felt(seen: Neighbours, evidence: Evidence) -> Felt:
    """The wait for a worker alone, within what is promised of all of an activity."""
    limit = Limit(
        what="activities' waits (schedule_to_start)",
        limit_ms=evidence.parameters["activity_p95_limit_ms"],
        confidence=evidence.parameters["confidence"],
    )
    try:
        waits = Waits.of(seen, evidence)
    except Unfit as reason:
        unknown = inconclusive(str(reason))
        return _compared(ACTIVITY, limit, unknown, unknown, [])
    return _compared(
        ACTIVITY,
        limit,
        waits.judged(seen.noisy, limit),
        waits.judged(seen.quiet, limit),
        _pairs(seen, lambda block: _p95_ms([wait.took_ns for wait in waits.during([block])])),
    )


def _compared(
    name: str, limit: Limit, noisy: Finding, quiet: Finding, pairs: Sequence[tuple[float, float]]
) -> Felt:
    """What was found in noisy blocks, less what is no neighbour's fault."""
    ratio = ratio_of(pairs, limit.confidence)
    slower = ratio is not None and ratio.lower > 1
    figures = {
        "what": limit.what,
        "limit_ms": limit.limit_ms,
        "noisy_p95_ms": noisy.figures.get("p95_ms"),
        "quiet_p95_ms": quiet.figures.get("p95_ms"),
        "noisy_samples": noisy.figures.get("samples", 0),
        "quiet_samples": quiet.figures.get("samples", 0),
        "ratio": _rounded(ratio.value if ratio else None),
        "ratio_lower": _rounded(ratio.lower if ratio else None),
        "ratio_upper": _rounded(ratio.upper if ratio else None),
        "pairs": ratio.pairs if ratio else 0,
    }
    told = (
        f", {ratio.value:.3g} times as slow as without ({ratio.lower:.3g} to {ratio.upper:.3g})"
        if ratio
        else ""
    )
    outcome, reason = noisy.outcome, f"under noise {noisy.reason}{told}"
    if outcome is Outcome.FAIL and quiet.outcome is Outcome.FAIL and not slower:
        outcome = Outcome.INCONCLUSIVE
        reason = f"in quiet blocks too {quiet.reason}{told}: {UNCLEAR}"
    clause = Clause(name=name, outcome=outcome, reason=reason)
    return Felt(clause=clause, figures=figures, finding=noisy)


def _judged(
    during: Callable[[Sequence[Block]], Load], blocks: Sequence[Block], column: str, limit: Limit
) -> Finding:
    try:
        return judge_latency(during(blocks), column, limit)
    except Unfit as reason:
        return inconclusive(str(reason))


def _completion_felt(seen: Neighbours, parameters: Mapping[str, Any]) -> Felt:
    sagas = replace(seen.load, samples=seen.load.samples.of(("RUN",)))
    noisy = _completed(seen.during(sagas, seen.noisy, 0.0), parameters)
    quiet = _completed(seen.during(sagas, seen.quiet), parameters)
    outcome, reason = noisy.outcome, f"under noise {noisy.reason}"
    if outcome is Outcome.FAIL and quiet.outcome is Outcome.FAIL:
        outcome = Outcome.INCONCLUSIVE
        reason = f"in quiet blocks too {quiet.reason}: {UNCLEAR}"
    figures = {
        "what": "completions",
        "limit_ms": None,
        "noisy_p95_ms": None,
        "quiet_p95_ms": None,
        "noisy_samples": noisy.figures.get("judged", 0),
        "quiet_samples": quiet.figures.get("judged", 0),
        "ratio": None,
        "ratio_lower": None,
        "ratio_upper": None,
        "pairs": 0,
    }
    clause = Clause(name=COMPLETION, outcome=outcome, reason=reason)
    return Felt(clause=clause, figures=figures, finding=noisy)


def _completed(load: Load, parameters: Mapping[str, Any]) -> Finding:
    try:
        return judge_completion(load, parameters)
    except Unfit as reason:
        return inconclusive(str(reason))


def _pairs(seen: Neighbours, p95_ms: Callable[[Block], float | None]) -> list[tuple[float, float]]:
    """The p95 of each noisy block and of the quiet one beside it, ms."""
    found = []
    for pair in sorted({block.pair for block in seen.blocks}):
        both = {block.noisy: p95_ms(block) for block in seen.blocks if block.pair == pair}
        noisy, quiet = both.get(True), both.get(False)
        if noisy is not None and quiet is not None:
            found.append((noisy, quiet))
    return found


def _load_p95_ms(load: Load, column: str) -> float | None:
    return _p95_ms(load.latencies(column)[load.due])


def _p95_ms(took_ns: Column | Sequence[int]) -> float | None:
    """None for fewer than are worth comparing; infinite if so many never came."""
    import numpy

    values = ordered(numpy.asarray(took_ns, dtype=numpy.int64))
    if len(values) < _LEAST_IN_BLOCK:
        return None
    found = int(values[percentile_rank(len(values), PERCENTILE) - 1])
    return math.inf if found == NEVER else max(found, 1) / 1e6


def _blocks(seen: Neighbours, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each block, in their order: what the flood did and what the victim felt."""
    starts = replace(seen.load, samples=seen.load.samples.of(("RUN", "START")))
    queries = replace(seen.load, samples=seen.load.samples.of(("QUERY",)))
    column = COLUMN_OF[parameters["workflow_start_sli"]]
    found = []
    for block in seen.blocks:
        calls = seen.calls_in(block)
        found.append(
            {
                "block": f"{'noisy' if block.noisy else 'quiet'} {block.pair + 1}",
                "flood": block.flood if block.noisy else "–",
                "served_per_s": round(calls.served / calls.seconds, 1),
                "refused_per_s": round(calls.refused / calls.seconds, 1),
                "start_p95_ms": _shown(_load_p95_ms(seen.during(starts, [block]), column)),
                "query_p95_ms": _shown(_load_p95_ms(seen.during(queries, [block]), "answered_ns")),
            }
        )
    return found


def _shown(value: float | None) -> float | str:
    if value is None:
        return "too few"
    return "for ever" if value == math.inf else round(value, 1)


def _rounded(value: float | None) -> float | str | None:
    return "endless" if value == math.inf else None if value is None else round(value, 3)
