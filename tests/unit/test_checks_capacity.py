"""CAP-1 and DUR-10 on hand-made steps: every way to hold, to fail, and to be left open."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.checks.capacity.bound import Usage, bound_of, usage
from harness.checks.capacity.knee import StepOutcome
from harness.checks.capacity.scaling import throughput_grows
from harness.checks.capacity.searched import vote
from harness.checks.capacity.steps import Judged, judge_step
from harness.checks.capacity.volume import volume_is_carried
from harness.checks.check import Evidence, Finding
from harness.journal.read import from_records, hand_made_manifest
from harness.journal.records import (
    CPU_S,
    MACHINE,
    MACHINE_IDLE,
    Gauge,
    LoadRun,
    Record,
    Search,
    Step,
)
from harness.load.engine import Sample
from harness.load.samples import CAPACITY, HORIZON, INTERRUPTED, SampleOutcome, encode
from harness.outcome import Outcome
from tests.unit.load_trials import BEGIN_NS, MS, load_run, origin

S = 1_000_000_000
SETTLES_S = 5.0
LASTS_S = 45.0
PARAMETERS: dict[str, Any] = {
    "confidence": 0.95,
    "start_p95_limit_ms": 100.0,
    "workflow_start_sli": "user_perceived",
    "completion_min": 0.999,
    "business_failure_types": [],
    "horizon_s": 60.0,
    "peak_factor": 10.0,
    "workflows_per_day": 10_000,
    "workflows_per_day_later": 100_000,
    "scaling_efficiency_min": 0.7,
    "cpu_full_share": 0.9,
}
KINDS = frozenset({Step, Search, LoadRun, Gauge})
Edit = Callable[[Sample, float], None]


def nothing(_: Sample, __: float) -> None:
    """As it was."""


def arrivals(
    rate: float, start_ms: float = 10, end_ms: float = 300, edit: Edit = nothing
) -> list[Sample]:
    rows = []
    for index in range(round(rate * LASTS_S)):
        at_s = index / rate
        intended = BEGIN_NS + round(at_s * S)
        row = Sample(
            index=index,
            tenant=0,
            intended_ns=intended,
            sent_ns=intended + MS,
            first_attempt_ns=intended + round(start_ms * MS),
            answered_ns=intended + round(start_ms * MS),
            completed_ns=intended + round(end_ms * MS),
            attempts=1,
            outcome=SampleOutcome.OK,
        )
        edit(row, at_s)
        rows.append(row)
    return rows


class Trial:
    """Steps, made one by one."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.files: dict[str, bytes] = {}

    def run(self, rows: Sequence[Sample], rate: float, **fields: Any) -> LoadRun:
        number = len(self.files) + 1
        raw = encode(origin(), rows)
        path = f"samples/load-{number}.bin"
        self.files[path] = raw
        run = load_run(
            len(rows),
            session=number,
            samples=path,
            sha256=hashlib.sha256(raw).hexdigest(),
            **{
                "rate_per_s": rate,
                "duration_s": LASTS_S,
                "warmup_s": SETTLES_S,
                **fields,
            },
        )
        self.records.append(run)
        return run

    def step(
        self, rate: float, *, good: bool = True, workers: int = 1, times: int = 1, **more: Any
    ) -> Trial:
        for _ in range(times):
            rows = more.get("rows") or arrivals(rate, 10 if good else 400)
            run = self.run(rows, rate, **more.get("run", {}))
            self.records.append(
                Step(
                    at_ns=run.session,
                    wall_ns=1,
                    session=run.session,
                    rate_per_s=rate,
                    workers=workers,
                    purpose="search",
                    outcome="held" if good else "failed",
                    reason="",
                    clean=more.get("clean", True),
                )
            )
        return self

    def gauges(self, **cores: float) -> Trial:
        for second in range(-2, round(LASTS_S) + 3):
            for role, share in cores.items():
                self.records.append(
                    Gauge(
                        at_ns=BEGIN_NS + second * S,
                        wall_ns=1,
                        name=CPU_S,
                        value=100 + share * second,
                        detail=role.replace("_", " "),
                    )
                )
        return self

    def evidence(self, **parameters: Any) -> Evidence:
        journal = from_records(self.records, manifest=hand_made_manifest(), histories=self.files)
        return Evidence(journal, KINDS, {**PARAMETERS, **parameters})

    def judged(self, **parameters: Any) -> Finding:
        return volume_is_carried(self.evidence(**parameters))


def step_of(rows: Sequence[Sample], rate: float = 10.0, **fields: Any) -> Judged:
    trial = Trial()
    run = trial.run(rows, rate, **fields)
    return judge_step([run], lambda each: trial.files[each.samples], PARAMETERS)


# --- a step


def test_a_step_that_keeps_all_holds() -> None:
    judged = step_of(arrivals(10))
    assert judged.outcome is StepOutcome.HELD
    assert judged.figures["offered_per_s"] == judged.figures["achieved_per_s"] == 10.0
    assert judged.figures["backlog_slope_per_s"] == 0


@pytest.mark.parametrize(
    ("start_ms", "outcome"), [(100.0, StepOutcome.HELD), (100.1, StepOutcome.FAILED)]
)
def test_at_the_limit_it_holds_and_beyond_it_fails(start_ms: float, outcome: StepOutcome) -> None:
    assert step_of(arrivals(10, start_ms)).outcome is outcome


def test_a_p95_whose_bound_is_beyond_the_limit_decides_nothing() -> None:
    def slow(row: Sample, _: float) -> None:
        if row.index % 22 == 0:  # 4.5 %
            row.answered_ns = row.intended_ns + 200 * MS

    judged = step_of(arrivals(10, edit=slow))
    assert judged.outcome is StepOutcome.UNDECIDED
    assert judged.figures["p95_ms"] == 10


def test_too_few_samples_decide_nothing() -> None:
    assert step_of(arrivals(1)).outcome is StepOutcome.UNDECIDED


def test_completions_that_are_proven_too_low_fail_it() -> None:
    def lost(row: Sample, _: float) -> None:
        if row.index % 10 == 0:
            row.completed_ns, row.outcome, row.cause = 0, SampleOutcome.FAIL, "failure:Lost"

    judged = step_of(arrivals(10, edit=lost))
    assert judged.outcome is StepOutcome.FAILED
    assert "sagas completed" in judged.reason


def test_one_that_is_lost_of_400_is_not_held_against_it() -> None:
    def lost(row: Sample, _: float) -> None:
        if row.index == 200:
            row.completed_ns, row.outcome, row.cause = 0, SampleOutcome.FAIL, "failure:Lost"

    assert step_of(arrivals(10, edit=lost)).outcome is StepOutcome.HELD


def test_less_than_99_of_100_that_end_well_do_not_hold() -> None:
    def business(row: Sample, _: float) -> None:
        if row.index % 50 == 0:
            row.completed_ns, row.outcome, row.cause = 0, SampleOutcome.FAIL, "failure:Declined"

    trial = Trial()
    run = trial.run(arrivals(10, edit=business), 10.0)
    parameters = {**PARAMETERS, "business_failure_types": ["Declined"]}
    judged = judge_step([run], lambda each: trial.files[each.samples], parameters)
    assert judged.outcome is StepOutcome.UNDECIDED
    assert "ended well" in judged.reason


def growing(by: float) -> Edit:
    """Completions that fall behind: `by` of the rate."""

    def edit(row: Sample, at_s: float) -> None:
        row.completed_ns = row.intended_ns + 300 * MS + round(by / (1 - by) * at_s * S)

    return edit


@pytest.mark.parametrize(
    ("by", "outcome"),
    [(0.0, StepOutcome.HELD), (0.005, StepOutcome.HELD), (0.1, StepOutcome.FAILED)],
)
def test_a_backlog_that_grows_fails_it_though_starts_are_fast(
    by: float, outcome: StepOutcome
) -> None:
    judged = step_of(arrivals(10, edit=growing(by)))
    assert judged.outcome is outcome, judged.reason


def test_a_backlog_that_may_grow_decides_nothing() -> None:
    def uneven(row: Sample, at_s: float) -> None:
        row.completed_ns = row.intended_ns + round((0.3 + 6 * (int(at_s / 7) % 2)) * S)

    judged = step_of(arrivals(10, edit=uneven))
    assert judged.outcome is StepOutcome.UNDECIDED
    assert "it may grow" in judged.reason


def test_what_is_never_seen_to_end_is_backlog_and_left_open() -> None:
    def open_for_ever(row: Sample, at_s: float) -> None:
        if at_s > 10 and row.index % 2:
            row.completed_ns, row.outcome, row.cause = 0, SampleOutcome.INFO, HORIZON

    judged = step_of(arrivals(10, edit=open_for_ever))
    assert judged.outcome is StepOutcome.FAILED
    assert "grows" in judged.reason
    assert judged.left_open > 100


def test_arrivals_that_were_not_sent_for_the_backlog_fail_it() -> None:
    def unsent(row: Sample, _: float) -> None:
        if row.index == 300:
            row.sent_ns = row.answered_ns = row.first_attempt_ns = row.completed_ns = 0
            row.outcome, row.cause = SampleOutcome.NOT_SENT, CAPACITY

    judged = step_of(arrivals(10, edit=unsent))
    assert judged.outcome is StepOutcome.FAILED
    assert "not sent" in judged.reason


def test_one_that_was_cut_short_decides_nothing() -> None:
    def cut(row: Sample, at_s: float) -> None:
        if at_s > 40:
            row.sent_ns = row.answered_ns = row.first_attempt_ns = row.completed_ns = 0
            row.outcome, row.cause = SampleOutcome.NOT_SENT, INTERRUPTED

    judged = step_of(arrivals(10, edit=cut))
    assert (judged.outcome, judged.reason) == (StepOutcome.UNDECIDED, "it was cut short")


def test_a_generator_that_is_late_says_nothing_of_the_platform() -> None:
    def late(row: Sample, _: float) -> None:
        row.sent_ns = row.intended_ns + 50 * MS
        row.answered_ns = row.intended_ns + 400 * MS

    judged = step_of(arrivals(10, edit=late))
    assert judged.outcome is StepOutcome.GENERATOR
    assert "late" in judged.reason


@pytest.mark.parametrize("broken", [{"cpu_share": 0.95}, {"stall_p99_ns": 50 * MS}])
def test_a_generator_out_of_cpu_or_stalled_says_nothing(broken: dict[str, Any]) -> None:
    assert step_of(arrivals(10, 400), **broken).outcome is StepOutcome.GENERATOR


def test_samples_that_are_not_all_there_decide_nothing() -> None:
    assert step_of(arrivals(10), planned=1000).outcome is StepOutcome.UNDECIDED


def test_a_failure_on_what_another_step_left_decides_nothing() -> None:
    failed = Judged(outcome=StepOutcome.FAILED, reason="", figures={})
    held = Judged(outcome=StepOutcome.HELD, reason="", figures={})
    assert vote(failed, clean=False) is StepOutcome.UNDECIDED
    assert vote(failed, clean=True) is StepOutcome.FAILED
    assert vote(held, clean=False) is StepOutcome.HELD


# --- CAP-1


def test_a_volume_below_the_rate_that_held_is_carried() -> None:
    found = Trial().step(4, times=2).step(8, good=False, times=2).judged()
    assert found.outcome is Outcome.PASS, found.reason
    assert found.figures["headroom"] == pytest.approx(4 / 1.157, abs=0.01)
    assert found.figures["held_per_s"] == 4
    assert found.figures["failed_per_s"] == 8
    assert found.figures["later_peak_carried"] == "is not carried"
    assert found.figures["burst_carried"] == "is carried"
    assert "[4, 8]/s" in found.reason


def test_a_volume_beyond_the_rate_that_failed_is_not() -> None:
    found = Trial().step(4, times=2).step(8, good=False, times=2).judged(workflows_per_day=80_000)
    assert found.outcome is Outcome.FAIL
    assert len(found.witnesses) == 2


def test_one_that_lies_in_between_is_not_decided() -> None:
    found = Trial().step(4, times=2).step(8, good=False, times=2).judged(workflows_per_day=50_000)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "in between" in found.reason


@pytest.mark.parametrize(("volume", "rate"), [(10_000, 4), (80_000, 8)])
def test_an_edge_of_one_step_decides_nothing(volume: int, rate: int) -> None:
    found = Trial().step(4).step(8, good=False).judged(workflows_per_day=volume)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert f"{rate}/s" in found.reason
    assert "one step alone" in found.reason
    assert "interrupted" in found.reason


def test_two_steps_agree_though_they_were_of_different_rates() -> None:
    both_failed = Trial().step(8, good=False).step(4, good=False)
    assert both_failed.judged(workflows_per_day=80_000).outcome is Outcome.FAIL
    assert both_failed.judged(workflows_per_day=50_000).outcome is Outcome.INCONCLUSIVE
    both_held = Trial().step(2).step(4)
    assert both_held.judged().outcome is Outcome.PASS
    assert both_held.judged(workflows_per_day=20_000).outcome is Outcome.INCONCLUSIVE


def test_what_a_record_says_of_a_step_is_not_believed() -> None:
    trial = Trial().step(4, good=False, times=2)
    told = [
        Step(**{f: getattr(r, f) for f in r.__struct_fields__} | {"outcome": "held"})
        if isinstance(r, Step)
        else r
        for r in trial.records
    ]
    trial.records = told
    found = trial.judged(workflows_per_day=80_000)
    assert found.outcome is Outcome.FAIL
    assert found.figures["judged_anew"] == 2


def test_where_only_the_generator_did_not_keep_up_nothing_is_said() -> None:
    trial = Trial().step(1.5, times=2).step(3, times=2, run={"cpu_share": 0.99})
    found = trial.judged(workflows_per_day=80_000)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "generator did not keep up with 3/s" in found.reason
    assert found.figures["full_first"].startswith("generator")


def test_steps_without_samples_say_nothing() -> None:
    trial = Trial().step(4, times=2)
    trial.records = [r for r in trial.records if isinstance(r, Step)]
    assert trial.judged().outcome is Outcome.INCONCLUSIVE


# --- what was full first


@pytest.mark.parametrize(
    ("used", "late", "what"),
    [
        (Usage({"engine": 1.0, "worker": 0.7}, 0.96), True, "the whole machine's CPU"),
        (Usage({"engine": 0.3, "worker": 0.95}, 0.6), False, "worker"),
        (Usage({"engine": 0.3, "worker": 0.3}, 0.4), True, "engine"),
        (Usage({"engine": 0.3, "worker": 0.3}, 0.4), False, "not known"),
        (Usage({}, 0.1), False, "not known"),
        (Usage({}, None), False, "not known"),
    ],
)
def test_what_is_full_is_told_by_whose_cpu_is_used_up(used: Usage, late: bool, what: str) -> None:
    assert bound_of(used, 1, 0.9, starts_late=late).what == what


def test_a_machine_that_others_have_filled_is_said_to_be() -> None:
    ours = bound_of(Usage({"engine": 1.2, "worker": 0.6}, 0.96, 1.9), 1, 0.9, starts_late=True)
    theirs = bound_of(Usage({"engine": 0.5, "worker": 0.2}, 0.96, 1.9), 1, 0.9, starts_late=True)
    assert ours.what == theirs.what == "the whole machine's CPU"
    assert (ours.foreign, theirs.foreign) == (False, True)
    assert "others" not in ours.shown_by
    assert "others than the platform took 1.20 of the 1.90 busy cores" in theirs.shown_by


def test_several_worker_processes_have_a_core_each() -> None:
    used = Usage({"worker": 0.95}, 0.6)
    assert bound_of(used, 2, 0.9, starts_late=False).what == "not known"


def test_usage_is_of_the_measured_time_and_of_those_seen_throughout() -> None:
    trial = Trial().gauges(engine=0.5, machine=1.5, machine_idle=0.5)
    gauges = [r for r in trial.records if isinstance(r, Gauge)]
    assert {g.detail for g in gauges} == {"engine", MACHINE, MACHINE_IDLE}
    begin, end = BEGIN_NS + 5 * S, BEGIN_NS + 45 * S
    found = usage(gauges, begin, end)
    assert found.cores == {"engine": pytest.approx(0.5)}
    assert found.machine == pytest.approx(0.75)
    early = [g for g in gauges if g.at_ns < BEGIN_NS + 20 * S]
    assert usage(early, begin, end) == Usage({}, None)


def test_what_was_full_is_said_of_the_lowest_rate_that_failed() -> None:
    trial = Trial().step(4, times=2).step(8, good=False, times=2)
    trial.gauges(engine=0.4, worker=0.97, machine=1.4, machine_idle=0.6)
    assert trial.judged().figures["full_first"].startswith("worker: ")


@pytest.mark.parametrize(("engine", "outcome"), [(0.5, Outcome.INCONCLUSIVE), (1.8, Outcome.FAIL)])
def test_what_fails_on_a_machine_that_others_have_filled_is_not_held_against_it(
    engine: float, outcome: Outcome
) -> None:
    trial = Trial().step(8, good=False, times=2)
    trial.gauges(engine=engine, machine=1.95, machine_idle=0.05)
    assert trial.judged(workflows_per_day=80_000).outcome is outcome
    assert trial.judged(workflows_per_day=80_000, cpu_full_share=1.0).outcome is Outcome.FAIL


# --- DUR-10


def unsteadily(by: float) -> Edit:
    """Falling behind, and now faster, now slower."""
    fall = growing(by)

    def edit(row: Sample, at_s: float) -> None:
        fall(row, at_s)
        row.completed_ns += round(math.sin(row.completed_ns / 1.3e9) * 0.4 * S)

    return edit


def scaled(one: float, two: float, offered: float = 30.0, **gauges: float) -> Finding:
    """One worker process carries so much of what is offered, two carry that much."""
    trial = Trial()
    for workers, carried in ((1, one), (2, two)):
        edit = unsteadily(1 - carried / offered) if carried < offered else nothing
        trial.step(offered, workers=workers, rows=arrivals(offered, edit=edit))
    return throughput_grows(trial.gauges(**gauges).evidence())


def test_throughput_that_nearly_doubles_passes() -> None:
    found = scaled(10, 19)
    assert found.outcome is Outcome.PASS, found.reason
    assert found.figures["by_workers"][1]["efficiency_lower"] == pytest.approx(0.95, abs=0.05)


def test_throughput_that_stays_fails() -> None:
    found = scaled(10, 11)
    assert found.outcome is Outcome.FAIL, found.reason
    assert len(found.witnesses) == 2


def test_throughput_that_stays_on_a_full_machine_proves_nothing() -> None:
    found = scaled(10, 11, engine=1.0, machine=1.95, machine_idle=0.05)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "CPU was used up" in found.reason


def test_a_speed_up_around_the_least_is_not_decided() -> None:
    assert scaled(10, 14).outcome is Outcome.INCONCLUSIVE


def test_what_carried_all_it_was_offered_may_carry_more() -> None:
    found = scaled(10, 12, offered=12)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.figures["by_workers"][1]["carried_upper_per_s"] is None


def test_a_generator_that_did_not_keep_up_shows_no_scaling() -> None:
    trial = Trial().step(30, workers=1, rows=arrivals(30, edit=growing(0.6)))
    trial.step(30, workers=2, rows=arrivals(30, edit=growing(0.6)), run={"cpu_share": 0.99})
    assert throughput_grows(trial.evidence()).outcome is Outcome.INCONCLUSIVE


def test_one_number_of_workers_shows_no_scaling() -> None:
    found = throughput_grows(Trial().step(10, times=2).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "two numbers" in found.reason
