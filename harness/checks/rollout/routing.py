"""ROL-2 to 4: where new runs go when a version is promoted, ramped and rolled back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.rollout.story import Rolled, Story, story
from harness.statistics import at_least, at_most, lower_share, upper_share

NOT_NEW: Final = "new run not on the new version"
SHARE: Final = "share of the ramp"
NOT_BACK: Final = "new run not on the version rolled back to"
STRANDED: Final = "run of the withdrawn version did not end"
FAILED: Final = "run failed"
LEAST: Final = 5
LEAST_IN_FLIGHT: Final = 2
POWER: Final = 0.9
_NS: Final = 1_000_000_000
_MS: Final = 1_000_000


def _spread_ns(evidence: Evidence) -> int:
    return int(float(evidence.parameters.get("version_spread_s", 1.0)) * _NS)


def new_runs_use_the_new_version(evidence: Evidence) -> Finding:
    """ADR, Rollout: "New workflow executions use new version".

    Every run that is started later than `version_spread_s` after a version was made the current
    one, and before the routing changes again, begins on that version. Where those began that were
    started sooner is shown.
    """
    told = story(evidence)
    phases = ("promote", "settle")
    judged = told.landing(told.new, _spread_ns(evidence), *phases)
    early = [run for run in told.landing(told.new, 0, *phases) if run not in judged]
    return conclude(
        [NOT_NEW],
        _elsewhere(told, judged, told.new, NOT_NEW),
        [told.lacks, _few(judged), _unbegun(told, judged)],
        f"all {len(judged)} runs that were started after {told.new} was promoted began on it",
        {
            "new": told.new,
            "judged_starts": len(judged),
            "starts_while_it_spread": len(early),
            "of_these_on_the_old_version": sum(run.landed_on == told.old for run in early),
            "time_line": _time_line(told, [*early, *judged]),
        },
    )


def rollback_reverts(evidence: Evidence) -> Finding:
    """ADR, Rollout: "revert to previous workflow version for new executions".

    The previous version is made the current one again. Later than `version_spread_s` after that,
    every new run begins on it; what was in flight on the withdrawn version goes on to its end; and
    no run fails, is terminated or times out for it.
    """
    told = story(evidence)
    back = told.landing(told.old, _spread_ns(evidence), "rollback")
    flying = told.of("flying")
    went_on = [run for run in flying if run.goes_on and run.landed_on == told.new]
    broken = [
        *_elsewhere(told, back, told.old, NOT_BACK),
        *(
            Broken(STRANDED, f"{run.workflow_id} on {run.landed_on}: still open", run.path)
            for run in flying
            if run.told_ns and not run.status and not told.starved
        ),
        *(
            Broken(FAILED, f"{run.workflow_id}: {run.status}", run.path)
            for run in (*flying, *told.of("rollback", "rollback-early"))
            if run.status not in _legal(run)
        ),
    ]
    return conclude(
        (NOT_BACK, STRANDED, FAILED),
        broken,
        [
            told.lacks,
            "" if told.step("set-current", "rollback") else "nothing was rolled back",
            _few(back),
            _unbegun(told, back),
            told.starved if any(run.told_ns and not run.status for run in flying) else "",
            ""
            if broken or len(went_on) >= LEAST_IN_FLIGHT
            else f"{len(went_on)} runs were in flight on {told.new} and went on",
        ],
        f"all {len(back)} runs started after the rollback began on {told.old}, and "
        f"{len(went_on)} in flight on {told.new} went on to their ends",
        {
            "rolled_back_to": told.old,
            "judged_starts": len(back),
            "in_flight": len(flying),
            "in_flight_went_on": len(went_on),
            "time_line": _time_line(told, told.of("rollback-early", "rollback")),
        },
    )


def _legal(run: Rolled) -> tuple[str, ...]:
    """How a run may end; the one whose step is refused by its service fails, and is undone."""
    undone = run.workflow_id.endswith("-undone")
    return ("FAILED", "") if undone else ("COMPLETED", "")


def ramp_keeps_its_share(evidence: Evidence) -> Finding:
    """ADR, Rollout: "Gradual migration: route new workflows to new version".

    While a version ramps with a declared share, new runs land on it as often as an exact two-sided
    binomial test allows at `ramp_significance`, which is the risk of a false alarm. The figures say
    which true shares would have been noticed with a power of 0.9: where that is farther from the
    declared share than `ramp_resolution`, there were too few starts.
    """
    told = story(evidence)
    step = told.step("set-ramp")
    share = float(step.args["percent"]) / 100 if step else 0.0
    begins_ns = step.at_ns + _spread_ns(evidence) if step else 0
    runs = [run for run in told.of("ramp") if run.start.invoked_ns >= begins_ns and run.landed_on]
    landed = Counter(run.landed_on for run in runs)
    lacks = [told.lacks, "" if step else "no version was ramped"]
    if not step or not runs:
        return conclude([SHARE], [], [*lacks, "no run was started in a ramp"], "", {})
    n, k = len(runs), landed[told.new]
    test = binomial_test(n, k, share, evidence.parameters)
    strangers = {build for build in landed if build not in (told.old, told.new)}
    broken = []
    if test["p_value"] < test["significance"] or strangers:
        seen = ", ".join(f"{count} on {build}" for build, count in sorted(landed.items()))
        text = f"{k} of {n} runs landed on {told.new}, its share is {share:.0%} ({seen})"
        broken.append(Broken(SHARE, f"{text}; p = {test['p_value']:.3g}"))
    coarse = test["noticed_beyond"] > float(evidence.parameters.get("ramp_resolution", 0.25))
    if coarse:
        lacks.append(f"{n} starts notice only a share that is {test['noticed_beyond']:.2f} off")
    return conclude(
        [SHARE],
        broken,
        lacks,
        f"{k} of {n} runs landed on {told.new}, which ramps with {share:.0%}: "
        f"p = {test['p_value']:.3g}; a share {test['noticed_beyond']:.2f} off would have been "
        "noticed",
        test,
    )


def binomial_test(n: int, k: int, share: float, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of an exact two-sided test (twice the smaller tail) of `k` in `n`."""
    significance = float(parameters.get("ramp_significance", 0.001))
    confidence = float(parameters.get("confidence", 0.95))
    outer = 1 - (1 - confidence) / 2
    p_value = min(1.0, 2 * min(at_most(k, n, share), at_least(k, n, share)))
    low, high = noticed(n, share, significance)
    return {
        "starts": n,
        "on_the_ramping_version": k,
        "declared_share": share,
        "observed_share": round(k / n, 4),
        "interval_from": round(lower_share(k, n, outer), 4),
        "interval_to": round(upper_share(k, n, outer), 4),
        "confidence": confidence,
        "p_value": p_value,
        "significance": significance,
        "noticed_at_or_below": low,
        "noticed_at_or_above": high,
        "noticed_beyond": round(max(share - low, high - share), 4),
        "power": POWER,
    }


def noticed(n: int, share: float, significance: float) -> tuple[float, float]:
    """The true shares, in hundredths, that the test of `share` notices with a power of `POWER`.

    (the largest below, the smallest above); -1 or 2 where there is none.
    """
    few = max((k for k in range(n + 1) if 2 * at_most(k, n, share) < significance), default=-1)
    many = min((k for k in range(n + 1) if 2 * at_least(k, n, share) < significance), default=n + 1)
    hundredths = [hundredth / 100 for hundredth in range(101)]
    below = [p for p in hundredths if p < share and few >= 0 and at_most(few, n, p) >= POWER]
    above = [p for p in hundredths if p > share and many <= n and at_least(many, n, p) >= POWER]
    return max(below, default=-1.0), min(above, default=2.0)


def _elsewhere(story: Story, runs: list[Rolled], build_id: str, clause: str) -> list[Broken]:
    return [
        Broken(
            clause,
            f"{run.workflow_id} began on {run.landed_on or 'no version at all'}, not {build_id}",
            run.path,
        )
        for run in runs
        if run.landed_on != build_id and not (story.starved and not run.landed_on)
    ]


def _unbegun(told: Story, runs: list[Rolled]) -> str:
    return told.starved if any(not run.landed_on for run in runs) else ""


def _few(runs: list[Rolled]) -> str:
    return (
        ""
        if len(runs) >= LEAST
        else f"{len(runs)} runs were started after the change had spread, at least {LEAST} say more"
    )


def _time_line(told: Story, runs: list[Rolled]) -> list[dict[str, Any]]:
    """Of each change of routing, how long after it runs were started and where they began."""
    changes = [op for op in told.steps if op.name == "set-current"]
    rows = []
    for run in sorted(runs, key=lambda each: each.start.invoked_ns):
        last = [op for op in changes if op.at_ns <= run.start.invoked_ns]
        if last:
            rows.append(
                {
                    "after": last[-1].args["phase"],
                    "ms": round((run.start.invoked_ns - last[-1].at_ns) / _MS, 1),
                    "began_on": run.landed_on,
                }
            )
    return rows
