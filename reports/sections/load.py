"""Load: the SLO table, what the raw samples look like, and how well the generator kept its plan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.catalogue import Catalogue
from harness.errors import EvidenceError
from harness.journal.records import LoadRun
from harness.load.whole import sessions
from harness.statistics import percentile_rank
from reports import charts
from reports.charts import Window
from reports.figures import number, quantity, span
from reports.frames import QUANTILES, LoadFrame
from reports.plot import Plot
from reports.samples import COMPLETED, READINGS, Operation, decode
from reports.sections.chaos import noise, windows
from reports.trial import Trial, number_in

_LIMIT = "start_p95_limit_ms"
_READ_LIMIT = "visibility_p95_limit_ms"
_SLI = "workflow_start_sli"
_ANSWERED = "user_perceived"
_READS = "reads"
_QUANTILES = {**QUANTILES, "p99.9": 0.999}
_READ = {
    "start_rpc_first_attempt": "start, first attempt acknowledged",
    "user_perceived": "start acknowledged, retries included",
    "first_task_completed": "first workflow task completed",
    COMPLETED: "run completed",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One meaning of the latency, with its percentiles; the judged one is marked."""

    name: str
    judged: bool
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadView:
    """One load run of one trial. `problem` says why there is nothing to draw."""

    trial: str
    workload: str
    facts: tuple[tuple[str, str], ...]
    health: tuple[tuple[str, str], ...]
    columns: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    about: str = ""
    operations: tuple[tuple[str, ...], ...] = ()
    endings: tuple[tuple[str, str, str], ...] = ()
    plots: tuple[Plot, ...] = ()
    problem: str = ""


def loads(trials: Sequence[Trial], catalogue: Catalogue) -> list[LoadView]:
    """All load runs of all trials."""
    return [
        _view(trial, parts, catalogue)
        for trial in trials
        for parts in sessions(trial.journal.of(LoadRun))
    ]


def _view(trial: Trial, parts: Sequence[LoadRun], catalogue: Catalogue) -> LoadView:
    run = parts[0]
    sli = str(trial.journal.manifest.parameters.get(_SLI, catalogue.defaults[_SLI]))
    if sli not in READINGS:
        return _bare(trial, run, problem=f"{_SLI} is declared as {sli}, which this report lacks")
    try:
        drawn = decode(parts, lambda each: trial.journal.raw(each.samples, each.sha256))
    except EvidenceError as error:
        return _bare(trial, run, problem=str(error))
    run = drawn.run
    frame = LoadFrame(
        drawn.samples,
        reading=_ANSWERED if drawn.about == _READS else sli,
        origin_ns=trial.origin_ns,
        warmup_s=run.warmup_s,
        planned_s=run.duration_s,
    )
    limit_ms = number_in(trial, catalogue, _READ_LIMIT if drawn.about == _READS else _LIMIT)
    if not frame.judged:
        return _bare(trial, run, problem="no arrival lies after the warm-up")
    return LoadView(
        trial=trial.id,
        workload=run.workload,
        facts=(*_plan(run), *_counts(frame)),
        health=_health(run),
        columns=(*_QUANTILES, "max"),
        readings=tuple(_readings(frame)),
        about=drawn.about,
        operations=tuple(map(_operation, drawn.operations)),
        endings=tuple((what, cause, number(count)) for what, cause, count in frame.endings()),
        plots=tuple(_plots(frame, limit_ms, [*windows(trial), *noise(trial)])),
    )


def _operation(operation: Operation) -> tuple[str, ...]:
    """Name, arrivals, those that did not end well, and how soon they were answered."""
    answered = operation.answered_ns
    cells = ["–"] * (len(_QUANTILES) + 1)
    if len(answered):
        ranks = [percentile_rank(len(answered), share) for share in _QUANTILES.values()]
        cells = [quantity(answered[rank - 1] / 1e6, "ms") for rank in (*ranks, len(answered))]
    return operation.name, number(operation.arrivals), number(operation.failed), *cells


def _bare(trial: Trial, run: LoadRun, *, problem: str) -> LoadView:
    return LoadView(
        trial=trial.id,
        workload=run.workload,
        facts=_plan(run),
        health=_health(run),
        problem=problem,
    )


def _plan(run: LoadRun) -> tuple[tuple[str, str], ...]:
    return (
        ("arrivals", f"{_rate(run)}, {run.mode}"),
        ("duration", f"{span(run.duration_s)}, of it {span(run.warmup_s)} warm-up"),
        ("seed", str(run.seed)),
    )


def _rate(run: LoadRun) -> str:
    """A constant rate, or the shape as it was given with the mean that was planned."""
    if run.shape == "constant":
        return f"{number(run.rate_per_s)}/s"
    base = f" over {number(run.rate_per_s)}/s" if run.shape.startswith("burst") else ""
    return f"{run.shape}{base}, {number(round(run.planned / run.duration_s, 2))}/s in the mean"


def _counts(frame: LoadFrame) -> tuple[tuple[str, str], ...]:
    return (
        ("arrivals after the warm-up", number(frame.judged)),
        ("of these never acknowledged", number(frame.unanswered)),
    )


def _readings(frame: LoadFrame) -> Iterator[Reading]:
    """The judged reading first, then the same from the sending, then all others measured."""
    yield _reading(frame, frame.reading, judged=True)
    yield _reading(frame, frame.reading, sent=True)
    for reading in READINGS:
        if reading != frame.reading and reading in frame.measured:
            yield _reading(frame, reading)


def _reading(
    frame: LoadFrame, reading: str, *, judged: bool = False, sent: bool = False
) -> Reading:
    found = frame.quantiles_ms(_QUANTILES, reading=reading, sent=sent)
    cells = tuple(_cell(value) for value in found.values())
    name = f"{_READ[reading]}{', counted from the sending' if sent else ''}"
    return Reading(name, judged, cells or ("–",) * (len(_QUANTILES) + 1))


def _cell(latency_ms: float) -> str:
    return quantity(latency_ms, "ms") if math.isfinite(latency_ms) else "for ever"


def _health(run: LoadRun) -> tuple[tuple[str, str], ...]:
    """What the generator says of itself: a late generator measures itself, not the platform."""
    return (
        ("planned", number(run.planned)),
        ("sent", number(run.sent)),
        ("not sent", number(run.not_sent)),
        ("lateness p99", quantity(run.lateness_p99_ns / 1e6, "ms")),
        ("lateness max", quantity(run.lateness_max_ns / 1e6, "ms")),
        ("stall of its loop p99", quantity(run.stall_p99_ns / 1e6, "ms")),
        ("stall of its loop max", quantity(run.stall_max_ns / 1e6, "ms")),
        ("garbage collected at most", quantity(run.gc_pause_max_ns / 1e6, "ms")),
        ("CPU of the generator", quantity(run.cpu_share, "share")),
        ("processes", str(run.parts)),
    )


def _plots(frame: LoadFrame, limit_ms: float, faults: Sequence[Window]) -> list[Plot]:
    shaded = [*_warm_up(frame), *faults]
    plots = []
    if (latency := frame.latency()).at_s:
        plots.append(charts.latency(latency, limit_ms, shaded))
    plots.append(charts.rates(frame.rates(), shaded))
    if (bins := frame.distribution()).counts:
        marks = frame.quantiles_ms(QUANTILES)
        known = {name: ms for name, ms in marks.items() if math.isfinite(ms)}
        plots.append(charts.distribution(bins, limit_ms, known))
        plots.append(charts.percentiles(frame.curve(), frame.curve(sent=True), limit_ms))
    if (lateness := frame.lateness()).at_s:
        plots.append(charts.lateness(lateness, shaded))
    return plots


def _warm_up(frame: LoadFrame) -> list[Window]:
    if frame.warm_s <= frame.begin_s:
        return []
    return [Window(frame.begin_s, frame.warm_s, "warm-up", "warm-up: not judged", "warm")]
