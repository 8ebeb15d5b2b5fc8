"""DUR-10: how much more is carried with more worker processes."""

from __future__ import annotations

from typing import Any, Final

from harness.checks.capacity.bound import usage_of_machine
from harness.checks.capacity.knee import StepOutcome
from harness.checks.capacity.searched import Searched, Seen, searches
from harness.checks.check import Evidence, Finding, failed, inconclusive, passed

_Range = tuple[float | None, float | None]
_FULL: Final = "the machine's CPU was used up"


def throughput_grows(evidence: Evidence) -> Finding:
    """'Horizontal worker scaling and partitioned workflows'.

    Each number of worker processes is offered more than it carries: its backlog grows throughout,
    and the rate of completions is its throughput, with bounds. The speed-up is the ratio to the
    fewest processes, the efficiency that by the ratio of the numbers. It passes where the
    efficiency is at least `scaling_efficiency_min` for certain, and fails where it is less for
    certain, unless the machine's CPU was used up: processes that share cores that are full prove
    nothing against the platform.
    """
    found = [(each, _throughput(each)) for each in searches(evidence)]
    if len(found) < 2:
        tried = ", ".join(str(each.workers) for each, _ in found) or "none"
        return inconclusive(f"two numbers of worker processes are asked; tried: {tried}")
    least = float(evidence.parameters["scaling_efficiency_min"])
    full = float(evidence.parameters["cpu_full_share"])
    base, (_, of_base) = found[0]
    rows: list[dict[str, Any]] = []
    told, outcomes = [], set()
    for each, (seen, carried) in found:
        more = each.workers / base.workers
        lower, upper = (1.0, 1.0) if each is base else _ratio(carried, of_base, more)
        machine = usage_of_machine(seen.used) if seen else None
        rows.append(
            {
                "workers": each.workers,
                "carried_lower_per_s": carried[0],
                "carried_upper_per_s": carried[1],
                "efficiency_lower": lower,
                "efficiency_upper": upper,
                "machine_share": machine,
            }
        )
        told.append(f"{each.workers} carry {_span(*carried)}/s")
        if each is base:
            continue
        told[-1] += f", efficiency {_span(lower, upper)}"
        if lower is not None and lower >= least:
            outcomes.add("grows")
        elif upper is not None and upper < least:
            outcomes.add(_FULL if machine is not None and machine > full else "falls short")
        else:
            outcomes.add("open")
    reason = f"worker processes: {'; '.join(told)}; {least:g} is asked"
    figures: dict[str, Any] = {"minimum": least, "by_workers": rows}
    if outcomes == {"grows"}:
        return passed(reason, **figures)
    if "falls short" in outcomes:
        witnesses = [seen.witness() for _, (seen, _) in found if seen]
        return failed(reason, witnesses, **figures)
    return inconclusive(f"{reason}: {_FULL}" if _FULL in outcomes else reason, **figures)


def _throughput(searched: Searched) -> tuple[Seen | None, _Range]:
    """What was completed a second: of the last step that was offered too much, from both sides; of
    others it is only known that so much is carried."""
    useful = [s for s in searched.steps if s.outcome is not StepOutcome.GENERATOR]
    saturated = [s for s in useful if s.judged.saturated and s.step.clean]
    if not useful:
        return None, (None, None)
    best = (saturated or useful)[-1]
    lower, upper = (best.judged.figures.get(f"achieved_{side}_per_s") for side in _SIDES)
    return best, (lower, upper if saturated else None)


_SIDES: Final = ("lower", "upper")


def _ratio(one: _Range, base: _Range, more: float) -> _Range:
    """The least and the greatest efficiency that two throughputs allow."""
    lower = one[0] / base[1] / more if one[0] and base[1] else None
    upper = one[1] / base[0] / more if one[1] and base[0] else None
    return (
        None if lower is None else round(lower, 4),
        None if upper is None else round(upper, 4),
    )


def _span(lower: float | None, upper: float | None) -> str:
    low = "?" if lower is None else f"{lower:.3g}"
    return f"{low} to {'?' if upper is None else f'{upper:.3g}'}"
