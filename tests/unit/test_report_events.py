"""The table of transitions that the record's event types leave out."""

from __future__ import annotations

from typing import Any

import pytest

from harness.catalogue import load_catalogue
from harness.checks.audit.changes import LEFT_OUT
from harness.contract.program import step
from harness.journal.records import Part, Subject
from reports import Trial, render
from reports.sections.events import left_out
from tests.unit.journals import Story


def trial(*, dropped: str = "", **parameters: Any) -> Trial:
    """A run that was terminated and one that timed out, with their events."""
    story = Story()
    story.add(Part(**story.at(), subject=Subject.EXPORTER, ours=True, name="exporter"))
    story.saga([step(0, "r")], feeds=["EVT-10"], end="terminated")
    story.saga([step(0, "r")], feeds=["EVT-10"], end="timed out")
    story.emit(lambda event: [] if event["type"] == dropped else [event])
    return Trial(story.journal(arm="verify", parameters=parameters), [])


def became(given: Trial) -> dict[str, str]:
    [table] = left_out([given], load_catalogue())
    return {row.what: row.became for row in table.rows}


def test_each_transition_says_what_became_of_it() -> None:
    found = became(trial(dropped="workflow.timed_out"))
    assert len(found) == len(LEFT_OUT)
    assert found["terminated"] == "covered"
    assert found["timed out"] == "absent"
    assert found["reset"] == "did not happen"


def test_a_transition_without_declared_type_is_neither_covered_nor_absent() -> None:
    assert became(trial(terminated_event="none"))["terminated"] == "no type declared"


@pytest.mark.parametrize("dropped", ["", "workflow.terminated"])
def test_the_page_shows_the_table(dropped: str) -> None:
    page = render([trial(dropped=dropped)])
    assert "Transitions that the record" in page
    assert ("<b>absent</b>" in page) == bool(dropped)


def test_a_trial_without_exporter_or_histories_has_no_table() -> None:
    assert left_out([Trial(Story().journal(arm="verify"), [])], load_catalogue()) == []
