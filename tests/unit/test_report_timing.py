"""Where the time of a trial went, by suite."""

from __future__ import annotations

from harness.journal.read import from_records
from harness.journal.records import Ending, Operation, Program
from reports.sections.timing import SuiteTime, suite_times
from reports.trial import Trial

S = 1_000_000_000


def operation(suite: str, began_s: int, ended_s: int) -> Operation:
    return Operation(
        at_ns=ended_s * S, wall_ns=1, name="result", suite=suite, ending=Ending.OK,
        invoked_ns=began_s * S,
    )  # fmt: skip


def program(suite: str) -> Program:
    return Program(
        at_ns=1, wall_ns=1, suite=suite, case="c", tenant="a", group="calm", workflow_id="w",
        saga_id="s", task_queue="q", feeds=[], program={},
    )  # fmt: skip


def test_a_suite_lasts_from_its_first_operation_to_the_end_of_its_last() -> None:
    records = [
        program("slow"),
        program("slow"),
        operation("quick", 5, 7),
        operation("slow", 6, 20),
        operation("slow", 8, 9),
        operation("", 1, 99),
    ]
    assert suite_times(Trial(from_records(records), [])) == [
        SuiteTime(suite="slow", sagas=2, operations=2, began_s=1.0, ended_s=15.0),
        SuiteTime(suite="quick", sagas=0, operations=1, began_s=0.0, ended_s=2.0),
    ]


def test_without_operations_there_are_no_suites() -> None:
    assert suite_times(Trial(from_records([]), [])) == []
