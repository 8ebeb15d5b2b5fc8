"""A run in several processes is judged as one: nothing lost, nothing doubled."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from harness.errors import TamperedJournal
from harness.journal.records import LoadRun
from harness.load.engine import Part, Planned, Sample
from harness.load.plan import Plan, Turns
from harness.load.samples import Origin, SampleOutcome, encode
from harness.load.whole import PROCESS_LOST, sessions, whole_run

PLANNED = 10
GAP_NS = 1_000_000
RAW: dict[str, bytes] = {}


def part(number: int, of: int = 2, begin_ns: int = 500, causes: str = "", **fields: Any) -> LoadRun:
    """The record of one process; its samples are kept in `RAW`."""
    indices = range(number, PLANNED, of)
    origin = Origin(
        trial_id="t", workload="saga", workflow_id_prefix="load-t", tenants=["alpha"],
        begin_ns=begin_ns, begin_wall_ns=0, horizon_s=60.0,
    )  # fmt: skip
    samples = [
        Sample(
            index=index,
            tenant=0,
            intended_ns=begin_ns + index * GAP_NS,
            sent_ns=begin_ns + index * GAP_NS + 1,
            outcome=SampleOutcome.FAIL if causes else SampleOutcome.OK,
            cause=f"{causes}{index}" if causes else "",
        )
        for index in indices
    ]
    path = f"samples/part-{number}-{of}-{begin_ns}-{causes}.bin"
    RAW[path] = encode(origin, samples)
    given: dict[str, Any] = {
        "at_ns": 1, "wall_ns": 1, "workload": "saga", "mode": "planned", "rate_per_s": 1000.0,
        "duration_s": 0.01, "warmup_s": 0.0, "seed": 1, "planned": PLANNED, "sent": len(indices),
        "not_sent": 0, "lateness_p99_ns": number, "lateness_max_ns": number, "cpu_share": 0.1,
        "samples": path, "rows": len(indices), "sha256": "", "part": number, "parts": of,
    }  # fmt: skip
    return LoadRun(**{**given, **fields})


def raw(run: LoadRun) -> bytes:
    return RAW[run.samples]


def test_every_arrival_of_a_plan_is_in_one_part_only() -> None:
    offsets = array("q", (index * GAP_NS for index in range(PLANNED)))
    plan = Plan(offsets_ns=offsets, turns=Turns([1]))
    taken = [
        [index for index, *_ in Planned(plan=plan, part=Part(number=k, of=3)).rest()]
        for k in range(3)
    ]
    assert sorted(index for some in taken for index in some) == list(range(PLANNED))


def test_parts_are_one_run() -> None:
    whole = whole_run([part(0), part(1)], raw)
    assert sorted(whole.samples.index) == list(range(PLANNED))
    assert (whole.run.sent, whole.run.not_sent, whole.run.rows) == (PLANNED, 0, PLANNED)
    assert whole.run.lateness_max_ns == 1
    assert whole.lost == ()


def test_the_clocks_of_other_machines_are_set_to_the_first_one_s() -> None:
    whole = whole_run([part(0), part(1, begin_ns=9_000_000_000)], raw)
    intended = dict(zip(whole.samples.index, whole.samples.intended_ns, strict=True))
    assert [intended[index] for index in range(PLANNED)] == [
        500 + index * GAP_NS for index in range(PLANNED)
    ]
    assert not any(whole.samples.completed_ns)  # what did not happen still did not


def test_causes_keep_their_names() -> None:
    whole = whole_run([part(0, causes="a"), part(1, causes="b")], raw)
    named = {
        index: whole.samples.causes[number]
        for index, number in zip(whole.samples.index, whole.samples.cause, strict=True)
    }
    assert named == {index: f"{'ab'[index % 2]}{index}" for index in range(PLANNED)}


def test_the_arrivals_of_a_lost_process_were_not_sent() -> None:
    whole = whole_run([part(1)], raw)
    assert whole.lost == (0,)
    assert (whole.run.sent, whole.run.not_sent) == (5, 5)
    rows = {
        index: (SampleOutcome(outcome), whole.samples.causes[cause])
        for index, outcome, cause in zip(
            whole.samples.index, whole.samples.outcome, whole.samples.cause, strict=True
        )
    }
    assert [rows[index] for index in (0, 1, 2)] == [
        (SampleOutcome.NOT_SENT, PROCESS_LOST),
        (SampleOutcome.OK, ""),
        (SampleOutcome.NOT_SENT, PROCESS_LOST),
    ]
    intended = dict(zip(whole.samples.index, whole.samples.intended_ns, strict=True))
    assert intended[4] == 500 + 4 * GAP_NS


@pytest.mark.parametrize("other", [{"seed": 2}, {"planned": 11}, {"part": 0}, {"workload": "mix"}])
def test_parts_of_other_runs_do_not_belong_together(other: dict[str, Any]) -> None:
    with pytest.raises(TamperedJournal, match="not of one run"):
        whole_run([part(0), part(1, **other)], raw)


def test_runs_of_a_trial_are_told_apart() -> None:
    runs = [part(1), part(0, session=2), part(0), part(1, session=2)]
    assert [[(r.session, r.part) for r in each] for each in sessions(runs)] == [
        [(1, 0), (1, 1)],
        [(2, 0), (2, 1)],
    ]
