"""Both SLO checks on hand-made samples: every way to pass, to fail, and to be undecided."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.checks.check import Evidence, Finding
from harness.checks.slo import CHECKS, completion, start_latency
from harness.checks.verdict import judge
from harness.journal.read import from_records, hand_made_manifest
from harness.journal.records import LoadRun
from harness.load.engine import Sample
from harness.load.samples import CAPACITY, HORIZON, INTERRUPTED, Origin, SampleOutcome, encode
from harness.outcome import Outcome

BEGIN_NS = 1_000_000_000_000
RATE_PER_S = 100.0
MS = 1_000_000
PARAMETERS = {
    "workflow_start_sli": "user_perceived",
    "start_p95_limit_ms": 100,
    "confidence": 0.95,
    "completion_min": 0.999,
    "business_failure_types": ["BusinessFailure", "AuthorizationDenied"],
    "horizon_s": 60,
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A load run made by hand: `samples` are as from a run of a hundred arrivals a second."""

    samples: Sequence[Sample]
    warmup_s: float = 0.0
    mode: str = "planned"
    planned: int | None = None
    shape: str = "constant"
    duration_s: float | None = None
    horizon_s: float = 60.0
    follows_first_task: bool = False
    raw: bytes | None = None

    def evidence(self, **parameters: Any) -> Evidence:
        journal = from_records(
            [self.run], manifest=hand_made_manifest(), histories={self.run.samples: self.bytes}
        )
        return Evidence(journal, frozenset({LoadRun}), {**PARAMETERS, **parameters})

    @property
    def bytes(self) -> bytes:
        origin = Origin(
            trial_id="t",
            workload="saga",
            workflow_id_prefix="load-t",
            tenants=["alpha"],
            begin_ns=BEGIN_NS,
            begin_wall_ns=0,
            horizon_s=self.horizon_s,
            follows_first_task=self.follows_first_task,
        )
        return encode(origin, self.samples) if self.raw is None else self.raw

    @property
    def run(self) -> LoadRun:
        sent = sum(sample.sent_ns > 0 for sample in self.samples)
        return LoadRun(
            at_ns=1,
            wall_ns=1,
            workload="saga",
            mode=self.mode,
            rate_per_s=RATE_PER_S,
            shape=self.shape,
            duration_s=self.duration_s or len(self.samples) / RATE_PER_S,
            warmup_s=self.warmup_s,
            seed=0,
            planned=len(self.samples) if self.planned is None else self.planned,
            sent=sent,
            not_sent=len(self.samples) - sent,
            lateness_p99_ns=0,
            lateness_max_ns=0,
            cpu_share=0.1,
            samples="samples/load.bin",
            rows=len(self.samples),
            sha256=hashlib.sha256(self.bytes).hexdigest(),
        )


def sample(index: int, start_ms: float = 10.0, late_ms: float = 0.0, **fields: Any) -> Sample:
    """An arrival that was acknowledged after `start_ms` and completed a second later."""
    intended_ns = BEGIN_NS + round(index * 1e9 / RATE_PER_S)
    answered_ns = intended_ns + round(start_ms * MS)
    given: dict[str, Any] = {
        "index": index,
        "tenant": 0,
        "intended_ns": intended_ns,
        "sent_ns": intended_ns + round(late_ms * MS),
        "first_attempt_ns": answered_ns,
        "answered_ns": answered_ns,
        "completed_ns": intended_ns + 1_000 * MS,
        "attempts": 1,
        "outcome": SampleOutcome.OK,
    }
    return Sample(**{**given, **fields})


def samples(count: int, start_ms: float = 10.0, **fields: Any) -> list[Sample]:
    return [sample(index, start_ms, **fields) for index in range(count)]


def failed(index: int, cause: str) -> Sample:
    return sample(index, outcome=SampleOutcome.FAIL, cause=cause)


def not_sent(index: int, cause: str) -> Sample:
    return sample(
        index,
        sent_ns=0,
        first_attempt_ns=0,
        answered_ns=0,
        completed_ns=0,
        attempts=0,
        outcome=SampleOutcome.NOT_SENT,
        cause=cause,
    )


def unanswered(index: int, cause: str = HORIZON) -> Sample:
    return sample(
        index,
        first_attempt_ns=0,
        answered_ns=0,
        completed_ns=0,
        outcome=SampleOutcome.INFO,
        cause=cause,
    )


def unfinished(index: int, cause: str) -> Sample:
    return sample(index, completed_ns=0, outcome=SampleOutcome.INFO, cause=cause)


BOTH = pytest.mark.parametrize("check", [start_latency, completion])
Judge = Callable[[Evidence], Finding]


# what makes a load run unfit for either verdict


@BOTH
def test_an_interactive_run_is_not_judged(check: Judge) -> None:
    found = check(Trial(samples=samples(3000), mode="interactive").evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "interactive" in found.reason


@BOTH
def test_no_samples_are_inconclusive(check: Judge) -> None:
    found = check(Trial(samples=[]).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "no samples" in found.reason


@BOTH
def test_a_lost_arrival_of_the_generator_is_inconclusive(check: Judge) -> None:
    found = check(Trial(samples=samples(3000), planned=3001).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "3000 samples of 3001" in found.reason


@BOTH
def test_a_doubled_arrival_is_inconclusive(check: Judge) -> None:
    found = check(Trial(samples=[*samples(2999), sample(7)]).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "doubled" in found.reason


@BOTH
def test_a_late_generator_is_inconclusive_and_says_which_bound_broke(check: Judge) -> None:
    found = check(Trial(samples=samples(3000, late_ms=10.1)).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "10.1 ms at p99, its bound is 10 ms" in found.reason


@BOTH
def test_a_generator_at_its_bound_is_not_late(check: Judge) -> None:
    assert check(Trial(samples=samples(3000, late_ms=10.0)).evidence()).outcome is Outcome.PASS


@BOTH
def test_a_late_generator_excuses_a_failure_as_well(check: Judge) -> None:
    late = [failed(i, "lost") for i in range(3000)]
    for each in late:
        each.sent_ns += 50 * MS
        each.answered_ns += 500 * MS
    assert check(Trial(samples=late).evidence()).outcome is Outcome.INCONCLUSIVE


@BOTH
def test_a_truncated_samples_file_is_inconclusive(check: Judge) -> None:
    whole = Trial(samples=samples(3000))
    found = check(Trial(samples=whole.samples, raw=whole.bytes[:-20]).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "cut off" in found.reason


@BOTH
def test_the_worst_of_several_runs_counts(check: Judge) -> None:
    good = Trial(samples=samples(3000)).run
    other = Trial(samples=samples(3000), mode="interactive").run
    journal = from_records(
        [good, other], histories={good.samples: Trial(samples=samples(3000)).bytes}
    )
    found = check(Evidence(journal, frozenset({LoadRun}), PARAMETERS))
    assert found.outcome is Outcome.INCONCLUSIVE


def test_without_a_load_run_all_are_inconclusive() -> None:
    levels = {check.id: "N" for check in CHECKS}
    verdicts = judge(from_records([]), CHECKS, levels, PARAMETERS)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.INCONCLUSIVE}


# SLO-START-1


@pytest.mark.parametrize(
    ("start_ms", "outcome"), [(10.0, Outcome.PASS), (100.0, Outcome.PASS), (100.1, Outcome.FAIL)]
)
def test_the_limit_belongs_to_what_is_allowed(start_ms: float, outcome: Outcome) -> None:
    found = start_latency(Trial(samples=samples(500, start_ms)).evidence())
    assert found.outcome is outcome
    assert found.figures["p95_ms"] == start_ms


def test_a_pass_shows_its_bound_and_its_method() -> None:
    found = start_latency(Trial(samples=samples(500, 20.0)).evidence())
    assert found.figures["p95_upper_ms"] == 20.0
    assert found.figures["percentile_method"] == "nearest rank"
    assert "at 95 % confidence at most 20.0 ms" in found.reason


def test_a_failure_shows_the_slowest_starts() -> None:
    slow = samples(500, 150.0)
    slow[17].answered_ns += 1_000 * MS
    found = start_latency(Trial(samples=slow).evidence())
    assert found.outcome is Outcome.FAIL
    assert found.witnesses[0].text == "load-t-17: 1150.0 ms"
    assert found.witnesses[0].path == "samples/load.bin"


def test_a_slow_tail_of_five_percent_is_too_near_to_the_limit_to_decide() -> None:
    tail = [sample(i, 500.0 if i % 20 == 0 else 10.0) for i in range(1000)]
    found = start_latency(Trial(samples=tail).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.figures["samples_needed"] is None


@pytest.mark.parametrize(
    ("every", "outcome"), [(12, Outcome.FAIL), (18, Outcome.INCONCLUSIVE), (40, Outcome.PASS)]
)
def test_a_slow_tail_is_judged_by_its_weight(every: int, outcome: Outcome) -> None:
    tail = [sample(i, 500.0 if i % every == 0 else 10.0) for i in range(1000)]
    assert start_latency(Trial(samples=tail).evidence()).outcome is outcome


def test_too_few_samples_say_how_many_would_do_and_how_long_they_take() -> None:
    found = start_latency(Trial(samples=samples(58), warmup_s=0.0).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.figures["samples_needed"] == 59
    assert "59 samples would do (1 s at 100/s)" in found.reason
    assert found.figures["p95_upper_ms"] is None
    assert start_latency(Trial(samples=samples(59)).evidence()).outcome is Outcome.PASS


def test_how_long_they_take_follows_from_the_arrivals_that_a_shape_has_after_the_warmup() -> None:
    trial = Trial(samples=samples(58), shape="steps:5.8x10,0x10", duration_s=20, warmup_s=0.29)
    found = start_latency(trial.evidence())  # 29 of the 58 arrivals are left
    told = "59 samples would do (41 s of steps:5.8x10,0x10 at 2.9/s in the mean)"
    assert told in found.reason
    assert found.figures["shape"] == "steps:5.8x10,0x10"
    unproven = completion(trial.evidence())
    assert "2,995 samples would do (1,033 s of steps:5.8x10,0x10" in unproven.reason


def test_the_warmup_is_cut_and_shown() -> None:
    cold = [sample(i, 900.0 if i < 200 else 10.0) for i in range(1000)]
    assert start_latency(Trial(samples=cold).evidence()).outcome is Outcome.INCONCLUSIVE
    found = start_latency(Trial(samples=cold, warmup_s=2.0).evidence())
    assert found.outcome is Outcome.PASS
    assert found.figures["warmup_samples"] == 200
    assert found.figures["samples"] == 800


@pytest.mark.parametrize("missing", [unanswered, lambda i: not_sent(i, CAPACITY)])
def test_what_was_not_answered_or_not_sent_took_for_ever(missing: Callable[[int], Sample]) -> None:
    rows = [missing(i) if i % 10 == 0 else sample(i) for i in range(1000)]
    found = start_latency(Trial(samples=rows).evidence())
    assert found.outcome is Outcome.FAIL
    assert found.figures["unanswered"] == 100
    assert found.figures["max_ms"] is None
    assert "p95 of starts (user_perceived) is for ever" in found.reason


def test_a_business_failure_counts_among_the_starts() -> None:
    rows = [failed(i, "failure:BusinessFailure") for i in range(500)]
    found = start_latency(Trial(samples=rows).evidence())
    assert found.outcome is Outcome.PASS
    assert found.figures["samples"] == 500


def test_what_the_stop_cut_neither_passes_nor_fails() -> None:
    """40 of 400 starts in flight at the stop: they may have been fast or not."""
    rows = [unanswered(i, INTERRUPTED) if i >= 360 else sample(i) for i in range(400)]
    assert start_latency(Trial(samples=rows).evidence()).outcome is Outcome.INCONCLUSIVE


def test_what_was_not_due_at_the_stop_is_no_evidence() -> None:
    rows = [not_sent(i, INTERRUPTED) if i >= 100 else sample(i) for i in range(1000)]
    found = start_latency(Trial(samples=rows).evidence())
    assert found.outcome is Outcome.PASS
    assert found.figures["samples"] == 100


def test_the_declared_meaning_is_judged_and_the_others_are_shown() -> None:
    retried = [sample(i, 300.0, first_attempt_ns=0, attempts=2) for i in range(500)]
    for each in retried:
        if each.index % 10 == 0:
            continue
        each.first_attempt_ns = each.intended_ns + 20 * MS
        each.answered_ns = each.first_attempt_ns
    trial = Trial(samples=retried)
    found = start_latency(trial.evidence(workflow_start_sli="start_rpc_first_attempt"))
    assert found.outcome is Outcome.FAIL
    assert found.figures["user_perceived_p95_ms"] == 300.0
    other = start_latency(trial.evidence(start_p95_limit_ms=300))
    assert other.outcome is Outcome.PASS
    assert other.figures["start_rpc_first_attempt_p95_ms"] is None


def test_first_tasks_are_judged_only_where_they_were_followed() -> None:
    rows = samples(500, 10.0)
    for each in rows:
        each.first_task_ns = each.intended_ns + 90 * MS
    asked = {"workflow_start_sli": "first_task_completed"}
    found = start_latency(Trial(samples=rows).evidence(**asked))
    assert found.outcome is Outcome.INCONCLUSIVE
    followed = start_latency(Trial(samples=rows, follows_first_task=True).evidence(**asked))
    assert followed.outcome is Outcome.PASS
    assert followed.figures["p95_ms"] == 90.0


def test_nothing_after_the_warmup_is_inconclusive() -> None:
    found = start_latency(Trial(samples=samples(100), warmup_s=5.0).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE


def test_a_burst_of_slow_starts_does_not_prove_what_spread_ones_prove() -> None:
    """Thirty of 3,000 are slow: one by one they keep the limit, in one go nobody can say."""
    spread = [sample(i, 500.0 if i % 100 == 0 else 10.0) for i in range(3000)]
    found = start_latency(Trial(samples=spread).evidence())
    assert found.outcome is Outcome.PASS
    assert found.figures["effective_samples"] == 3000
    burst = [sample(i, 500.0 if 1000 <= i < 1030 else 10.0) for i in range(3000)]
    found = start_latency(Trial(samples=burst).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.figures["over_limit"] == 30
    assert found.figures["effective_samples"] < 30
    assert "30 of them over the limit of 100 ms (in bursts: they weigh as 1" in found.reason
    assert found.figures["samples_needed"] > 3000


def test_a_burst_of_slow_starts_does_not_refute_what_spread_ones_refute() -> None:
    spread = [sample(i, 500.0 if i % 10 == 0 else 10.0) for i in range(3000)]
    assert start_latency(Trial(samples=spread).evidence()).outcome is Outcome.FAIL
    burst = [sample(i, 500.0 if i < 300 else 10.0) for i in range(3000)]
    assert start_latency(Trial(samples=burst).evidence()).outcome is Outcome.INCONCLUSIVE
    bursts = [sample(i, 500.0 if i % 200 < 50 else 10.0) for i in range(6000)]
    found = start_latency(Trial(samples=bursts).evidence())
    assert found.outcome is Outcome.FAIL
    assert "(in bursts: they weigh as" in found.reason


def test_bursts_are_seen_in_the_order_of_the_intended_times() -> None:
    """Rows lie in the order of their ends: what was slow lies together, and came one by one."""
    rows = [sample(i, 500.0 if i % 100 == 0 else 10.0) for i in range(3000)]
    rows.sort(key=lambda row: row.answered_ns - row.intended_ns)
    found = start_latency(Trial(samples=rows).evidence())
    assert (found.outcome, found.figures["inflation"]) == (Outcome.PASS, 1.0)


def test_a_pass_without_a_slow_start_says_which_bursts_it_cannot_have_seen() -> None:
    found = start_latency(Trial(samples=samples(3000)).evidence())
    assert "a burst less often than every 10 s may have been missed" in found.reason


def test_at_the_limit_passes_and_a_tenth_of_a_millisecond_over_it_fails() -> None:
    """The whole upper tenth lies at the limit, or just over it."""
    at = [sample(i, 100.0 if i % 10 == 0 else 10.0) for i in range(1000)]
    assert start_latency(Trial(samples=at).evidence()).outcome is Outcome.PASS
    over = [sample(i, 100.1 if i % 10 == 0 else 10.0) for i in range(1000)]
    assert start_latency(Trial(samples=over).evidence()).outcome is Outcome.FAIL


# SLO-REL-1


def test_2995_completed_sagas_prove_three_nines() -> None:
    assert completion(Trial(samples=samples(2995)).evidence()).outcome is Outcome.PASS
    found = completion(Trial(samples=samples(2994)).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.figures["samples_needed"] == 2995
    assert "2,995 samples would do (30 s at 100/s)" in found.reason


def test_one_failure_takes_more_samples() -> None:
    found = completion(Trial(samples=[*samples(2999), failed(2999, "lost")]).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.figures["samples_needed"] == 4742
    enough = Trial(samples=[*samples(4741), failed(4741, "lost")])
    assert completion(enough.evidence()).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "broken",
    [
        lambda i: failed(i, "lost"),
        lambda i: failed(i, "timed_out"),
        lambda i: failed(i, "terminated"),
        lambda i: failed(i, "start:PERMISSION_DENIED"),
        lambda i: failed(i, "failure:ServiceUnavailable"),
        lambda i: unanswered(i, "start:UNAVAILABLE"),
        lambda i: unfinished(i, HORIZON),
        lambda i: not_sent(i, CAPACITY),
        lambda i: sample(i, completed_ns=BEGIN_NS + 10**12),
    ],
)
def test_whatever_is_not_completed_counts(broken: Callable[[int], Sample]) -> None:
    """One in 500, and many enough to refute 99.9 %."""
    rows = [broken(i) if i % 500 == 0 else sample(i) for i in range(10_000)]
    found = completion(Trial(samples=rows).evidence())
    assert found.outcome is Outcome.FAIL
    assert sum(found.figures["not_completed"].values()) == 20
    assert found.witnesses[0].text.startswith("load-t-0: not completed")


def test_one_lost_in_fifty_is_refuted_by_few_samples() -> None:
    rows = [failed(i, "lost") if i % 50 == 0 else sample(i) for i in range(400)]
    found = completion(Trial(samples=rows).evidence())
    assert found.outcome is Outcome.FAIL
    assert "lost (8)" in found.reason


def test_one_lost_in_500_is_refuted_by_enough_samples() -> None:
    outcomes = {}
    for count in (1_000, 4_000, 10_000):
        rows = [failed(i, "lost") if i % 500 == 250 else sample(i) for i in range(count)]
        outcomes[count] = completion(Trial(samples=rows).evidence()).outcome
    assert outcomes == {
        1_000: Outcome.INCONCLUSIVE,
        4_000: Outcome.INCONCLUSIVE,
        10_000: Outcome.FAIL,
    }


def test_a_burst_of_losses_does_not_refute_what_spread_ones_refute() -> None:
    spread = [failed(i, "lost") if i % 500 == 0 else sample(i) for i in range(10_000)]
    assert completion(Trial(samples=spread).evidence()).outcome is Outcome.FAIL
    burst = [failed(i, "lost") if i < 20 else sample(i) for i in range(10_000)]
    found = completion(Trial(samples=burst).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "9980 of 10000 sagas completed (in bursts: they weigh as" in found.reason


def test_a_pass_without_a_loss_says_which_bursts_it_cannot_have_seen() -> None:
    found = completion(Trial(samples=samples(6000)).evidence())
    assert "none failed: a burst less often than every 20 s" in found.reason


def test_business_failures_are_left_out() -> None:
    rows = [failed(i, "failure:BusinessFailure") if i % 2 else sample(i) for i in range(2 * 2995)]
    found = completion(Trial(samples=rows).evidence())
    assert found.outcome is Outcome.PASS
    assert found.figures["business_failures"] == 2995
    assert found.figures["judged"] == 2995


def test_a_type_that_is_not_declared_is_no_business_failure() -> None:
    rows = [failed(i, "failure:BusinessFailure") for i in range(500)]
    found = completion(Trial(samples=rows).evidence(business_failure_types=["Other"]))
    assert found.outcome is Outcome.FAIL


def test_nothing_but_business_failures_is_inconclusive() -> None:
    rows = [failed(i, "failure:BusinessFailure") for i in range(500)]
    assert completion(Trial(samples=rows).evidence()).outcome is Outcome.INCONCLUSIVE


def test_warmup_counts_for_completion() -> None:
    rows = [failed(i, "lost") if i % 290 == 0 and i < 2900 else sample(i) for i in range(3000)]
    assert completion(Trial(samples=rows, warmup_s=29.0).evidence()).outcome is Outcome.FAIL


def test_sagas_cut_by_the_stop_neither_pass_nor_fail() -> None:
    rows = [unfinished(i, INTERRUPTED) if i >= 3000 else sample(i) for i in range(3050)]
    found = completion(Trial(samples=rows).evidence())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.figures["unknown"] == 50


def test_a_longer_horizon_than_the_run_waited_for_leaves_its_stuck_sagas_open() -> None:
    rows = [unfinished(i, HORIZON) if i % 50 == 0 else sample(i) for i in range(1000)]
    trial = Trial(samples=rows, horizon_s=10.0)
    assert completion(trial.evidence(horizon_s=10)).outcome is Outcome.FAIL
    assert completion(trial.evidence(horizon_s=60)).outcome is Outcome.INCONCLUSIVE


def test_a_promise_of_everything_cannot_be_proven() -> None:
    found = completion(Trial(samples=samples(5000)).evidence(completion_min=1.0))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.figures["samples_needed"] is None


def test_the_checks_import_nothing_heavy() -> None:
    heavy = "{'numpy', 'temporalio', 'locust', 'gevent', 'asyncio'} & set(sys.modules)"
    code = f"import sys, harness.checks.slo; sys.exit(str({heavy}) if {heavy} else 0)"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
