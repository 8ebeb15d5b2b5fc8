"""INV-ISO-14 and THR-D on journals made by hand: with noise and without, at the limit, refused."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import ResourceExhaustedCause, ResourceExhaustedScope
from temporalio.api.errordetails.v1 import ResourceExhaustedFailure
from temporalio.service import RPCError, RPCStatusCode

import reports
from harness.catalogue import load_catalogue
from harness.checks.check import Evidence, Finding
from harness.checks.slo import CHECKS, completion, start_latency
from harness.checks.slo.flooding import OTHERS, QUEUE, RATE, TOLD, flood_is_refused
from harness.checks.slo.neighbours import (
    ACTIVITY,
    COMPLETION,
    QUERY,
    START,
    no_noise_is_felt,
)
from harness.checks.verdict import judge
from harness.compare.runs import read_run
from harness.errors import UsageError
from harness.journal.read import from_records, hand_made_manifest
from harness.journal.records import (
    DRAWN,
    Block,
    Disposition,
    Effect,
    Executed,
    Flood,
    Gauge,
    LoadRun,
    Record,
    Stored,
)
from harness.load.blocks import (
    LEAST_PAIRS,
    FloodPlan,
    PlannedBlock,
    parse_floods,
    planned_blocks,
)
from harness.load.engine import Sample
from harness.load.flood import KINDS, Noise, cause_of
from harness.load.samples import Origin, SampleOutcome, encode
from harness.outcome import Outcome
from tests.unit.load_trials import load_run, samples, sealed

BEGIN_NS = 1_000_000_000_000
MS = 1_000_000
RATE_PER_S = 10.0
BLOCK_S = 10.0
PARAMETERS = {**load_catalogue().defaults, "completion_min": 0.9}
REFUSAL = "RESOURCE_EXHAUSTED:RPS_LIMIT:NAMESPACE"
Latency = Callable[[bool, str], float]
Call = Callable[[int], tuple[SampleOutcome, str]]


def alike(_noisy: bool, _operation: str) -> float:
    return 10.0


def slowed(*operations: str, to_ms: float = 300.0) -> Latency:
    return lambda noisy, operation: to_ms if noisy and operation in operations else 10.0


def served(_: int) -> tuple[SampleOutcome, str]:
    return SampleOutcome.OK, ""


def refused_beyond(share: float, cause: str = REFUSAL) -> Call:
    def call(number: int) -> tuple[SampleOutcome, str]:
        if (number % 100) < share * 100:
            return SampleOutcome.OK, ""
        return SampleOutcome.FAIL, cause

    return call


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Six pairs of blocks, the noisy one first in every second; times in ms from the intended."""

    latency: Latency = alike
    lost: Callable[[bool, int], bool] = lambda _noisy, _number: False
    call: Call = served
    flood_per_s: float = 100.0
    flood: str = "signals"
    late_ms: float = 0.0
    pairs: int = 6
    cpu_share: float = 0.1
    activities_per_s: float = 0.0
    wait_ms: Callable[[bool], float] = lambda _noisy: 5.0
    histories: int = -1  # how many are read; all of them
    retried: bool = False
    floods: int = 1

    @property
    def blocks(self) -> list[Block]:
        found = []
        for pair in range(self.pairs):
            for place in (0, 1):
                begin_ns = BEGIN_NS + round((2 * pair + place) * BLOCK_S * 1e9)
                end_ns = begin_ns + round(BLOCK_S * 1e9)
                found.append(
                    Block(
                        at_ns=end_ns,
                        wall_ns=1,
                        pair=pair,
                        noisy=place == pair % 2,
                        flood=self.flood,
                        begin_ns=begin_ns,
                        end_ns=end_ns,
                    )
                )
        return found

    def victim(self) -> list[Sample]:
        count = round(2 * self.pairs * BLOCK_S * RATE_PER_S)
        return [self._arrival(index) for index in range(count)]

    def _arrival(self, index: int) -> Sample:
        intended = BEGIN_NS + round(index * 1e9 / RATE_PER_S)
        noisy = next(b.noisy for b in self.blocks if b.begin_ns <= intended < b.end_ns)
        operation = index % 2
        took_ms = self.latency(noisy, ("saga", "query")[operation])
        lost = not operation and self.lost(noisy, index)
        answered = intended + round(took_ms * MS) if took_ms < math.inf else 0
        return Sample(
            index=index,
            tenant=0,
            operation=operation,
            intended_ns=intended,
            sent_ns=intended + round(self.late_ms * MS),
            first_attempt_ns=answered,
            answered_ns=answered,
            completed_ns=0 if lost else intended + 400 * MS,
            attempts=1,
            outcome=SampleOutcome.FAIL if lost else SampleOutcome.OK,
            cause="lost" if lost else "",
        )

    def calls(self) -> list[Sample]:
        found: list[Sample] = []
        for block in self.blocks:
            for number in range(round(self.flood_per_s * BLOCK_S) if block.noisy else 0):
                at = block.begin_ns + round(number * 1e9 / self.flood_per_s)
                outcome, cause = self.call(number)
                found.append(
                    Sample(
                        index=len(found),
                        tenant=0,
                        operation=KINDS.index(self.flood),
                        intended_ns=at,
                        sent_ns=at,
                        answered_ns=at + MS if outcome is SampleOutcome.OK else 0,
                        completed_ns=at + MS,
                        attempts=1,
                        outcome=outcome,
                        cause=cause,
                    )
                )
        return found

    def evidence(self, kinds: Sequence[Any], **parameters: Any) -> Evidence:
        victim, calls = self.victim(), self.calls()
        raw = encode(_origin(["saga", "query"], ["RUN", "QUERY"], "alpha"), victim)
        raw_calls = encode(_origin(list(KINDS), ["START"] * len(KINDS), "beta"), calls)
        run = load_run(
            len(victim),
            workload="neighbours",
            sha256=hashlib.sha256(raw).hexdigest(),
            cpu_share=self.cpu_share,
        )
        flood = Flood(
            at_ns=2,
            wall_ns=1,
            tenant="beta",
            rate_per_s=self.flood_per_s,
            payload_bytes=1,
            planned=len(calls),
            samples="samples/flood.bin",
            rows=len(calls),
            sha256=hashlib.sha256(raw_calls).hexdigest(),
        )
        journal = from_records(
            [
                run,
                *[flood] * self.floods,
                *self.blocks,
                *self._effects(),
                *self._executed(victim),
            ],
            manifest=hand_made_manifest(),
            histories={run.samples: raw, flood.samples: raw_calls},
        )
        return Evidence(journal, frozenset(kinds), {**PARAMETERS, **parameters})

    def _effects(self) -> list[Effect]:
        return [
            _effect(block.begin_ns + round(number * 1e9 / self.activities_per_s))
            for block in self.blocks
            if block.noisy and self.activities_per_s
            for number in range(round(self.activities_per_s * BLOCK_S))
        ]

    def _executed(self, victim: Sequence[Sample]) -> list[Record]:
        """One activity of each saga, scheduled 100 ms after its run began, and what was read."""
        sagas = [each for each in victim if not each.operation and each.answered_ns]
        found: list[Record] = [Gauge(at_ns=1, wall_ns=1, name=DRAWN, value=len(sagas))]
        for sample in sagas[: self.histories if self.histories >= 0 else None]:
            at_ns = sample.answered_ns + 100 * MS
            noisy = any(b.noisy for b in self.blocks if b.begin_ns <= at_ns < b.end_ns)
            took_ms, root = self.wait_ms(noisy), f"load-t-{sample.index}"
            scheduled = 100 * MS + 77
            given: dict[str, Any] = {
                "at_ns": 1,
                "wall_ns": 1,
                "tenant": "alpha",
                "workflow_id": root,
                "run_id": "r",
                "root": root,
            }
            found.append(
                Stored(
                    **given,
                    workflow_type="ReferenceSaga",
                    status="completed",
                    history_bytes=1,
                    told_events=1,
                    events=1,
                    read_bytes=1,
                    activities=1,
                )
            )
            found.append(
                Executed(
                    **given,
                    operation="saga",
                    run_started_ns=77,
                    type="rms.reserve",
                    attempt=2 if self.retried and noisy else 1,
                    scheduled_ns=scheduled,
                    started_ns=scheduled + round(took_ms * MS) if took_ms < math.inf else 0,
                )
            )
        return found

    def isolation(self, **parameters: Any) -> Finding:
        kinds = [LoadRun, Flood, Block, Executed, Stored, Gauge]
        return no_noise_is_felt(self.evidence(kinds, **parameters))

    def refusal(self, **parameters: Any) -> Finding:
        kinds = [LoadRun, Flood, Block, Effect, Gauge]
        return flood_is_refused(self.evidence(kinds, **parameters))


def _origin(operations: list[str], kinds: list[str], tenant: str) -> Origin:
    return Origin(
        trial_id="t",
        workload="neighbours",
        workflow_id_prefix="load-t",
        tenants=[tenant],
        begin_ns=BEGIN_NS,
        begin_wall_ns=0,
        horizon_s=60.0,
        operations=operations,
        kinds=kinds,
    )


def _effect(received_ns: int) -> Effect:
    return Effect(
        at_ns=received_ns,
        wall_ns=1,
        seq=1,
        received_ns=received_ns,
        service="rms",
        operation="reserve",
        direction="forward",
        tenant="beta",
        saga_id="s",
        step=0,
        workflow_id="w",
        run_id="r",
        attempt=1,
        idempotency_key="k",
        disposition=Disposition.APPLIED,
        status=200,
    )


def clauses(finding: Finding) -> dict[str, Outcome]:
    return {clause.name: clause.outcome for clause in finding.clauses if clause.name != "coverage"}


class TestIsolation:
    def test_a_victim_that_feels_nothing_passes_with_a_ratio_of_one(self) -> None:
        finding = Trial().isolation()
        assert finding.outcome is Outcome.PASS
        starts = finding.figures["felt"][0]
        assert (starts["ratio"], starts["ratio_lower"], starts["ratio_upper"]) == (1, 1, 1)
        assert (starts["pairs"], starts["noisy_p95_ms"]) == (6, 10.0)

    @pytest.mark.parametrize(
        ("latency", "clause"), [(slowed("saga"), START), (slowed("query"), QUERY)]
    )
    def test_each_latency_beyond_its_limit_fails_its_clause(
        self, latency: Latency, clause: str
    ) -> None:
        finding = Trial(latency=latency).isolation()
        assert [n for n, o in clauses(finding).items() if o is Outcome.FAIL] == [clause]
        assert finding.witnesses
        assert "30 times as slow" in finding.reason

    @pytest.mark.parametrize(("to_ms", "outcome"), [(100.0, "pass"), (100.1, "fail")])
    def test_the_limit_itself_is_kept(self, to_ms: float, outcome: str) -> None:
        finding = Trial(latency=slowed("saga", to_ms=to_ms)).isolation()
        assert clauses(finding)[START] == outcome

    def test_within_the_limit_a_slowdown_is_told_and_passes(self) -> None:
        finding = Trial(latency=slowed("saga", to_ms=40.0)).isolation()
        assert finding.outcome is Outcome.PASS
        assert "4 times as slow as without (4 to 4)" in finding.reason

    def test_starts_that_are_never_answered_fail_with_an_endless_ratio(self) -> None:
        finding = Trial(latency=slowed("saga", to_ms=math.inf)).isolation()
        assert clauses(finding)[START] is Outcome.FAIL
        assert finding.figures["felt"][0]["ratio"] == "endless"

    def test_what_is_as_slow_without_noise_decides_nothing(self) -> None:
        finding = Trial(latency=lambda _noisy, _operation: 300.0).isolation()
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "no neighbour is to blame" in finding.reason

    def test_what_is_slow_and_slower_under_noise_fails(self) -> None:
        finding = Trial(latency=lambda noisy, _operation: 900.0 if noisy else 300.0).isolation()
        assert finding.outcome is Outcome.FAIL

    @pytest.mark.parametrize(("to_ms", "outcome"), [(50.0, "pass"), (50.1, "fail")])
    def test_activities_may_wait_as_long_as_is_promised(self, to_ms: float, outcome: str) -> None:
        finding = Trial(wait_ms=lambda noisy: to_ms if noisy else 5.0).isolation()
        assert clauses(finding)[ACTIVITY] == outcome

    def test_activities_that_are_never_started_under_noise_fail(self) -> None:
        finding = Trial(wait_ms=lambda noisy: math.inf if noisy else 5.0).isolation()
        assert [n for n, o in clauses(finding).items() if o is Outcome.FAIL] == [ACTIVITY]

    def test_activities_that_are_tried_again_under_noise_fail(self) -> None:
        assert clauses(Trial(retried=True).isolation())[ACTIVITY] is Outcome.FAIL

    @pytest.mark.parametrize("count", [0, 599])
    def test_without_all_histories_the_waits_are_not_measured(self, count: int) -> None:
        finding = Trial(histories=count).isolation()
        assert clauses(finding)[ACTIVITY] is Outcome.INCONCLUSIVE
        assert "were not measured" in finding.reason

    def test_sagas_that_are_lost_under_noise_fail(self) -> None:
        finding = Trial(lost=lambda noisy, number: noisy and number % 4 == 0).isolation()
        assert [n for n, o in clauses(finding).items() if o is Outcome.FAIL] == [COMPLETION]

    def test_sagas_that_are_lost_always_are_no_neighbours_fault(self) -> None:
        finding = Trial(lost=lambda _noisy, number: number % 4 == 0).isolation()
        assert clauses(finding)[COMPLETION] is Outcome.INCONCLUSIVE

    def test_few_sagas_do_not_prove_the_promised_share(self) -> None:
        finding = Trial().isolation(completion_min=0.999)
        assert clauses(finding)[COMPLETION] is Outcome.INCONCLUSIVE
        assert "2,995 samples would do" in finding.reason

    @pytest.mark.parametrize(("per_s", "outcome"), [(50.0, "pass"), (49.0, "inconclusive")])
    def test_below_the_declared_multiple_there_is_no_noise(
        self, per_s: float, outcome: str
    ) -> None:
        assert Trial(flood_per_s=per_s).isolation().outcome == outcome

    def test_without_noise_not_even_a_slow_victim_is_judged(self) -> None:
        finding = Trial(flood_per_s=20.0, latency=slowed("saga")).isolation()
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert set(clauses(finding).values()) == {Outcome.INCONCLUSIVE}
        assert "a test without noise proves nothing" in finding.reason

    def test_calls_that_fail_for_another_reason_are_no_noise(self) -> None:
        trial = Trial(call=lambda _: (SampleOutcome.FAIL, "PERMISSION_DENIED"))
        assert trial.isolation().outcome is Outcome.INCONCLUSIVE

    def test_refused_calls_are_noise(self) -> None:
        assert Trial(call=refused_beyond(0.1)).isolation().outcome is Outcome.PASS

    def test_calls_that_a_platform_never_answers_are_noise(self) -> None:
        trial = Trial(
            call=lambda _: (SampleOutcome.INFO, "DEADLINE_EXCEEDED"), latency=slowed("saga")
        )
        assert trial.isolation().outcome is Outcome.FAIL

    def test_a_late_generator_judges_nothing(self) -> None:
        finding = Trial(late_ms=11.0, latency=slowed("saga")).isolation()
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "the generator was late" in finding.reason

    def test_a_generator_out_of_cpu_judges_nothing(self) -> None:
        finding = Trial(cpu_share=0.95, latency=slowed("saga")).isolation()
        assert finding.outcome is Outcome.INCONCLUSIVE

    def test_the_blocks_are_listed_in_their_order(self) -> None:
        rows = Trial(call=refused_beyond(0.5)).isolation().figures["blocks"]
        assert [row["block"] for row in rows[:4]] == ["noisy 1", "quiet 1", "quiet 2", "noisy 2"]
        assert (rows[0]["served_per_s"], rows[0]["refused_per_s"]) == (50.0, 50.0)

    def test_two_floods_in_one_trial_are_not_judged(self) -> None:
        assert Trial(floods=2).isolation().outcome is Outcome.INCONCLUSIVE


class TestRefusal:
    def test_without_a_declaration_nothing_is_judged(self) -> None:
        finding = Trial().refusal()
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "declare tenant_calls_per_s" in finding.reason

    def test_a_flood_that_is_refused_beyond_its_rate_passes(self) -> None:
        finding = Trial(call=refused_beyond(0.5)).refusal(tenant_calls_per_s=50)
        assert finding.outcome is Outcome.PASS
        assert finding.figures["refusals"] == {REFUSAL: 3000}

    @pytest.mark.parametrize(("declared", "outcome"), [(49, "pass"), (48, "fail")])
    def test_the_rate_is_kept_within_a_tenth(self, declared: int, outcome: str) -> None:
        finding = Trial(call=refused_beyond(0.54)).refusal(tenant_calls_per_s=declared)
        assert clauses(finding)[RATE] == outcome

    def test_a_flood_that_is_let_through_fails(self) -> None:
        finding = Trial().refusal(tenant_calls_per_s=50)
        assert clauses(finding)[RATE] is Outcome.FAIL
        assert clauses(finding)[TOLD] is Outcome.INCONCLUSIVE

    def test_a_flood_below_the_declared_rate_is_no_test_of_it(self) -> None:
        finding = Trial().refusal(tenant_calls_per_s=95)
        assert clauses(finding)[RATE] is Outcome.INCONCLUSIVE

    @pytest.mark.parametrize(
        "cause",
        [
            "RESOURCE_EXHAUSTED:-:-",
            "RESOURCE_EXHAUSTED:UNSPECIFIED:NAMESPACE",
            "RESOURCE_EXHAUSTED:RPS_LIMIT:UNSPECIFIED",
            "RESOURCE_EXHAUSTED:RPS_LIMIT:SYSTEM",
        ],
    )
    def test_a_refusal_without_its_cause_or_for_the_systems_sake_fails(self, cause: str) -> None:
        finding = Trial(call=refused_beyond(0.5, cause)).refusal(tenant_calls_per_s=50)
        assert [n for n, o in clauses(finding).items() if o is Outcome.FAIL] == [TOLD]

    def test_others_that_feel_the_flood_fail(self) -> None:
        trial = Trial(call=refused_beyond(0.5), latency=slowed("query"))
        finding = trial.refusal(tenant_calls_per_s=50)
        assert [n for n, o in clauses(finding).items() if o is Outcome.FAIL] == [OTHERS]

    @pytest.mark.parametrize(("per_s", "outcome"), [(22.0, "pass"), (23.0, "fail")])
    def test_a_queue_keeps_its_rate_within_a_tenth(self, per_s: float, outcome: str) -> None:
        trial = Trial(flood="activities", activities_per_s=per_s)
        assert clauses(trial.refusal(queue_activities_per_s=20))[QUEUE] == outcome

    def test_a_queue_that_dispatches_nothing_is_not_judged(self) -> None:
        finding = Trial(flood="activities").refusal(queue_activities_per_s=20)
        assert clauses(finding)[QUEUE] is Outcome.INCONCLUSIVE

    def test_a_queue_that_was_not_filled_is_not_judged(self) -> None:
        finding = Trial(flood="signals", activities_per_s=10).refusal(queue_activities_per_s=20)
        assert clauses(finding)[QUEUE] is Outcome.INCONCLUSIVE


class TestBlocks:
    def test_every_pair_has_one_of_each_and_chance_orders_them(self) -> None:
        blocks = planned_blocks(("starts", "lists"), 40, seed=3)
        pairs = [blocks[n : n + 2] for n in range(0, 80, 2)]
        assert all({b.noisy for b in pair} == {True, False} for pair in pairs)
        assert all(pair[0].pair == pair[1].pair == n for n, pair in enumerate(pairs))
        assert 10 <= sum(pair[0].noisy for pair in pairs) <= 30
        assert [pair[0].flood for pair in pairs[:3]] == ["starts", "lists", "starts"]

    def test_the_same_seed_gives_the_same_order(self) -> None:
        assert planned_blocks(("lists",), 9, 5) == planned_blocks(("lists",), 9, 5)
        assert planned_blocks(("lists",), 9, 5) != planned_blocks(("lists",), 9, 6)

    def test_calls_are_made_in_noisy_blocks_alone(self) -> None:
        blocks = [
            PlannedBlock(pair=0, noisy=noisy, flood="lists") for noisy in (False, True)
        ]  # fmt: skip
        noise = Noise(FloodPlan(blocks=blocks, block_s=2.0, rate_per_s=5.0, payload_bytes=1))
        due = [arrival[1] for arrival in noise.rest()]
        assert (len(due), min(due), max(due)) == (10, 2_000_000_000, 3_800_000_000)
        assert {noise.block_of(index) for index in range(10)} == {1}

    @pytest.mark.parametrize("text", ["", "storms", "starts,storms", ","])
    def test_an_unknown_flood_is_refused_with_the_choices(self, text: str) -> None:
        with pytest.raises(UsageError, match="there are starts, lists, payloads"):
            parse_floods(text)

    def test_six_pairs_are_the_least_with_an_interval(self) -> None:
        enough = Trial(pairs=LEAST_PAIRS).isolation().figures["felt"][0]
        too_few = Trial(pairs=LEAST_PAIRS - 1).isolation().figures["felt"][0]
        assert enough["ratio"] == 1
        assert too_few["ratio"] is None


def refusal(detail: ResourceExhaustedFailure | None) -> RPCError:
    from google.protobuf.any_pb2 import Any as Packed
    from temporalio.api.common.v1 import GrpcStatus

    status = GrpcStatus(code=8, message="no")
    if detail is not None:
        packed = Packed()
        packed.Pack(detail)
        status.details.append(packed)
    return RPCError("no", RPCStatusCode.RESOURCE_EXHAUSTED, status.SerializeToString())


class TestCauses:
    def test_cause_and_scope_are_read_from_the_details(self) -> None:
        detail = ResourceExhaustedFailure(
            cause=ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT,
            scope=ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE,
        )
        assert cause_of(refusal(detail)) == REFUSAL

    def test_a_refusal_without_details_says_so(self) -> None:
        assert cause_of(refusal(None)) == "RESOURCE_EXHAUSTED:-:-"

    def test_another_status_is_named_alone(self) -> None:
        assert cause_of(RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")) == "UNAVAILABLE"


def test_the_report_shows_noisy_beside_quiet_and_shades_the_noise() -> None:
    made = Trial(latency=slowed("saga"))
    kinds = [LoadRun, Flood, Block, Executed, Stored, Gauge]
    journal = made.evidence(kinds).journal
    check = [check for check in CHECKS if check.id == "INV-ISO-14"]
    found = judge(journal, check, {"INV-ISO-14": "M"}, PARAMETERS)
    html = reports.render([reports.Trial(journal, found)], mutants={}, now_wall_ns=1)
    assert "another tenant floods with signals" in html
    assert "noisy 1" in html
    assert "quiet 1" in html
    assert "starts (user_perceived)" in html


def test_a_run_beside_a_flood_is_compared_with_no_other(tmp_path: Path) -> None:
    trial = sealed(tmp_path / "t", samples([10.0] * 20, [20.0] * 20), workload="neighbours")
    assert read_run(trial).unfit == "another tenant flooded beside it"


def test_other_service_levels_leave_a_run_beside_a_flood_alone() -> None:
    evidence = Trial(latency=slowed("saga"), lost=lambda _noisy, _number: True).evidence([LoadRun])
    for judged in (start_latency, completion):
        assert "no load run had an operation" in judged(evidence).reason
