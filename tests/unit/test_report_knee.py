"""The knee in the report: every step drawn by its outcome, readable without colour."""

from __future__ import annotations

from harness.catalogue import load_catalogue
from harness.checks.capacity import CHECKS
from harness.checks.verdict import judge
from harness.journal.read import from_records, hand_made_manifest
from reports import Trial, render
from reports.knee import KneeStep, achieved_by_rate, latency_by_rate
from tests.unit.test_checks_capacity import PARAMETERS, arrivals, growing
from tests.unit.test_checks_capacity import Trial as Steps


def step(rate: float, outcome: str, p95_ms: float | None) -> KneeStep:
    return KneeStep(
        rate_per_s=rate, outcome=outcome, achieved_per_s=rate, p95_ms=p95_ms, p95_upper_ms=p95_ms
    )


ALL = [
    step(2, "held", 8),
    step(4, "undecided", 60),
    step(8, "failed", 400),
    step(6, "generator", 20),
]


def test_each_outcome_has_a_sign_of_its_own() -> None:
    plot = latency_by_rate(ALL, 100)
    assert plot is not None
    named = {text.text: text.style for text in plot.texts}
    assert {"held", "undecided", "failed", "generator late", "limit 100 ms"} <= {*named}
    assert len({named[name] for name in ("held", "undecided", "failed", "generator late")}) == 4
    # by shape: a ring has arcs, a cross has slanted lines, a box has neither
    paths = {path.style: path.d for path in plot.paths}
    assert "a" in paths[named["held"]]
    assert "l" in paths[named["failed"]]
    assert "V" in paths[named["undecided"]]


def test_steps_without_figures_are_not_drawn() -> None:
    bare = [
        KneeStep(
            rate_per_s=2, outcome="undecided", achieved_per_s=None, p95_ms=None, p95_upper_ms=None
        )
    ]
    assert latency_by_rate(bare, 100) is None
    assert achieved_by_rate(bare) is None


def test_the_page_shows_the_knee_and_its_steps() -> None:
    steps = Steps().step(4, times=2)
    steps.step(8, times=2, rows=arrivals(8, edit=growing(0.2)))
    steps.step(6, run={"planned": 1000})  # not all there: no figures
    journal = from_records(steps.records, manifest=hand_made_manifest(), histories=steps.files)
    levels = {check.id: load_catalogue().get(check.id).level for check in CHECKS}
    page = render([Trial(journal, judge(journal, CHECKS, levels, PARAMETERS))])
    assert "The knee: p95 of starts by offered rate" in page
    assert "The knee: achieved by offered rate" in page
    assert "highest rate that held" in page
    assert "the backlog went from" in page
    assert "not known: nobody" not in page
