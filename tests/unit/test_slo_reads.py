"""SLO-VIS-1 and SLO-AVL-1, on hand-made samples: reads of each kind, and probes a second apart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from harness.checks.check import Evidence, Finding
from harness.checks.slo.probes import availability
from harness.checks.slo.reads import CLAUSES, read_latency
from harness.journal.read import from_records, hand_made_manifest
from harness.journal.records import LoadRun
from harness.load.engine import Sample
from harness.load.samples import INTERRUPTED, Origin, SampleOutcome, encode
from harness.outcome import Outcome

MS = 1_000_000
SECOND = 1000 * MS
BEGIN_NS = 5 * SECOND
KINDS = list(CLAUSES)
VOLUME = 900_000
PARAMETERS: dict[str, Any] = {
    "start_p95_limit_ms": 100,
    "visibility_p95_limit_ms": 200,
    "visibility_volume": VOLUME,
    "availability_min": 0.9995,
    "availability_window_days": 30,
    "confidence": 0.95,
    "horizon_s": 60,
}
EACH = 400  # reads of a kind


def evidence(
    samples: Sequence[Sample], kinds: Sequence[str], names: Sequence[str], rate_per_s: float,
    volumes: Sequence[int] = (), **run: Any,
) -> Evidence:  # fmt: skip
    """A planned load of these samples, at so many a second."""
    origin = Origin(
        trial_id="t", workload="w", workflow_id_prefix="load-t", tenants=["alpha", "beta"],
        begin_ns=BEGIN_NS, begin_wall_ns=0, horizon_s=60.0, operations=list(names),
        kinds=list(kinds), volumes=list(volumes),
    )  # fmt: skip
    raw = encode(origin, samples)
    given: dict[str, Any] = {
        "at_ns": 1, "wall_ns": 1, "workload": "w", "mode": "planned", "rate_per_s": rate_per_s,
        "duration_s": len(samples) / rate_per_s, "warmup_s": 0.0, "seed": 1,
        "planned": len(samples), "sent": len(samples), "not_sent": 0, "lateness_p99_ns": 0,
        "lateness_max_ns": 0, "cpu_share": 0.1, "samples": "samples/load.bin",
        "rows": len(samples), "sha256": hashlib.sha256(raw).hexdigest(),
    }  # fmt: skip
    record = LoadRun(**{**given, **run})
    journal = from_records([record], manifest=hand_made_manifest(), histories={record.samples: raw})
    return Evidence(journal, frozenset({LoadRun}), PARAMETERS)


def reads(slow: str = "", slow_ms: float = 500.0, *, left_out: str = "") -> list[Sample]:
    """`EACH` reads of each kind, at a hundred a second; of one kind all are slow."""
    kinds = [kind for kind in KINDS if kind != left_out]
    samples = []
    for index in range(EACH * len(kinds)):
        kind = kinds[index % len(kinds)]
        intended_ns = BEGIN_NS + index * 10 * MS
        answered_ns = intended_ns + round((slow_ms if kind == slow else 20.0) * MS)
        samples.append(
            Sample(
                index=index, tenant=0, operation=KINDS.index(kind), intended_ns=intended_ns,
                sent_ns=intended_ns, first_attempt_ns=answered_ns, answered_ns=answered_ns,
                completed_ns=answered_ns, attempts=1, outcome=SampleOutcome.OK,
            )
        )  # fmt: skip
    return samples


def judged(samples: Sequence[Sample], volumes: Sequence[int] = (VOLUME, VOLUME)) -> Finding:
    return read_latency(evidence(samples, KINDS, [k.lower() for k in KINDS], 100.0, volumes))


def clauses(finding: Finding) -> dict[str, Outcome]:
    return {clause.name: clause.outcome for clause in finding.clauses}


def test_reads_in_time_over_full_namespaces_pass() -> None:
    finding = judged(reads())
    assert finding.outcome is Outcome.PASS, finding.reason
    assert set(clauses(finding).values()) == {Outcome.PASS}


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_of_read_that_is_slow_fails_alone(kind: str) -> None:
    finding = judged(reads(slow=kind))
    assert finding.outcome is Outcome.FAIL
    failing = [name for name, outcome in clauses(finding).items() if outcome is Outcome.FAIL]
    assert failing == [CLAUSES[kind]]


@pytest.mark.parametrize(("slow_ms", "outcome"), [(200.0, Outcome.PASS), (200.1, Outcome.FAIL)])
def test_at_the_limit(slow_ms: float, outcome: Outcome) -> None:
    assert judged(reads("LIST", slow_ms)).outcome is outcome


@pytest.mark.parametrize("volumes", [(), (10, 10), (VOLUME, VOLUME - 1)])
def test_fast_answers_over_too_few_runs_prove_nothing(volumes: Sequence[int]) -> None:
    finding = judged(reads(), volumes)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "900,000 are declared" in finding.reason


def test_slow_answers_over_few_runs_fail() -> None:
    assert judged(reads("COUNT"), (10, 10)).outcome is Outcome.FAIL


def test_a_kind_that_was_not_read_leaves_it_open() -> None:
    finding = judged(reads(left_out="QUERY"))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert clauses(finding)["query"] is Outcome.INCONCLUSIVE


def test_reads_that_are_never_answered_took_for_ever() -> None:
    samples = reads()
    for sample in samples[::10]:  # every other one of a kind
        sample.answered_ns = sample.completed_ns = 0
        sample.end(SampleOutcome.INFO, "describe:UNAVAILABLE")
    assert clauses(judged(samples))["describe"] is Outcome.FAIL


# --- probes


def probes(count: int, failed: Sequence[int] = (), apart_s: float = 1.0) -> list[Sample]:
    """One a second, each completed after two seconds but for the failed ones."""
    found = []
    for index in range(count):
        intended_ns = BEGIN_NS + round(index * apart_s * SECOND)
        bad = index in failed
        found.append(
            Sample(
                index=index, tenant=0, intended_ns=intended_ns, sent_ns=intended_ns,
                answered_ns=intended_ns + MS, attempts=1,
                completed_ns=0 if bad else intended_ns + 2 * SECOND,
                outcome=SampleOutcome.FAIL if bad else SampleOutcome.OK,
                cause="failure:Lost" if bad else "",
            )
        )  # fmt: skip
    return found


def available(samples: Sequence[Sample], rate_per_s: float = 1.0) -> Finding:
    return availability(evidence(samples, ["RUN"], ["probe"], rate_per_s))


def test_minutes_never_claim_a_month() -> None:
    finding = available(probes(6000))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "the promise is of 30 days" in finding.reason
    assert finding.figures["share_lower"] >= 0.9995


def test_too_few_probes_say_how_many_would_do() -> None:
    finding = available(probes(100))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.figures["samples_needed"] == 5990
    assert "5,990 samples would do" in finding.reason


def test_too_many_failures_fail_whatever_the_window() -> None:
    finding = available(probes(600, failed=range(0, 600, 50)))
    assert finding.outcome is Outcome.FAIL
    assert finding.figures["burn_rate"] == pytest.approx(0.02 / 0.0005)
    assert len(finding.witnesses) == 5


def test_one_burst_of_failures_is_not_many_failures() -> None:
    spread_out = available(probes(6000, failed=range(0, 6000, 600)))
    in_a_burst = available(probes(6000, failed=range(3000, 3010)))
    assert spread_out.outcome is Outcome.FAIL
    assert in_a_burst.outcome is Outcome.INCONCLUSIVE
    worst = "worst_five_minutes_burn_rate"
    assert in_a_burst.figures[worst] > spread_out.figures[worst]


def test_a_probe_that_completes_too_late_has_failed() -> None:
    samples = probes(600)
    for sample in samples[::50]:
        sample.completed_ns = sample.intended_ns + 61 * SECOND
    assert available(samples).outcome is Outcome.FAIL


def test_probes_that_come_too_seldom_prove_no_availability() -> None:
    finding = available(probes(6000, apart_s=2.0), 0.5)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "one a second is asked" in finding.reason


def test_what_was_cut_off_says_nothing() -> None:
    samples = probes(600)
    for sample in samples[-20:]:
        sample.completed_ns = 0
        sample.end(SampleOutcome.INFO, INTERRUPTED)
    finding = available(samples)
    assert finding.figures["probes"] == 580
    assert finding.figures["failed"] == 0


def test_a_load_without_probes_or_reads_says_nothing_of_them() -> None:
    sagas = evidence(probes(100), ["RUN"], ["saga"], 1.0)
    assert availability(sagas).outcome is Outcome.INCONCLUSIVE
    assert read_latency(sagas).outcome is Outcome.INCONCLUSIVE


# --- a generator that is not well


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"stall_p99_ns": 10 * MS + 1}, "loop stalled: 10.0 ms at p99, its bound is 10 ms"),
        ({"cpu_share": 0.91}, "out of CPU: 91% of a core, its bound is 90%"),
    ],
)
def test_a_generator_that_is_not_well_judges_nothing(fields: dict[str, Any], said: str) -> None:
    bad = evidence(probes(600, failed=range(0, 600, 50)), ["RUN"], ["probe"], 1.0, **fields)
    finding = availability(bad)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert said in finding.reason


@pytest.mark.parametrize("fields", [{"stall_p99_ns": 10 * MS}, {"cpu_share": 0.9}])
def test_a_generator_within_its_bounds_judges(fields: dict[str, Any]) -> None:
    fine = evidence(probes(600, failed=range(0, 600, 50)), ["RUN"], ["probe"], 1.0, **fields)
    assert availability(fine).outcome is Outcome.FAIL
