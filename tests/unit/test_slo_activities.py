"""SLO-ACT-1 on hand-made histories: what passes, what fails, and what nobody can tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from temporalio.api.common.v1 import ActivityType
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from harness.checks.check import Evidence, Finding
from harness.checks.slo import CHECKS
from harness.checks.slo.activities import activity_latency
from harness.checks.verdict import judge
from harness.contract.capabilities import unknown_to
from harness.drive.executed import Activity, activities
from harness.journal.read import from_records, hand_made_manifest
from harness.journal.records import (
    DRAWN,
    Executed,
    Gauge,
    LoadRun,
    Part,
    Record,
    Stored,
    Subject,
    now,
)
from harness.load.engine import Sample
from harness.load.samples import INTERRUPTED, Origin, SampleOutcome, encode
from harness.outcome import Outcome

MS = 1_000_000
SECOND = 1000 * MS
BEGIN_NS = 5 * SECOND  # of the client's monotonic clock
WALL_NS = 1_700_000_000 * SECOND  # what its wall clock says then
AHEAD_NS = 7 * MS  # of the engine's clock
OPERATIONS = ["noop", "noop-local", "noop-eager"]
PARAMETERS: dict[str, Any] = {
    "activity_execution_sli": "schedule_to_close",
    "activity_p95_limit_ms": 50,
    "start_p95_limit_ms": 100,
    "confidence": 0.95,
}
RUNS = 400  # a tenth of a second apart
LIMIT_MS = 50.0
Spoil = Callable[[Executed], Executed]


def sample(index: int, operation: int = 0) -> Sample:
    """Sent when it was meant, answered 2 ms later."""
    intended_ns = BEGIN_NS + index * 100 * MS
    return Sample(
        index=index, tenant=0, operation=operation, intended_ns=intended_ns, sent_ns=intended_ns,
        first_attempt_ns=intended_ns + 2 * MS, answered_ns=intended_ns + 2 * MS,
        completed_ns=intended_ns + 90 * MS, attempts=1, outcome=SampleOutcome.OK,
    )  # fmt: skip


def executed(index: int, took_ms: float = 10.0, **fields: Any) -> Executed:
    """A no-op activity of the run with this index, which waits 1 ms for the worker."""
    begun_ns = WALL_NS + index * 100 * MS + MS + AHEAD_NS
    scheduled_ns = begun_ns + 5 * MS + 1001  # the engine counts nanoseconds
    given: dict[str, Any] = {
        "tenant": "alpha", "root": f"load-t-{index}", "operation": "noop",
        "workflow_id": f"load-t-{index}", "run_id": f"r-{index}", "run_started_ns": begun_ns,
        "type": "noop", "attempt": 1, "scheduled_ns": scheduled_ns,
        "started_ns": scheduled_ns + MS, "closed_ns": scheduled_ns + round(took_ms * MS),
        "ended": "completed",
    }  # fmt: skip
    return Executed(**now(), **{**given, **fields})


def stored(index: int) -> Stored:
    return Stored(
        **now(), tenant="alpha", root=f"load-t-{index}", workflow_id=f"load-t-{index}",
        run_id=f"r-{index}", workflow_type="ReferenceNoop", status="COMPLETED", history_bytes=1,
        told_events=1, events=1, read_bytes=1, activities=1,
    )  # fmt: skip


def evidence(
    found: Sequence[Executed], samples: Sequence[Sample] | None = None, *,
    drawn: int | None = None, warmup_s: float = 0.0, **parameters: Any,
) -> Evidence:  # fmt: skip
    """A planned load of `RUNS` runs, whose histories hold these activities."""
    samples = [sample(index) for index in range(RUNS)] if samples is None else samples
    origin = Origin(
        trial_id="t", workload="noop", workflow_id_prefix="load-t", tenants=["alpha"],
        begin_ns=BEGIN_NS, begin_wall_ns=WALL_NS, horizon_s=60.0, operations=OPERATIONS,
        kinds=["RUN"] * len(OPERATIONS),
    )  # fmt: skip
    raw = encode(origin, samples)
    run = LoadRun(
        at_ns=1, wall_ns=1, workload="noop", mode="planned", rate_per_s=10.0,
        duration_s=len(samples) / 10, warmup_s=warmup_s, seed=1, planned=len(samples),
        sent=len(samples), not_sent=0, lateness_p99_ns=0, lateness_max_ns=0, cpu_share=0.1,
        samples="samples/load.bin", rows=len(samples), sha256=hashlib.sha256(raw).hexdigest(),
    )  # fmt: skip
    read = [stored(index) for index in sorted({int(e.root.split("-")[-1]) for e in found})]
    count = len(read) if drawn is None else drawn
    records: list[Record] = [run, Gauge(**now(), name=DRAWN, value=count), *read, *found]
    journal = from_records(records, manifest=hand_made_manifest(), histories={run.samples: raw})
    kinds = frozenset({LoadRun, Gauge, Stored, Executed})
    return Evidence(journal, kinds, {**PARAMETERS, **parameters})


def judged(found: Sequence[Executed], **given: Any) -> Finding:
    return activity_latency(evidence(found, **given))


def taking(*took_ms: float) -> list[Executed]:
    """An activity in each run, which take so long, again and again."""
    return [executed(index, took_ms[index % len(took_ms)]) for index in range(RUNS)]


def spoiled(share: int, spoil: Spoil) -> list[Executed]:
    """One activity in so many is spoiled."""
    return [spoil(each) if index % share == 0 else each for index, each in enumerate(taking(10.0))]


class TestLimit:
    def test_at_the_limit_it_passes(self) -> None:
        finding = judged(taking(LIMIT_MS))
        assert finding.outcome is Outcome.PASS
        assert finding.figures["p95_ms"] == LIMIT_MS
        assert finding.figures["over_limit"] == 0

    def test_a_tenth_of_a_millisecond_more_fails(self) -> None:
        finding = judged(taking(50.1))
        assert finding.outcome is Outcome.FAIL
        assert finding.figures["p95_lower_ms"] == 50.1
        assert "load-t-" in finding.witnesses[0].text
        assert "50.1 ms" in finding.witnesses[0].text

    @pytest.mark.parametrize(
        ("sli", "outcome"),
        [
            ("schedule_to_start", Outcome.PASS),
            ("start_to_close", Outcome.PASS),
            ("schedule_to_close", Outcome.FAIL),
        ],
    )
    def test_the_declared_meaning_is_judged_and_the_others_are_shown(
        self, sli: str, outcome: Outcome
    ) -> None:
        finding = judged(taking(50.9), activity_execution_sli=sli)
        assert finding.outcome is outcome, finding.reason
        assert finding.figures["sli"] == sli
        meanings = ("schedule_to_start", "start_to_close", "schedule_to_close")
        shown = {name for name in meanings if f"{name}_p95_ms" in finding.figures}
        assert shown == {*meanings} - {sli}


class TestTail:
    def test_one_in_fifty_slow_is_within_the_promise(self) -> None:
        assert judged(taking(*[10.0] * 49, 900.0)).outcome is Outcome.PASS

    def test_one_in_ten_slow_is_not(self) -> None:
        finding = judged(taking(*[10.0] * 9, 900.0))
        assert finding.outcome is Outcome.FAIL
        assert finding.figures["p50_ms"] == 10.0

    def test_one_in_twenty_slow_is_undecided(self) -> None:
        finding = judged(taking(*[10.0] * 19, 900.0))
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert finding.figures["over_limit"] == RUNS // 20

    def test_a_burst_of_slow_ones_is_not_many(self) -> None:
        """Forty slow in a row prove no more than one that was slow for four seconds."""
        found = [executed(i, 900.0 if 100 <= i < 140 else 10.0) for i in range(RUNS)]
        finding = judged(found)
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "in bursts" in finding.reason
        assert finding.figures["effective_samples"] < RUNS / 4


class TestBroken:
    @pytest.mark.parametrize(
        "fields",
        [
            {"attempt": 2},
            {"ended": "failed"},
            {"ended": "timed_out", "started_ns": 0, "attempt": 0},
            {"ended": "canceled"},
            {"ended": "", "started_ns": 0, "closed_ns": 0, "attempt": 0},
        ],
    )
    def test_what_was_tried_again_or_did_not_complete_took_for_ever(
        self, fields: dict[str, Any]
    ) -> None:
        finding = judged(spoiled(10, lambda each: msgspec.structs.replace(each, **fields)))
        assert finding.outcome is Outcome.FAIL
        assert finding.figures["unanswered"] == RUNS // 10
        assert finding.figures["retried"] + finding.figures["not_completed"] == RUNS // 10
        assert "for ever" in finding.witnesses[0].text

    def test_a_clock_that_was_put_back_tells_nothing(self) -> None:
        def back(each: Executed) -> Executed:
            return msgspec.structs.replace(each, closed_ns=each.scheduled_ns - 1)

        assert judged(spoiled(10, back)).outcome is Outcome.INCONCLUSIVE

    def test_what_a_stop_cut_off_tells_nothing(self) -> None:
        samples = [sample(index) for index in range(RUNS)]
        for each in samples[::10]:
            each.end(SampleOutcome.INFO, INTERRUPTED)
            each.outcome, each.cause, each.completed_ns = SampleOutcome.INFO, INTERRUPTED, 0
        open_ones = spoiled(
            10, lambda each: msgspec.structs.replace(each, ended="", started_ns=0, closed_ns=0)
        )
        assert judged(open_ones, samples=samples).outcome is Outcome.INCONCLUSIVE


class TestEvidence:
    def test_too_few_say_how_many_would_do(self) -> None:
        finding = judged(taking(10.0)[:40])
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert finding.figures["samples_needed"] == 59
        assert "59 samples would do" in finding.reason

    def test_where_not_all_histories_are_read_a_longer_run_does_not_help(self) -> None:
        finding = judged(taking(10.0)[:40])
        assert "only 40 histories were read" in finding.reason
        few = [sample(index) for index in range(40)]
        assert "(6 s at 10/s)" in judged(taking(10.0)[:40], samples=few).reason

    def test_a_history_that_could_not_be_read_may_be_a_slow_one(self) -> None:
        finding = judged(taking(10.0), drawn=RUNS + 1)
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "401" in finding.reason

    def test_without_activities_nothing_is_concluded(self) -> None:
        finding = judged([executed(0, operation="saga")])
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "no ordinary no-op activity" in finding.reason

    def test_other_activities_are_not_judged(self) -> None:
        others = [executed(index, 900.0, type="rms.reserve") for index in range(RUNS)]
        finding = judged([*taking(10.0), *others])
        assert (finding.outcome, finding.figures["samples"]) == (Outcome.PASS, RUNS)

    def test_the_warm_up_is_cut(self) -> None:
        found = [executed(i, 900.0 if i < 100 else 10.0) for i in range(RUNS)]
        finding = judged(found, warmup_s=10.0)
        assert (finding.outcome, finding.figures["samples"]) == (Outcome.PASS, 300)

    def test_times_in_whole_seconds_judge_no_limit_of_milliseconds(self) -> None:
        def whole(each: Executed) -> Executed:
            names = ("scheduled_ns", "started_ns", "closed_ns")
            rounded = {name: getattr(each, name) // SECOND * SECOND for name in names}
            return msgspec.structs.replace(each, **rounded)

        finding = judged([whole(each) for each in taking(10.0)])
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "whole 1000 ms" in finding.reason

    @pytest.mark.parametrize(("rounded_ns", "said"), [(MS, 1.0), (1000, 0.001), (1, 1e-6)])
    def test_the_resolution_is_shown(self, rounded_ns: int, said: float) -> None:
        def rounded(each: Executed) -> Executed:
            names = ("scheduled_ns", "started_ns", "closed_ns")
            times = {name: getattr(each, name) // rounded_ns * rounded_ns for name in names}
            return msgspec.structs.replace(each, **times)

        assert judged([rounded(e) for e in taking(10.0)]).figures["resolution_ms"] == said

    def test_the_offset_of_the_clocks_is_shown(self) -> None:
        """Each run began 1 ms after its sending and 1 ms before its answer."""
        figures = judged(taking(10.0)).figures
        assert figures["engine_clock_ahead_at_least_ms"] == 6.0
        assert figures["engine_clock_ahead_at_most_ms"] == 8.0


class TestBeside:
    def test_local_and_eager_ones_are_shown_and_not_judged(self) -> None:
        samples = [sample(index, index % 3) for index in range(RUNS)]
        found = []
        for index in range(RUNS):
            if index % 3 == 1:
                local = {"operation": "noop-local", "local": True, "type": "core_local_activity",
                         "started_ns": 0, "attempt": 0}  # fmt: skip
                found += [executed(index, 700.0, **local)] * 2
            else:
                fields = {"operation": "noop-eager"} if index % 3 == 2 else {}
                found.append(executed(index, 900.0 if fields else 10.0, **fields))
        finding = judged(found, samples=samples)
        assert finding.outcome is Outcome.PASS
        assert finding.figures["local"] == {
            "activities": 266,
            "workflow_tasks": 133,
            "activities_in_a_task": 2.0,
            "workflow_task_p95_ms": 700.0,
        }
        assert finding.figures["eager"]["schedule_to_close_p95_ms"] == 900.0
        assert finding.figures["eager"]["schedule_to_start_p50_ms"] == 1.0

    def test_ordinary_ones_that_were_handed_over_at_once_are_none(self) -> None:
        """They would flatter: what an eager one saves is the queue."""

        def at_once(each: Executed) -> Executed:
            return msgspec.structs.replace(each, started_ns=each.scheduled_ns + 30_000)

        finding = judged([at_once(each) for each in taking(10.0)])
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "handed them over at once" in finding.reason

    def test_ordinary_ones_that_the_worker_made_local_are_none(self) -> None:
        found = [msgspec.structs.replace(each, local=True) for each in taking(10.0)]
        assert judged(found).outcome is Outcome.INCONCLUSIVE


class TestCapability:
    @pytest.mark.parametrize(
        ("version", "unknown"),
        [("1.0", {"noop"}), ("1", {"noop"}), ("1.1", set()), ("1.20", set())],
    )
    def test_an_earlier_version_of_the_contract_lacks_it(
        self, version: str, unknown: set[str]
    ) -> None:
        assert unknown_to(version) == unknown

    def test_a_worker_that_lacks_it_is_not_judged(self) -> None:
        part = Part(**now(), subject=Subject.WORKER, ours=False, name="rust", lacks=["noop"])
        own = evidence(taking(900.0))
        records = [each for kind in own.kinds for each in own.of(kind)]
        journal = from_records([part, *records], manifest=hand_made_manifest())
        checks = [check for check in CHECKS if check.id == "SLO-ACT-1"]
        [verdict] = judge(journal, checks, {"SLO-ACT-1": "N"}, PARAMETERS)
        assert verdict.outcome is Outcome.NOT_APPLICABLE


def event(number: int, at_ms: int, kind: str, **attributes: Any) -> HistoryEvent:
    """An event of a history: `kind` is its type in lower case."""
    made = HistoryEvent(
        event_id=number,
        event_type=EventType.Value(f"EVENT_TYPE_{kind.upper()}"),
        **{f"{kind}_event_attributes": attributes},
    )
    made.event_time.FromNanoseconds(at_ms * MS)
    return made


class TestHistory:
    def test_activities_are_timed_by_their_events(self) -> None:
        events = [
            event(1, 100, "workflow_execution_started"),
            event(5, 110, "activity_task_scheduled", activity_type=ActivityType(name="noop")),
            event(6, 111, "activity_task_scheduled", activity_type=ActivityType(name="other")),
            event(7, 114, "activity_task_started", scheduled_event_id=6, attempt=3),
            event(8, 120, "activity_task_failed", scheduled_event_id=6, started_event_id=7),
            event(9, 112, "activity_task_started", scheduled_event_id=5, attempt=1),
            event(10, 121, "activity_task_completed", scheduled_event_id=5, started_event_id=9),
            event(11, 130, "activity_task_scheduled", activity_type=ActivityType(name="noop")),
        ]
        one = Activity(
            run_started_ns=100 * MS, type="noop", local=False, attempt=1, scheduled_ns=110 * MS,
            started_ns=112 * MS, closed_ns=121 * MS, ended="completed",
        )  # fmt: skip
        assert list(activities(events)) == [
            one,
            replace_of(one, type="other", attempt=3, scheduled_ns=111 * MS, started_ns=114 * MS,
                       closed_ns=120 * MS, ended="failed"),
            replace_of(one, attempt=0, scheduled_ns=130 * MS, started_ns=0, closed_ns=0, ended=""),
        ]  # fmt: skip

    def test_local_ones_by_the_workflow_task_of_their_marker(self) -> None:
        marker = {"marker_name": "core_local_activity", "workflow_task_completed_event_id": 4}
        events = [
            event(1, 100, "workflow_execution_started"),
            event(3, 110, "workflow_task_started"),
            event(4, 130, "workflow_task_completed", started_event_id=3),
            event(5, 131, "marker_recorded", **marker),
            event(6, 131, "marker_recorded", **marker, failure=Failure(message="broken")),
            event(7, 131, "marker_recorded", marker_name="core_patch"),
        ]
        found = list(activities(events))
        assert [(each.scheduled_ns, each.closed_ns) for each in found] == [(110 * MS, 131 * MS)] * 2
        assert [each.ended for each in found] == ["completed", "failed"]
        assert {(each.local, each.type, each.started_ns) for each in found} == {
            (True, "core_local_activity", 0)
        }

    def test_an_empty_history_has_none(self) -> None:
        assert list(activities([])) == []


def replace_of(activity: Activity, **fields: Any) -> Activity:
    return activity._replace(**fields)
