"""What a workflow costs, on hand-made counts: every way to pass, to fail, and to be left open."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.checks.check import Evidence, Finding
from harness.checks.cost import CHECKS
from harness.checks.cost.blocks import BLOCKS
from harness.checks.cost.storage import LEAST_WORKFLOWS, storage_suffices
from harness.checks.cost.traffic import traffic_as_estimated
from harness.checks.cost.worker import workers_are_efficient
from harness.checks.verdict import judge
from harness.journal.read import from_records, hand_made_manifest
from harness.journal.records import (
    BYPASSING,
    IDLE,
    UNDER_LOAD,
    WORKER_CPU_S,
    WORKER_RSS_BYTES,
    Gauge,
    LoadRun,
    Record,
    Stored,
    Subject,
    Traffic,
)
from harness.load.engine import Sample
from harness.load.samples import Origin, SampleOutcome, encode
from harness.outcome import Outcome

S = 1_000_000_000
PARAMETERS: dict[str, Any] = {
    "confidence": 0.95,
    "retention_days": 90.0,
    "workflows_per_day": 10_000,
    "workflows_per_day_later": 100_000,
    "grpc_gb_per_day": 1.0,
    "history_storage_gb": 20.0,
    "worker_cpu_most_ms": 864,
}
KINDS = frozenset({Traffic, LoadRun, Gauge, Stored})


def evidence(
    records: Sequence[Record], files: dict[str, bytes] | None = None, **parameters: Any
) -> Evidence:
    journal = from_records(records, manifest=hand_made_manifest(), histories=files or {})
    return Evidence(journal, KINDS, {**PARAMETERS, **parameters})


# --- storage


def stored(number: int, size: int = 5000, **fields: Any) -> Stored:
    given: dict[str, Any] = {
        "tenant": "alpha",
        "root": f"w-{number}",
        "workflow_id": f"w-{number}",
        "run_id": f"r-{number}",
        "workflow_type": "ReferenceSaga",
        "status": "COMPLETED",
        "history_bytes": size,
        "told_events": 29,
        "events": 29,
        "read_bytes": size,
        "activities": 4,
    }
    return Stored(at_ns=1, wall_ns=1, **{**given, **fields})


def kept(records: Sequence[Stored], **parameters: Any) -> Finding:
    return storage_suffices(evidence(records, **parameters))


def alike(count: int = 40, size: int = 5000, **fields: Any) -> list[Stored]:
    return [stored(number, size, **fields) for number in range(count)]


def test_what_is_kept_is_the_mean_of_a_workflow_times_those_of_a_retention() -> None:
    finding = kept(alike())
    assert finding.outcome is Outcome.PASS
    first, later = finding.figures["kept"]
    assert (first["histories"], first["gb"]) == (900_000, 4.5)
    assert (later["histories"], later["gb"]) == (9_000_000, 45.0)


@pytest.mark.parametrize(
    ("provisioned_gb", "outcome"), [(4.5, Outcome.PASS), (4.4999, Outcome.FAIL)]
)
def test_the_store_may_be_full_and_no_fuller(provisioned_gb: float, outcome: Outcome) -> None:
    assert kept(alike(), history_storage_gb=provisioned_gb).outcome is outcome


def test_a_broken_promise_names_the_heaviest() -> None:
    records = [*alike(39, 4000), stored(99, 90_000)]
    finding = kept(records, history_storage_gb=1.0)
    assert finding.outcome is Outcome.FAIL
    assert finding.witnesses[0].text == "alpha w-99: 90,000 bytes"


def test_without_a_declared_size_nothing_is_concluded() -> None:
    finding = kept(alike(), history_storage_gb=0.0)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "history_storage_gb" in finding.reason
    assert "4.5 GB" in finding.reason


def test_within_the_interval_nothing_is_concluded_and_it_says_how_many_would_do() -> None:
    records = [stored(n, 3000 + 4000 * (n % 2)) for n in range(40)]
    finding = kept(records, history_storage_gb=4.6)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.figures["samples_needed"] > 40
    more = [stored(n, 3000 + 4000 * (n % 2)) for n in range(2 * finding.figures["samples_needed"])]
    assert kept(more, history_storage_gb=4.6).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("count", "outcome"),
    [(LEAST_WORKFLOWS - 1, Outcome.INCONCLUSIVE), (LEAST_WORKFLOWS, Outcome.PASS)],
)
def test_few_workflows_prove_nothing_however_alike_they_are(count: int, outcome: Outcome) -> None:
    assert kept(alike(count)).outcome is outcome
    broken = {Outcome.PASS: Outcome.FAIL}.get(outcome, outcome)
    assert kept(alike(count), history_storage_gb=0.1).outcome is broken


def test_what_carries_a_workflow_on_and_its_children_weigh_as_well() -> None:
    parts = [
        part
        for n in range(40)
        for part in (
            stored(n, 1000, status="CONTINUED_AS_NEW"),
            stored(n, 2000, run_id=f"second-{n}"),
            stored(n, 3000, workflow_id=f"child-{n}", workflow_type="Child"),
        )
    ]
    finding = kept(parts)
    assert finding.figures["bytes_for_each"] == 6000
    (row,) = finding.figures["by_type"]
    assert (row["type"], row["workflows"], row["runs"]) == ("ReferenceSaga", 40, 120)


def test_workflows_of_two_tenants_with_one_id_are_two() -> None:
    both = [stored(n, tenant=tenant) for n in range(20) for tenant in ("alpha", "beta")]
    assert kept(both).figures["judged"] == 40


def test_what_is_still_open_is_left_out_with_all_that_belongs_to_it() -> None:
    open_ones = [stored(n, 1, status="RUNNING") for n in range(100, 110)]
    open_ones += [stored(n, 1, run_id="child") for n in range(100, 110)]
    finding = kept([*alike(), *open_ones])
    assert finding.figures["still_open"] == 10
    assert finding.figures["bytes_for_each"] == 5000
    assert kept([*alike(29), *open_ones]).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "wrong",
    [{"history_bytes": 0}, {"read_bytes": 50_000}, {"read_bytes": 2000}, {"told_events": 28}],
)
def test_a_count_that_is_not_that_of_the_history_is_not_believed(wrong: dict[str, int]) -> None:
    finding = kept([*alike(), stored(50, **wrong)])
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "not that of what was read" in finding.reason


def test_bytes_are_regressed_on_activities_where_these_vary() -> None:
    records = [stored(n, 700 + 1200 * (n % 5), activities=n % 5) for n in range(50)]
    figures = kept(records).figures
    assert figures["bytes_of_none"] == 700
    assert figures["bytes_for_each_activity"] == 1200
    assert "same number" in kept(alike()).figures["by_activities"]


# --- traffic


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A load of `count` workflows at 10 a second, after `idle_s` of idleness, as counted."""

    count: int = 100
    each: int = 14_000  # bytes of a workflow on the workers' link, a third of them to the engine
    idle_s: float = 75.0
    idle_per_s: float = 200.0
    links: tuple[Subject, ...] = (Subject.GENERATOR, Subject.WORKER, Subject.EXPORTER)
    silent: tuple[Subject, ...] = ()
    kind: str = "RUN"
    completed: int | None = None
    past: Sequence[str] | None = ()
    sizes: Sequence[int] = field(default_factory=tuple)
    made_ready: int = 0  # bytes in the five seconds before the first arrival

    def records(self) -> Iterator[Record]:
        at_ns = 1000 * S
        begin = self.traffic(at_ns, IDLE, 0)
        end_ns = at_ns + round(self.idle_s * S)
        idle_bytes = round(self.idle_s * self.idle_per_s)
        if self.idle_s:
            yield from begin
            yield from self.traffic(end_ns, IDLE, idle_bytes)
        yield from self.traffic(end_ns, "", idle_bytes)
        passed = idle_bytes
        if self.made_ready:
            yield from self.traffic(end_ns, UNDER_LOAD, passed)
            passed += self.made_ready
            end_ns += 5 * S
        sizes = self.sizes or [self.each] * self.count
        for second in range(len(sizes) // 10 + 1):
            yield from self.traffic(end_ns + second * S, UNDER_LOAD, passed)
            passed += sum(sizes[10 * second : 10 * second + 10])
        yield from self.traffic(end_ns + (len(sizes) // 10 + 2) * S, UNDER_LOAD, passed)
        if self.past is not None:
            yield Gauge(
                at_ns=1, wall_ns=1, name=BYPASSING, value=len(self.past),
                detail=", ".join(self.past),
            )  # fmt: skip
        yield self.run

    def traffic(self, at_ns: int, stretch: str, passed: int) -> list[Record]:
        return [
            Traffic(
                at_ns=at_ns,
                wall_ns=1,
                link=link,
                stretch=stretch,
                to_engine_bytes=0 if link in self.silent else passed // 3,
                from_engine_bytes=0 if link in self.silent else passed - passed // 3,
                connections=2,
            )
            for link in self.links
        ]

    @property
    def raw(self) -> bytes:
        count = len(self.sizes) or self.count
        begin_ns = (1000 + round(self.idle_s) + (5 if self.made_ready else 0)) * S
        done = count if self.completed is None else self.completed
        origin = Origin(
            trial_id="t",
            workload="saga",
            workflow_id_prefix="load-t",
            tenants=["alpha"],
            begin_ns=begin_ns,
            begin_wall_ns=0,
            horizon_s=60.0,
            kinds=[self.kind],
        )
        rows = [
            Sample(
                index=n,
                tenant=0,
                intended_ns=begin_ns + n * S // 10,
                sent_ns=begin_ns + n * S // 10,
                answered_ns=begin_ns + n * S // 10 + 1,
                completed_ns=begin_ns + n * S // 10 + 2 if n < done else 0,
                outcome=SampleOutcome.OK if n < done else SampleOutcome.FAIL,
            )
            for n in range(count)
        ]
        return encode(origin, rows)

    @property
    def run(self) -> LoadRun:
        count = len(self.sizes) or self.count
        return LoadRun(
            at_ns=1,
            wall_ns=1,
            workload="saga",
            mode="planned",
            rate_per_s=10.0,
            duration_s=count / 10,
            warmup_s=0.0,
            seed=0,
            planned=count,
            sent=count,
            not_sent=0,
            lateness_p99_ns=0,
            lateness_max_ns=0,
            cpu_share=0.1,
            samples="samples/load.bin",
            rows=count,
            sha256=hashlib.sha256(self.raw).hexdigest(),
        )

    def judged(self, **parameters: Any) -> Finding:
        files = {"samples/load.bin": self.raw}
        return traffic_as_estimated(evidence(list(self.records()), files, **parameters))


def test_a_day_is_its_workflows_and_its_polling() -> None:
    finding = Counted().judged()
    assert finding.outcome is Outcome.PASS, finding.reason
    assert finding.figures["bytes_for_each"] == 14_000
    assert finding.figures["idle_bytes_per_s"] == 200
    first, later = finding.figures["days"]
    assert first["gb"] == pytest.approx(0.14 + 0.0173, abs=1e-3)
    assert later["gb"] == pytest.approx(1.4 + 0.0173, abs=1e-3)
    assert first["gb_upper"] == pytest.approx(0.14 + 0.0864, abs=1e-3)  # 15,000 bytes in 15 s
    assert first["gb_lower"] == pytest.approx(0.14, abs=1e-3)


def test_each_link_is_shown_in_both_directions() -> None:
    figures = Counted().judged().figures
    by_link = {row["link"]: row for row in figures["links"]}
    assert set(by_link) == {"generator", "worker", "exporter"}
    assert by_link["worker"]["to_engine_bytes"] == pytest.approx(14_000 / 3, abs=1)
    assert by_link["worker"]["from_engine_bytes"] == pytest.approx(28_000 / 3, abs=1)
    assert figures["connections"] == {"generator": 2, "worker": 2, "exporter": 2}


@pytest.mark.parametrize(
    ("each", "outcome"),
    [
        (99_990, Outcome.PASS),
        (100_000, Outcome.PASS),
        (100_010, Outcome.FAIL),
        (500_000, Outcome.FAIL),
    ],
)
def test_at_the_limit_of_a_workflow(each: int, outcome: Outcome) -> None:
    """100,000 bytes each are 1 GB in 10,000; without idle traffic that is all."""
    assert Counted(each=each, idle_per_s=0.0).judged().outcome is outcome


@pytest.mark.parametrize(
    ("idle_per_s", "outcome"),
    [(1900, Outcome.PASS), (2100, Outcome.INCONCLUSIVE), (20_700, Outcome.INCONCLUSIVE),
     (20_900, Outcome.FAIL)],
)  # fmt: skip
def test_at_the_limit_of_idleness(idle_per_s: float, outcome: Outcome) -> None:
    """Room for 9,954 bytes a second beside the workflows: 75 s show between a fifth of what
    passes in the time of a poll less, and nearly twice."""
    assert Counted(idle_per_s=idle_per_s).judged().outcome is outcome


def test_an_idle_stretch_no_longer_than_a_poll_bounds_nothing_from_above() -> None:
    for idle_s in (0.0, 5.0, 60.0):
        finding = Counted(idle_s=idle_s).judged()
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "--idle 75" in finding.reason
        assert finding.figures["days"][0]["gb_upper"] is None
    assert Counted(idle_s=5.0, each=200_000).judged().outcome is Outcome.FAIL
    assert Counted(idle_s=5.0, idle_per_s=160_000).judged().outcome is Outcome.FAIL


def test_as_long_an_idle_stretch_as_it_asks_for_does() -> None:
    finding = Counted(idle_per_s=5000).judged()
    assert finding.outcome is Outcome.INCONCLUSIVE
    asked_s = float(finding.reason.rpartition("--idle ")[2].rstrip(")"))
    assert Counted(idle_per_s=5000, idle_s=asked_s + 1).judged().outcome is Outcome.PASS
    assert Counted(idle_per_s=5000, idle_s=asked_s - 5).judged().outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("link", [Subject.GENERATOR, Subject.WORKER])
def test_a_role_that_is_missing_is_not_zero(link: Subject) -> None:
    links = tuple(each for each in Counted().links if each is not link)
    finding = Counted(links=links).judged()
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert f"the {link}'s traffic" in finding.reason


@pytest.mark.parametrize("link", Counted().links)
def test_a_link_without_a_byte_went_another_way(link: Subject) -> None:
    finding = Counted(silent=(link,)).judged()
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert f"no byte of {link}" in finding.reason


def test_an_exporter_that_others_start_needs_no_link() -> None:
    assert Counted(links=(Subject.GENERATOR, Subject.WORKER)).judged().outcome is Outcome.PASS


def test_who_goes_past_the_proxy_is_named_and_nothing_concluded() -> None:
    finding = Counted(past=("python (7)",), each=500_000).judged()
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "python (7)" in finding.reason
    finding = Counted(past=None).judged()
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "nobody looked" in finding.reason


@pytest.mark.parametrize("kind", ["START", "QUERY"])
def test_what_is_not_followed_to_its_end_cannot_be_divided_by(kind: str) -> None:
    finding = Counted(kind=kind).judged()
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "cannot be divided" in finding.reason


@pytest.mark.parametrize(("count", "outcome"), [(29, Outcome.INCONCLUSIVE), (30, Outcome.PASS)])
def test_few_workflows_prove_nothing(count: int, outcome: Outcome) -> None:
    finding = Counted(count=100, completed=count, each=1000).judged()
    assert finding.outcome is outcome


def test_workflows_that_did_not_complete_are_no_discount() -> None:
    """Half of them exchanged next to nothing: the others are not cheaper for it."""
    half = Counted(completed=50, each=80_000).judged()
    assert half.outcome is Outcome.INCONCLUSIVE
    assert half.figures["bytes_for_each"] == 160_000
    assert half.figures["days"][0]["gb_lower"] == pytest.approx(0.8, abs=0.01)


def test_workflows_that_take_long_are_no_uneven_ones() -> None:
    """What passes comes three seconds late: the first block lacks it, the last one has it."""
    late = Counted(sizes=[*([0] * 10), *([14_000] * 80), *([28_000] * 10)]).judged()
    assert late.outcome is Outcome.PASS
    assert late.figures["bytes_for_each_at_least"] == 14_000
    assert late.figures["bytes_for_each_at_most"] == 14_000


def test_what_makes_a_load_ready_is_none_of_its_workflows() -> None:
    finding = Counted(made_ready=50_000_000).judged()
    assert finding.outcome is Outcome.PASS, finding.reason
    assert finding.figures["bytes_for_each"] == 14_000


def test_uneven_workflows_widen_the_interval() -> None:
    uneven = Counted(sizes=[1000 if n // 10 % 2 else 180_000 for n in range(100)]).judged()
    assert uneven.outcome is Outcome.INCONCLUSIVE
    assert "workflows would do" in uneven.reason


def test_blocks_hold_as_many_workflows_each() -> None:
    assert BLOCKS == 10
    figures = Counted(count=107).judged().figures
    assert figures["bytes_for_each_at_most"] == pytest.approx(14_000, rel=0.35)


def test_counts_that_were_cut_off_are_left_open() -> None:
    records = [each for each in Counted().records() if not isinstance(each, Traffic)]
    finding = traffic_as_estimated(evidence(records, {"samples/load.bin": Counted().raw}))
    assert finding.outcome is Outcome.INCONCLUSIVE


def test_two_load_runs_cannot_be_told_apart() -> None:
    counted = Counted()
    again = {name: getattr(counted.run, name) for name in counted.run.__struct_fields__}
    records = [*counted.records(), LoadRun(**{**again, "session": 2})]
    finding = traffic_as_estimated(evidence(records, {"samples/load.bin": counted.raw}))
    assert finding.outcome is Outcome.INCONCLUSIVE


# --- workers


@dataclass(frozen=True, kw_only=True)
class Working:
    """A load of `count` workflows at 10 a second, of which each takes CPU time of the workers."""

    count: int = 100
    each_ms: float = 50.0
    completed: int | None = None
    kind: str = "RUN"
    seen_until: float = 1e9  # seconds
    growing: float = 0.0  # bytes of memory of each open workflow

    def records(self) -> Iterator[Record]:
        load = Counted(count=self.count, idle_s=0.0, completed=self.completed, kind=self.kind)
        yield load.run
        for second in range(-1, self.count // 10 + 4):
            at: dict[str, int] = {"at_ns": (1000 + second) * S, "wall_ns": 1}
            done = min(max(10 * second, 0), self.count)
            if second <= self.seen_until:
                yield Gauge(**at, name=WORKER_CPU_S, value=7 + done * self.each_ms / 1000)
                open_now = float(second % 5)
                yield Gauge(**at, name="load.open", value=open_now)
                rss = 5e7 + open_now * self.growing
                yield Gauge(**at, name=WORKER_RSS_BYTES, value=rss)

    def judged(self, *more: Record, **parameters: Any) -> Finding:
        load = Counted(count=self.count, idle_s=0.0, completed=self.completed, kind=self.kind)
        files = {"samples/load.bin": load.raw}
        return workers_are_efficient(evidence([*self.records(), *more], files, **parameters))


def test_a_core_carries_as_many_workflows_as_their_time_fits_into_a_second() -> None:
    finding = Working().judged()
    assert finding.outcome is Outcome.PASS, finding.reason
    assert finding.figures["cpu_ms"] == 50
    assert finding.figures["workflows_a_second_for_each_core"] == 20


@pytest.mark.parametrize(
    ("each_ms", "outcome"),
    [(863.9, Outcome.PASS), (864.2, Outcome.FAIL), (2000, Outcome.FAIL)],
)
def test_at_the_limit_of_cpu_time(each_ms: float, outcome: Outcome) -> None:
    assert Working(each_ms=each_ms).judged().outcome is outcome


def test_memory_of_an_open_workflow_is_the_slope_where_their_number_varies() -> None:
    figures = Working(growing=2048.0).judged().figures
    assert figures["rss_kib_for_each_open"] == 2.0
    assert figures["rss_most_mib"] == pytest.approx(47.7, abs=0.1)


@pytest.mark.parametrize(
    ("working", "why"),
    [
        (Working(completed=29), "30 would do"),
        (Working(kind="START"), "does not only run"),
        (Working(each_ms=0.0), "others did the work"),
        (Working(seen_until=5), "not known to the end"),
        (Working(seen_until=-1), "not ours to look at"),
    ],
)
def test_without_enough_to_see_workers_are_left_open(working: Working, why: str) -> None:
    finding = working.judged()
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert why in finding.reason


def test_a_worker_that_was_replaced_is_left_open() -> None:
    fresh = Gauge(at_ns=1100 * S, wall_ns=1, name=WORKER_CPU_S, value=0.1)
    assert "not known to the end" in Working().judged(fresh).reason


def test_nothing_recorded_is_nothing_proven() -> None:
    journal = from_records([], manifest=hand_made_manifest())
    verdicts = judge(journal, CHECKS, {check.id: "N" for check in CHECKS}, PARAMETERS)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.INCONCLUSIVE}
