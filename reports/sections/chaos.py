"""Faults on a time line over what they did to the platform, and the evidence that they bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.journal.records import Block, Effect, Fault, Gauge, Operation, Record
from reports import charts
from reports.charts import Window
from reports.figures import plain, span
from reports.frames import Columns, extent, per_second
from reports.plot import Plot, clock
from reports.trial import Trial

MOST_STRIPS = 12
MOST_SERIES = 4
MOST_OPERATIONS = 3
MOST_FAULTS = 200


@dataclass(frozen=True, slots=True)
class PhaseView:
    """When a phase of a fault was, and how it is known."""

    phase: str
    at: str
    evidence: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """A fault in words; `bit` is false where nothing shows that it had any effect."""

    label: str
    id: str
    name: str
    target: str
    lasted: str
    bit: bool
    healed: bool
    phases: tuple[PhaseView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosView:
    """The time line of one trial. `left_out` counts what is in the journal and not drawn."""

    trial: str
    plots: tuple[Plot, ...]
    faults: tuple[FaultView, ...]
    left_out: tuple[str, ...]


def time_lines(trials: Sequence[Trial]) -> list[ChaosView]:
    """One for each trial that has faults or gauges."""
    return [_view(trial) for trial in trials if _has_time_line(trial)]


def _has_time_line(trial: Trial) -> bool:
    return bool(trial.journal.of(Fault)) or bool(trial.journal.of(Gauge))


def windows(trial: Trial) -> list[Window]:
    """The spans of the faults in seconds of the trial; one that never healed lasts to the end."""
    spans = []
    for index, (fault_id, phases) in enumerate(_by_fault(trial).items(), 1):
        begin = phases.get("injected") or phases.get("bit")
        if begin is None:
            continue
        healed = phases.get("healed")
        end_s = _second(trial, healed.at_ns) if healed else _end_s(trial)
        title = f"F{index} {begin.name} on {begin.target} ({fault_id})"
        spans.append(Window(_second(trial, begin.at_ns), end_s, f"F{index}", title))
    return spans


def noise(trial: Trial) -> list[Window]:
    """The blocks in which one tenant flooded, by what with, in seconds of the trial."""
    return [
        Window(
            _second(trial, block.begin_ns),
            _second(trial, block.end_ns),
            block.flood,
            f"pair {block.pair + 1}: another tenant floods with {block.flood}",
        )
        for block in trial.journal.of(Block)
        if block.noisy
    ]


def _by_fault(trial: Trial) -> dict[str, dict[str, Fault]]:
    """The first record of each phase of each fault, in the order of their beginning."""
    found: defaultdict[str, dict[str, Fault]] = defaultdict(dict)
    for record in trial.journal.of(Fault):
        found[record.fault_id].setdefault(record.phase, record)
    return dict(found)


def _second(trial: Trial, at_ns: int) -> float:
    return (at_ns - trial.origin_ns) / 1e9


def _end_s(trial: Trial) -> float:
    """The last second of anything that is drawn."""
    kinds: tuple[type[Record], ...] = (Fault, Gauge, Operation, Effect)
    last = max((found[-1].at_ns for kind in kinds if (found := trial.journal.of(kind))), default=0)
    return max(0.0, _second(trial, last))


def _view(trial: Trial) -> ChaosView:
    end_s, shaded = _end_s(trial), windows(trial)
    plots = [charts.lanes(shaded, end_s)] if shaded else []
    throughput, rarer = _throughput(trial, end_s, shaded)
    gauges, left_out = _gauges(trial, end_s, shaded)
    left_out += rarer
    faults = [_fault(trial, i, id_, f) for i, (id_, f) in enumerate(_by_fault(trial).items(), 1)]
    if len(faults) > MOST_FAULTS:
        left_out.append(f"{len(faults) - MOST_FAULTS} more faults are in the journal")
    return ChaosView(
        trial=trial.id,
        plots=(*plots, *throughput, *gauges),
        faults=tuple(faults[:MOST_FAULTS]),
        left_out=tuple(left_out),
    )


def _throughput(
    trial: Trial, end_s: float, shaded: Sequence[Window]
) -> tuple[list[Plot], list[str]]:
    """What was asked of the platform, by operation, and what reached the services."""
    named: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for operation in trial.journal.of(Operation):
        named[operation.name].append((operation.at_ns, operation.ending.value))
    frequent = sorted(named.items(), key=lambda each: -len(each[1]))
    shown = [(f"{name}, per second", events) for name, events in frequent[:MOST_OPERATIONS]]
    effects = [(e.at_ns, e.disposition.value) for e in trial.journal.of(Effect)]
    plots = []
    for title, events in (*shown, ("service requests, per second", effects)):
        if events:
            found = per_second(events, origin_ns=trial.origin_ns, duration_s=end_s)
            series = [(name, _style(i), c) for i, (name, c) in enumerate(_greatest_first(found))]
            plots.append(charts.rate_strip(title, series[:MOST_SERIES], end_s, shaded))
    rarer = ", ".join(f"{name} ({len(events)})" for name, events in frequent[MOST_OPERATIONS:])
    return plots, [f"rarer operations: {rarer}"] if rarer else []


def _greatest_first(found: dict[str, Columns]) -> list[tuple[str, Columns]]:
    return sorted(found.items(), key=lambda named: -sum(named[1].lines["rate"]))


def _style(index: int) -> str:
    return f"s{index % MOST_SERIES + 1}"


def _gauges(trial: Trial, end_s: float, shaded: Sequence[Window]) -> tuple[list[Plot], list[str]]:
    """A strip for each gauge name, a line for each of its tenants."""
    named: defaultdict[str, defaultdict[str, list[tuple[int, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for gauge in trial.journal.of(Gauge):
        series = " ".join(filter(None, (gauge.tenant, gauge.detail)))
        named[gauge.name][series].append((gauge.at_ns, gauge.value))
    plots, left_out = [], []
    for name in sorted(named)[:MOST_STRIPS]:
        found = sorted(named[name].items(), key=lambda each: -len(each[1]))
        drawn = [
            (label, _style(i), extent(points, origin_ns=trial.origin_ns, duration_s=end_s))
            for i, (label, points) in enumerate(found[:MOST_SERIES])
        ]
        plots.append(charts.strip(name, drawn, end_s, shaded))
        if len(found) > MOST_SERIES:
            left_out.append(f"{len(found) - MOST_SERIES} more series of {name}")
    if len(named) > MOST_STRIPS:
        left_out.append(f"{len(named) - MOST_STRIPS} more gauges")
    return plots, left_out


def _fault(trial: Trial, index: int, fault_id: str, phases: dict[str, Fault]) -> FaultView:
    any_phase = next(iter(phases.values()))
    begin, healed = phases.get("injected"), phases.get("healed")
    return FaultView(
        label=f"F{index}",
        id=fault_id,
        name=any_phase.name,
        target=any_phase.target,
        lasted=span((healed.at_ns - begin.at_ns) / 1e9) if begin and healed else "",
        bit="bit" in phases,
        healed=healed is not None,
        phases=tuple(_phase(trial, record) for record in phases.values()),
    )


def _phase(trial: Trial, record: Fault) -> PhaseView:
    at = clock(round(_second(trial, record.at_ns), 1))
    return PhaseView(
        record.phase, at, tuple((name, plain(value)) for name, value in record.evidence.items())
    )
