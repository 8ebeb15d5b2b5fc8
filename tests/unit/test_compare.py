"""Comparing runs: the adapter, the verdicts, the command, and how often it is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy
import pytest
from numpy.random import default_rng

from harness.cli import run as harness
from harness.compare.calibrate import calibrated
from harness.compare.comparison import (
    Change,
    Tolerance,
    changed,
    compared,
    exit_code,
    runs_needed,
)
from harness.compare.runs import JUDGED, figures_of, judged_figures, read_run
from harness.journal.manifest import INTERRUPTED, WHY_ENDED
from harness.load.whole import WholeRun
from tests.unit.load_trials import MS, drawn, in_memory, samples, sealed

PLAIN = Tolerance()
NEVER = math.inf


def runs(*latencies: float, share: float = 1.0) -> list[dict[str, float]]:
    return [{"start_p95_ms": value, "ok_share": share, "ok_per_s": 10.0} for value in latencies]


SOUND = runs(100, 101, 99, 102, 98)


def said(a: list[dict[str, float]], b: list[dict[str, float]]) -> dict[str, Change]:
    return {name: change for name, (change, _) in changed(a, b, list(a[0]), PLAIN).items()}


FIVE = ["start_p95_ms", *(f"operation{number}_p95_ms" for number in range(4))]


def widened(of: list[dict[str, float]]) -> list[dict[str, float]]:
    """The runs with figures of four more operations, which never change."""
    return [{**dict.fromkeys(FIVE, 1.0), **run} for run in of]


# verdicts


def test_what_is_slower_in_every_run_and_by_more_than_the_tolerance_is_worse() -> None:
    found = said(SOUND, runs(110, 111, 109, 112, 108))
    assert found["start_p95_ms"] is Change.WORSE
    assert found["ok_share"] is Change.NONE
    assert exit_code(list(found.values())) == 1


def test_what_is_faster_in_every_run_is_better() -> None:
    found = said(runs(110, 111, 109, 112, 108), SOUND)
    assert found["start_p95_ms"] is Change.BETTER
    assert exit_code(list(found.values())) == 0


def test_what_is_slower_for_certain_but_by_less_than_the_tolerance_is_no_regression() -> None:
    found = said(SOUND, runs(104.0, 104.1, 103.9, 104.2, 103.8))
    assert found["start_p95_ms"] is Change.WITHIN
    assert exit_code(list(found.values())) == 0


def test_a_shift_that_chance_explains_is_no_regression() -> None:
    assert said(SOUND, runs(100, 107, 99, 108, 98))["start_p95_ms"] is Change.NONE


def test_runs_that_differ_too_much_among_themselves_do_not_pass() -> None:
    """The medians are alike, and a build half as slow again could not have been told from it."""
    found = said(runs(100, 150, 70, 120, 90), runs(101, 149, 71, 119, 91))
    assert found["start_p95_ms"] is Change.NOISY
    assert exit_code(list(found.values())) == 2


def test_a_throughput_that_falls_is_worse_and_one_that_rises_is_better() -> None:
    def at(rate: float) -> list[dict[str, float]]:
        return [{"ok_per_s": rate + 0.01 * number} for number in range(5)]

    assert said(at(10), at(9)) == {"ok_per_s": Change.WORSE}
    assert said(at(9), at(10)) == {"ok_per_s": Change.BETTER}


@pytest.mark.parametrize(
    ("share", "change"),
    [(1.0, Change.NONE), (0.9992, Change.WITHIN), (0.998, Change.WORSE), (0.9, Change.WORSE)],
)
def test_a_share_is_compared_by_its_difference(share: float, change: Change) -> None:
    """A tenth of a percentage point is tolerated, not five per cent of all sagas."""
    assert said(SOUND, runs(100, 101, 99, 102, 98, share=share))["ok_share"] is change


def test_what_is_never_answered_any_more_is_worse() -> None:
    found = compared(SOUND, runs(*[NEVER] * 5), ["start_p95_ms"], PLAIN)
    assert found[0].change is Change.WORSE
    assert (found[0].b_median, found[0].shift) == (None, None)


def test_what_is_never_answered_on_either_side_is_no_change() -> None:
    assert said(runs(*[NEVER] * 5), runs(*[NEVER] * 5))["start_p95_ms"] is Change.NONE


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_too_few_runs_say_nothing_whatever_they_show(count: int) -> None:
    a, b = SOUND[:count], runs(*[500.0] * count)
    changes = [change for change, _ in changed(widened(a), widened(b), FIVE, PLAIN).values()]
    assert changes == [Change.FEW] * 5
    assert exit_code(changes) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_two_runs_are_too_few_for_a_single_figure(count: int) -> None:
    found = said(
        [{"ok_per_s": 10.0}] * count,
        [{"ok_per_s": 1.0}] * count,
    )
    assert exit_code(list(found.values())) == 2


def test_how_many_runs_are_needed_follows_from_the_number_of_figures() -> None:
    assert [runs_needed(figures) for figures in (1, 3, 4, 5, 12, 13)] == [3, 4, 5, 5, 5, 6]


def test_one_of_many_figures_must_be_the_more_certain() -> None:
    """Two of 25 pairs the wrong way round: 16 of 1,000 by chance, enough for one, not of five."""
    a, b = runs(100, 101, 99, 102, 98), runs(110, 111, 100.5, 112, 108)
    assert changed(a, b, ["start_p95_ms"], PLAIN)["start_p95_ms"][0] is Change.WORSE
    change, chance = changed(widened(a), widened(b), FIVE, PLAIN)["start_p95_ms"]
    assert change is Change.NOISY
    assert chance == pytest.approx(5 * 4 / 252)


def test_figures_that_are_not_asked_for_are_shown_and_not_judged() -> None:
    found = compared(SOUND, runs(500, 501, 499, 502, 498), ["ok_share"], PLAIN)
    assert [(each.figure, each.change) for each in found] == [
        ("ok_share", Change.NONE),
        ("start_p95_ms", Change.SHOWN),
        ("ok_per_s", Change.SHOWN),
    ]
    assert found[1].shift == pytest.approx(5, rel=0.02)


def test_nothing_compared_is_no_pass() -> None:
    assert exit_code([]) == 2


# figures of a run


def test_figures_come_from_the_samples_by_nearest_rank() -> None:
    start, end = numpy.arange(1.0, 101.0), numpy.arange(1001.0, 1101.0)
    figures = figures_of(in_memory(start, end))
    assert figures["start_p50_ms"] == 50
    assert figures["start_p95_ms"] == 95
    assert figures["completion_p99_ms"] == 1099
    assert figures["ok_share"] == 1.0
    assert figures["ok_per_s"] == pytest.approx(9.0)  # those that ended within the plan


def test_what_was_never_answered_took_for_ever(tmp_path: Path) -> None:
    start = [10.0] * 90 + [NEVER] * 10
    run = read_run(sealed(tmp_path / "a", samples(start, [200.0] * 90 + [NEVER] * 10)))
    assert run.figures["start_p50_ms"] == 10
    assert run.figures["start_p95_ms"] == NEVER
    assert run.figures["ok_share"] == 0.9


def test_the_warmup_is_cut_from_latencies(tmp_path: Path) -> None:
    rows = samples([900.0] * 50 + [10.0] * 50, [1000.0] * 100)
    run = read_run(sealed(tmp_path / "a", rows, warmup_s=5.0))
    assert run.figures["start_p99_ms"] == 10


def test_each_operation_that_starts_nothing_has_figures_of_its_own(tmp_path: Path) -> None:
    rows = samples([10.0] * 100, [200.0] * 100)
    for row in rows[1::2]:
        row.operation = 1
        row.answered_ns = row.completed_ns = row.intended_ns + 70 * MS
    folder = sealed(
        tmp_path / "a", rows, origins={"operations": ["saga", "list"], "kinds": ["RUN", "LIST"]}
    )
    figures = read_run(folder).figures
    assert (figures["start_p95_ms"], figures["list_p95_ms"]) == (10, 70)
    assert judged_figures(list(figures)) == (*JUDGED, "list_p95_ms")


def test_a_run_without_starts_is_compared_by_what_it_has(tmp_path: Path) -> None:
    rows = samples([10.0] * 100, [10.0] * 100)
    folder = sealed(tmp_path / "a", rows, origins={"operations": ["list"], "kinds": ["LIST"]})
    assert judged_figures(list(read_run(folder).figures)) == ("ok_share", "ok_per_s", "list_p95_ms")


# the command


class Place:
    """A folder of trials."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begun = 0

    def trial(self, name: str, start_ms: float = 10.0, **fields: Any) -> str:
        """A trial whose starts all took so long; each begins after the one before."""
        self.begun += 1
        late_ms = fields.pop("late_ms", 0.0)
        rows = fields.pop("rows", samples([start_ms] * 60, [start_ms + 200] * 60, late_ms))
        return str(sealed(self.folder / name, rows, started_s=self.begun, **fields))

    def pairs(self, count: int, a_ms: float = 10.0, b_ms: float = 10.0) -> list[str]:
        """The arguments for so many interleaved runs of either side."""
        a, b = [], []
        for n in range(count):
            a.append(self.trial(f"a{n}", a_ms + 0.01 * n))
            b.append(self.trial(f"b{n}", b_ms + 0.01 * n))
        return [*a, "--with", *b]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_slower_build_ends_with_1_and_says_what_is_worse(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harness(["compare", *place.pairs(5, b_ms=12.0)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("WORSE  5 runs of A, 5 of B; tolerance 5 %")
    row = next(line for line in out.splitlines() if "start_p95_ms" in line)
    assert row.split()[1:5] == ["10.0", "ms", "12.0", "ms"]
    assert "x 1.200" in row
    assert row.endswith("WORSE")
    assert "note" not in out


def test_the_same_build_ends_with_0(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness(["compare", *place.pairs(5)]) == 0
    assert capsys.readouterr().out.startswith("NOTHING IS WORSE  5 runs of A")


def test_a_greater_tolerance_lets_it_pass(place: Place) -> None:
    assert harness(["compare", *place.pairs(5, b_ms=12.0), "--tolerance", "25"]) == 0


@pytest.mark.parametrize("count", [1, 4])
def test_too_few_runs_end_with_2_and_say_how_many_it_takes(
    place: Place, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run a side never fails the gate, however slow it is."""
    assert harness(["compare", *place.pairs(count, b_ms=500.0)]) == 2
    out = capsys.readouterr().out
    assert "CANNOT TELL" in out
    assert "5 figures need 5 runs a side" in out


def test_fewer_figures_need_fewer_runs(place: Place) -> None:
    arguments = place.pairs(3, b_ms=12.0)
    assert harness(["compare", *arguments, "--figures", "start_p95_ms"]) == 1


def test_json_has_every_figure_and_the_runs_values(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harness(["compare", *place.pairs(5, b_ms=12.0), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    figures = {each["figure"]: each for each in found["figures"]}
    assert found["exit_code"] == 1
    assert figures["start_p95_ms"]["change"] == "worse"
    assert figures["start_p95_ms"]["low"] > 1.19
    assert len(figures["start_p95_ms"]["b"]) == 5
    assert figures["start_p99_ms"]["change"] == "not judged"
    assert found["plan"]["rate_per_s"] == 10


def test_an_interrupted_run_and_a_late_generator_are_left_out_and_said(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = place.pairs(5)
    arguments.append(place.trial("cut", 99.0, ended=INTERRUPTED))
    arguments.append(place.trial("late", 99.0, late_ms=10.5))
    assert harness(["compare", *arguments]) == 0
    out = capsys.readouterr().out
    assert "5 runs of A, 5 of B" in out
    assert f"left out of B: {place.folder / 'cut'}: it was interrupted" in out
    assert "the generator was late: 10.5 ms at p99, its bound is 10 ms" in out


def test_runs_left_out_do_not_count_as_runs(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = place.pairs(4, b_ms=12.0)
    arguments.append(place.trial("cut", 12.0, ended=INTERRUPTED))
    assert harness(["compare", *arguments]) == 2
    assert "5 figures need 5 runs a side" in capsys.readouterr().out
    assert harness(["compare", *arguments, place.trial("b9", 12.0)]) == 1  # 4 with 5
    assert "need" not in capsys.readouterr().out


def test_lost_arrivals_of_the_generator_leave_a_run_out(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = place.pairs(5)
    assert harness(["compare", *arguments, place.trial("short", planned=61)]) == 0
    assert "60 samples of 61 planned arrivals" in capsys.readouterr().out


def test_a_platform_that_went_away_is_never_passed_over(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = place.pairs(5)
    arguments.append(
        place.trial("gone", ended=INTERRUPTED, environment={WHY_ENDED: "the engine is gone"})
    )
    assert harness(["compare", *arguments]) == 2
    assert "interrupted: the engine is gone" in capsys.readouterr().out


def test_when_no_run_is_left_nothing_is_compared(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = [place.trial(f"cut{n}", ended=INTERRUPTED) for n in range(5)]
    whole = [place.trial(f"a{n}") for n in range(5)]
    assert harness(["compare", *whole, "--with", *cut]) == 2
    assert "nothing is compared" in capsys.readouterr().out


def test_trials_that_ended_before_their_load_are_left_out(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = place.trial("a", runs=0, ended=INTERRUPTED), place.trial("b", runs=0)
    assert harness(["compare", a, "--with", b]) == 2
    out = capsys.readouterr().out
    assert f"left out of A: {a}: it was interrupted" in out
    assert f"left out of B: {b}: it has no load run" in out
    assert "no run has a plan" in out


def test_runs_that_were_not_interleaved_are_pointed_out(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    a = [place.trial(f"a{n}") for n in range(5)]
    b = [place.trial(f"b{n}") for n in range(5)]
    assert harness(["compare", *b, "--with", *a]) == 0
    assert "note: all runs of B came before those of A" in capsys.readouterr().out


def test_runs_of_several_machines_are_pointed_out(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = place.pairs(5)
    arguments.append(place.trial("other", environment={"system": "Linux", "cores": "64"}))
    assert harness(["compare", *arguments]) == 0
    assert "several machines (cores 2, system Linux and cores 64, system" in capsys.readouterr().out


OTHER_PLANS: list[tuple[dict[str, Any], str]] = [
    ({"workload": "mix"}, "workload saga and mix"),
    ({"rate_per_s": 20.0}, "rate_per_s 10.0 and 20.0"),
    ({"duration_s": 7.0}, "duration_s 6.0 and 7.0"),
    ({"warmup_s": 1.0}, "warmup_s 0.0 and 1.0"),
    ({"shape": "ramp:1-20"}, "shape constant and ramp:1-20"),
    ({"origins": {"horizon_s": 30.0}}, "horizon_s 60.0 and 30.0"),
    ({"origins": {"tenants": ["alpha", "beta"]}}, "tenants ['alpha'] and ['alpha', 'beta']"),
    ({"origins": {"settings": {"spacing": "poisson"}}}, "spacing even and poisson"),
    ({"origins": {"settings": {"weights": {"alpha": 2}}}}, "weights {'alpha': 1} and {'alpha': 2}"),
    ({"seed": 9}, "the plans have other seeds on either side (1, 1; 9)"),
]


@pytest.mark.parametrize(("fields", "message"), OTHER_PLANS)
def test_runs_of_other_plans_are_not_comparable(
    place: Place, fields: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a = [place.trial("a0"), place.trial("a1")]
    assert harness(["compare", *a, "--with", place.trial("b", **fields)]) == 64
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_each_run_may_have_a_plan_of_its_own_seed(place: Place) -> None:
    a = [place.trial(f"a{n}", seed=n) for n in range(5)]
    b = [place.trial(f"b{n}", seed=10 + n) for n in range(5)]
    assert harness(["compare", *a, "--with", *b]) == 0


def wrong(place: Place) -> list[tuple[list[str], str]]:
    a, b = place.trial("a"), place.trial("b")
    return [
        ([], "give the trials of build A"),
        ([a], "give the trials of build B: harness compare A... --with B..."),
        (["--with", b], "give the trials of build A"),
        (["nowhere", "--with", b], "nowhere: no such trial folder"),
        ([str(place.folder), "--with", b], "missing, so this is no trial"),
        ([a, "--with", a], "the same trial twice (a)"),
        ([a, a, "--with", b], "the same trial twice (a)"),
        ([a, "--with", place.trial("v", arm="verify")], "a trial of harness verify; trials of"),
        ([a, "--with", place.trial("c", arm="chaos")], "a trial of harness chaos; trials of"),
        ([a, "--with", place.trial("i", mode="interactive")], "its load was interactive"),
        ([a, "--with", place.trial("two", runs=2)], "2 load runs in one trial"),
        ([a, "--with", b, "--figures", "p95"], "--figures: 'p95' is none of these runs' start_p50"),
        ([a, "--with", b, "--tolerance", "0"], "--tolerance 0: give more than 0"),
        ([a, "--with", b, "--tolerance", "nan"], "--tolerance nan: give more than 0"),
        ([a, "--with", b, "--share-tolerance", "-1"], "--share-tolerance -1: give more than 0"),
        ([a, "--with", b, "--calibrate"], "--calibrate takes runs of one build"),
        ([a, "--calibrate"], "1 runs that count of 1; give it at least 4"),
        ([a, "--with", b, "--interleave", "3"], "--interleave runs both sides itself"),
        ([a, "--with", b, "--rate", "3"], "--rate is for runs that are still to be made"),
        (["--interleave", "-1"], "--interleave -1: give 1 to 100"),
        (["--interleave", "2", "--out", str(place.folder)], "is not empty"),
        (["--interleave", "2", "--target", "nowhere.yaml"], "nowhere.yaml"),
        (
            ["--interleave", "2", "--mutant-b", "first-task-slow"],
            "not comparable: workflow_start_sli user_perceived and first_task_completed",
        ),
    ]


def test_bad_input_is_one_line_and_64(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in wrong(place):
        assert harness(["compare", *arguments]) == 64, arguments
        err = capsys.readouterr().err
        assert message in err, arguments
        assert err.count("\n") == 1, err


def test_a_changed_samples_file_is_refused(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = place.trial("a"), place.trial("b")
    path = Path(b, "samples", "load.bin")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert harness(["compare", a, "--with", b]) == 64
    assert "it was edited" in capsys.readouterr().err


def test_calibrate_says_how_often_the_gate_is_wrong(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [place.trial(f"a{n}", 10 + 0.05 * n) for n in range(10)]
    assert harness(["compare", *trials, "--calibrate"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("5 runs of one build against 5 others of it, 500 random divisions")
    assert "false alarms (worse)      0.0 %" in out
    assert "+10 % seen as worse     100.0 %" in out
    assert harness(["compare", *trials[:8], "--calibrate"]) == 2
    assert "too few: 5 figures need 5 runs a side" in capsys.readouterr().out


# how often it is wrong, on runs drawn as from a shared machine (`drawn`)

COMPARISONS = 200


def drawn_runs(seed: int, count: int, slower: float = 1.0, requests: int = 600) -> list[WholeRun]:
    random = default_rng(seed)
    return [in_memory(*drawn(random, slower, requests)) for _ in range(count)]


def codes(size: int, requests: int, slower: float) -> dict[int, float]:
    """The shares of exit codes over many comparisons."""
    found = dict.fromkeys((0, 1, 2), 0.0)
    for seed in range(COMPARISONS):
        a = [figures_of(run) for run in drawn_runs(seed, size, 1.0, requests)]
        b = [figures_of(run) for run in drawn_runs(10_000 + seed, size, slower, requests)]
        code = exit_code([change for change, _ in changed(a, b, JUDGED, PLAIN).values()])
        found[code] += 1 / COMPARISONS
    print(f"{size} a side, {requests} requests, x {slower}: {found}")
    return found


def request_level(a: Sequence[WholeRun], b: Sequence[WholeRun]) -> float:
    """The two-sided probability of Mann and Whitney's test over requests, as others do it."""
    one, other = (
        numpy.concatenate(
            [
                numpy.subtract(run.samples.answered_ns, run.samples.intended_ns, dtype=float)
                for run in side
            ]
        )
        for side in (a, b)
    )
    ranks = numpy.argsort(numpy.argsort(numpy.concatenate([one, other])))
    n, m = len(one), len(other)
    u = ranks[:n].sum() - n * (n - 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return 2 * NormalDist().cdf(-abs(z))


@pytest.mark.parametrize(("size", "requests"), [(5, 600), (5, 3000), (8, 600)])
def test_of_the_same_build_at_most_five_of_a_hundred_comparisons_say_worse(
    size: int, requests: int
) -> None:
    found = codes(size, requests, slower=1.0)
    assert found[1] <= 0.05
    assert found[0] > 0.9 or requests < 3000  # and with long runs nearly all pass


@pytest.mark.parametrize(
    ("size", "requests", "least"), [(5, 600, 0.85), (5, 3000, 0.9), (8, 600, 0.95)]
)
def test_a_build_ten_per_cent_slower_is_seen_or_not_passed(
    size: int, requests: int, least: float
) -> None:
    found = codes(size, requests, slower=1.1)
    assert found[1] >= least
    assert found[0] <= 0.05


def test_a_test_over_requests_would_cry_wolf_on_the_same_build() -> None:
    """Why runs are compared: their requests are not independent."""
    wolf = sum(
        request_level(drawn_runs(seed, 1), drawn_runs(10_000 + seed, 1)) < 0.05
        for seed in range(COMPARISONS)
    )
    print(f"over requests, one run a side: {wolf / COMPARISONS:.3f}")
    assert wolf > 0.1 * COMPARISONS


def test_calibrated_on_drawn_runs_the_gate_keeps_its_promise() -> None:
    figures = [figures_of(run) for run in drawn_runs(3, 12)]
    found = calibrated(figures, JUDGED, PLAIN, divisions=100)
    assert found.runs == 6
    assert found.false_alarms <= 0.05
    assert found.power["1.2"] == 1.0
    assert found.power["1.05"] <= found.power["1.1"] <= found.power["1.2"]
