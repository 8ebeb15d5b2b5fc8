"""A load trial as one observation: the figures of its run, and what makes it comparable.

The only place that knows how figures come from raw samples. Latencies count from the intended
time, and what was never answered took for ever; the warm-up is cut from them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from harness.catalogue import load_catalogue
from harness.checks.slo.load import (
    BESIDE_A_FLOOD,
    NEVER,
    RUNS,
    STARTS,
    Load,
    Unfit,
    complete,
    punctual,
)
from harness.checks.slo.telling import ordered
from harness.errors import UsageError
from harness.journal.manifest import WHY_ENDED
from harness.journal.read import Journal, read_trial
from harness.journal.records import LoadRun
from harness.load.samples import SampleOutcome
from harness.load.whole import WholeRun, sessions, whole_run
from harness.statistics import percentile_rank

ARM: Final = "load"
JUDGED: Final = ("start_p50_ms", "start_p95_ms", "completion_p95_ms", "ok_share", "ok_per_s")
"""What is compared unless other figures are asked for, as far as the workload has them; besides,
the p95 of each operation that starts nothing."""

_SHARES: Final = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A load trial.

    `plan` is what must be the same in all runs that are compared, `seed` that of its arrivals,
    `machine` where it ran. `unfit` says why it is left out; `gone` that its platform went away.
    """

    folder: Path
    trial: str
    started_wall_ns: int
    plan: Mapping[str, Any]
    seed: int
    machine: Mapping[str, str]
    figures: Mapping[str, float]
    unfit: str = ""
    gone: bool = False


def read_run(folder: Path) -> Run:
    """The run of a sealed load trial.

    Raises `UsageError` for a trial of another arm, for one that is not one planned load run, and an
    `EvidenceError` for a folder that cannot be trusted.
    """
    journal = read_trial(folder)
    manifest = journal.manifest
    if manifest.arm != ARM:
        raise UsageError(
            f"{folder}: a trial of harness {manifest.arm}; trials of harness load are compared"
        )
    found = sessions(journal.of(LoadRun))
    if not found:
        return _run(folder, journal, None)
    if len(found) > 1:
        raise UsageError(
            f"{folder}: {len(found)} load runs in one trial; one run a trial is compared"
        )
    whole = whole_run(found[0], lambda part: journal.raw(part.samples, part.sha256))
    if whole.run.mode != "planned":
        raise UsageError(
            f"{folder}: its load was {whole.run.mode}; planned runs are compared "
            "(harness load, or HARNESS_LOAD_RATE and HARNESS_LOAD_DURATION_S)"
        )
    return _run(folder, journal, whole)


def figures_of(whole: WholeRun) -> dict[str, float]:
    """The figures of a run by name, units at the ends of the names; infinite for "never"."""
    load, origin = _load(whole), whole.samples.origin
    kinds = dict(zip(origin.operations, origin.kinds, strict=True))
    figures = _percentiles("start", load, "answered_ns", STARTS)
    figures |= _percentiles("completion", load, "completed_ns", RUNS)
    for name, kind in kinds.items():
        if kind not in STARTS:
            figures |= _percentiles(name, load, "answered_ns", (name,))
    ok, ended = load.ended(SampleOutcome.OK), load.column("completed_ns")
    begin_ns, end_ns = (
        origin.begin_ns + round(moment_s * 1e9)
        for moment_s in (whole.run.warmup_s, whole.run.duration_s)
    )
    in_plan = int((ok & (ended >= begin_ns) & (ended < end_ns)).sum())
    figures["ok_share"] = float(ok.mean())
    figures["ok_per_s"] = in_plan / (whole.run.duration_s - whole.run.warmup_s)
    return figures


def judged_figures(figures: Collection[str]) -> tuple[str, ...]:
    """Which of a run's figures are judged where none are asked for."""
    known = {f"{part}_{name}" for part in ("start", "completion") for name in _SHARES}
    others = [name for name in figures if name.endswith("_p95_ms") and name not in known]
    return tuple(name for name in (*JUDGED, *others) if name in figures)


def require_comparable(sides: Sequence[Sequence[Run]]) -> None:
    """Raises `UsageError`, naming what differs, for runs that are not of one plan."""
    runs = [run for side in sides for run in side]
    for each in runs:
        twice = [run.folder for run in runs if run.trial == each.trial]
        if len(twice) > 1:
            raise UsageError(
                f"{twice[0]} and {twice[1]}: the same trial twice ({each.trial}); "
                "a run is one observation"
            )
    planned = [run for run in runs if run.plan]
    for each in planned[1:]:
        if differing := _differing(planned[0].plan, each.plan):
            raise UsageError(
                f"{planned[0].folder} and {each.folder} are not comparable: {'; '.join(differing)}"
            )
    _require_seeds([[run.seed for run in side if run.plan] for side in sides])


def _require_seeds(sides: Sequence[Sequence[int]]) -> None:
    """Raises `UsageError` where the plans of one side differ from those of the other by design."""
    seeds = [seed for side in sides for seed in side]
    if len({frozenset(side) for side in sides if side}) > 1 and len({*seeds}) < len(seeds):
        raise UsageError(
            f"the plans have other seeds on either side ({'; '.join(map(_listed, sides))}): "
            "give both sides the same ones, or each run one of its own"
        )


def _run(folder: Path, journal: Journal, whole: WholeRun | None) -> Run:
    manifest = journal.manifest
    gone = manifest.environment.get(WHY_ENDED, "")
    unfit = _unfit(journal, whole)
    fits = whole is not None and not unfit
    return Run(
        folder=folder,
        trial=manifest.trial_id,
        started_wall_ns=manifest.started_wall_ns,
        plan=_plan(whole) if whole else {},
        seed=whole.run.seed if whole else 0,
        machine={name: manifest.environment.get(name, "") for name in ("system", "cores")},
        figures=figures_of(whole) if whole and fits else {},
        unfit=unfit,
        gone=bool(gone),
    )


def _unfit(journal: Journal, whole: WholeRun | None) -> str:
    """Why a run is no observation; nothing if it is one."""
    manifest = journal.manifest
    if not journal.complete:
        why = manifest.environment.get(WHY_ENDED, "")
        return f"it was {manifest.ended}" + (f": {why}" if why else "")
    if whole is None:
        return "it has no load run"
    if whole.run.workload == BESIDE_A_FLOOD:
        return "another tenant flooded beside it"
    if whole.lost:
        return f"{len(whole.lost)} of {whole.run.parts} processes of its generator were lost"
    try:
        complete(whole)
        punctual(_load(whole), {**load_catalogue().defaults, **manifest.parameters})
    except Unfit as reason:
        return str(reason)
    return ""


def _load(whole: WholeRun) -> Load:
    return Load(run=whole.run, samples=whole.samples, figures={})


def _plan(whole: WholeRun) -> dict[str, Any]:
    """What decides of arrivals and measurement, by words that a message can use."""
    run, origin = whole.run, whole.samples.origin
    told = {
        name: value
        for name, value in origin.settings.items()
        if name not in ("address", "seed", "rate_per_s", "duration_s", "warmup_s", "shape")
    }
    return {
        "workload": run.workload,
        "shape": run.shape,
        "rate_per_s": run.rate_per_s,
        "duration_s": run.duration_s,
        "warmup_s": run.warmup_s,
        "horizon_s": origin.horizon_s,
        "operations": dict(zip(origin.operations, origin.kinds, strict=True)),
        "tenants": list(origin.tenants),
        "processes": run.parts,
        **told,
    }


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    names = [*one, *(name for name in other if name not in one)]
    return [
        f"{name} {one.get(name)} and {other.get(name)}"
        for name in names
        if one.get(name) != other.get(name)
    ]


def _percentiles(
    what: str, load: Load, column: str, operations: Collection[str]
) -> dict[str, float]:
    """Percentiles from the intended time to the moment in a column, after the warm-up, ms.

    Of operations of these kinds or names; nothing where there is none.
    """
    chosen = replace(load, samples=load.samples.of(operations))
    took = ordered(chosen.latencies(column)[chosen.after_warmup])
    if not len(took):
        return {}
    ranked = {name: took[percentile_rank(len(took), share) - 1] for name, share in _SHARES.items()}
    return {
        f"{what}_{name}": math.inf if value == NEVER else float(value) / 1e6
        for name, value in ranked.items()
    }


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds[:5])) + (" ..." if len(seeds) > 5 else "")
