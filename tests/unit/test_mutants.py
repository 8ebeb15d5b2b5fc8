"""The table of mutants fits catalogue, checks, suites and parts; and what a kill matrix says."""

from __future__ import annotations

import fnmatch
import importlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.catalogue import load_catalogue
from harness.checks.check import Clause
from harness.checks.table import PROFILES
from harness.checks.verdict import CRASHED, Verdict
from harness.cli.kill_matrix import as_json, as_text
from harness.cli.mutants import chosen_mutants, with_proofs
from harness.contract.pdp_modes import FAMILIES
from harness.doubles.defects import Defect
from harness.errors import UsageError
from harness.mutant import Mutant
from harness.outcome import EXIT_FAIL, EXIT_PASS, Outcome
from harness.platform.breakage import NOTHING, Breakage
from harness.replay.inprocess import workflows_of
from harness.run.matrix import Fate, Matrix, proofs_of, row_of
from scenarios.conformance import SUITES
from scenarios.conformance.acts.defects import Defect as DriveDefect
from scenarios.mutants import exporter, worker
from scenarios.mutants.next_build import workflow_of
from scenarios.mutants.table import EQUIVALENTS, MUTANTS, UNKILLED

ROOT = Path(__file__).parents[2]
ALL = (*MUTANTS, *EQUIVALENTS)
EACH = pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)


# --- the table


@pytest.mark.parametrize("assertion_id", [each for ids in PROFILES.values() for each in ids])
def test_every_check_has_a_mutant(assertion_id: str) -> None:
    assert any(assertion_id in mutant.expected for mutant in MUTANTS)


def test_names_are_unique() -> None:
    assert [name for name, count in Counter(m.name for m in ALL).items() if count > 1] == []


@EACH
def test_a_mutant_says_in_one_sentence_what_is_broken(mutant: Mutant) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", mutant.name)
    assert re.fullmatch(r"[A-Z][^\n]*[^.]\.", mutant.defect)
    assert ". " not in mutant.defect


@EACH
def test_a_mutant_breaks_something_that_its_profile_asks(mutant: Mutant) -> None:
    assert mutant.breakage != NOTHING or mutant.parameters
    assert mutant.expected or mutant.equivalent
    assert mutant.equivalent or not mutant.never_red_suffices
    assert set(mutant.expected) <= set(PROFILES[mutant.profile])


@EACH
def test_collateral_is_of_other_checks_and_has_a_reason(mutant: Mutant) -> None:
    assert not set(mutant.collateral) & set(mutant.expected)
    assert set(mutant.collateral) <= set(PROFILES[mutant.profile])
    assert all(mutant.collateral.values())


@EACH
def test_the_parts_of_a_mutant_are_there(mutant: Mutant) -> None:
    breakage = mutant.breakage
    if breakage.worker:
        assert breakage.worker[-1] in worker.PARTS
    if breakage.rolled_out:
        assert breakage.rolled_out[-1] in worker.PARTS
    if breakage.exporter:
        assert breakage.exporter[-1] in exporter.PARTS
    if breakage.next_worker:
        assert workflow_of(breakage.next_worker[-1])
    if breakage.workflows:
        assert len(workflows_of(breakage.workflows, ROOT)) == 1
    assert set(breakage.doubles) <= {str(defect) for defect in Defect}
    assert set(breakage.drive) <= set(DriveDefect)


def test_every_broken_part_is_a_mutants() -> None:
    of = [mutant.breakage for mutant in ALL]
    workers = [command for each in of for command in (each.worker, each.rolled_out)]
    assert set(worker.PARTS) == {command[-1] for command in workers if command}
    assert set(exporter.PARTS) == {each.exporter[-1] for each in of if each.exporter}


@EACH
def test_the_cases_of_a_mutant_feed_its_checks(mutant: Mutant) -> None:
    suites = [importlib.import_module(name).SUITE for name in SUITES]
    fed = [c.name for s in suites for c in s.cases if set(c.feeds) & set(mutant.expected)]
    for pattern in mutant.cases:
        assert fnmatch.filter(fed, pattern), pattern


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_ways_to_answer_has_a_mutant(family: str) -> None:
    """Driven with that family's modes, so that nothing else can have killed it."""
    suites = [importlib.import_module(name).SUITE for name in SUITES]
    modes = [c.name for s in suites for c in s.cases if c.name.startswith(f"modes-{family}-")]
    patterns = [p for m in MUTANTS if m.expected == ("INV-PDP-3",) for p in m.cases]
    assert any(fnmatch.filter(modes, pattern) for pattern in patterns)


@EACH
def test_the_parameters_of_a_mutant_can_be_declared(mutant: Mutant) -> None:
    known = {parameter.name: parameter for parameter in load_catalogue().parameters}
    assert [known[name].problem(value) for name, value in mutant.parameters.items()] == (
        [None] * len(mutant.parameters)
    )


def test_the_table_imports_nothing_heavy() -> None:
    code = "import sys, scenarios.mutants.table; sys.exit('temporalio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- choosing


def test_mutants_are_chosen_by_name_and_by_catalogue_id() -> None:
    chosen = chosen_mutants(["EVT-4", "random-key"], "", equivalents=False)
    assert {mutant.name for mutant in chosen} == {
        "random-key",
        "no-workflow-canceled",
        "canceled-misspelt",
    }
    assert chosen_mutants([], "", equivalents=False) == list(MUTANTS)
    core = [mutant for mutant in MUTANTS if mutant.profile == "core"]
    assert chosen_mutants([], "core", equivalents=False) == core
    assert chosen_mutants([], "", equivalents=True) == list(EQUIVALENTS)
    assert chosen_mutants([], "") == list(ALL)


def test_what_needs_the_whole_profile_is_run_when_that_is_asked_for() -> None:
    whole = {mutant.name for mutant in ALL if not mutant.expected}
    assert "every-service-slow" in whole
    usual = {mutant.name for mutant in chosen_mutants([], "", whole=False)}
    assert usual == {mutant.name for mutant in ALL} - whole
    named = chosen_mutants(["every-service-slow"], "", whole=False)
    assert [mutant.name for mutant in named] == ["every-service-slow"]


@pytest.mark.parametrize(
    ("names", "profile", "said"),
    [
        (["random-kay"], "", "random-key"),
        (["INV-PDP-33"], "", "INV-PDP-3"),
        ([], "cor", "core"),
    ],
)
def test_what_there_is_not_is_the_users_error(names: list[str], profile: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        chosen_mutants(names, profile, equivalents=False)


# --- the kill matrix


def mutant(**fields: Any) -> Mutant:
    given: dict[str, Any] = {
        "name": "m",
        "expected": ("INV-PDP-1",),
        "defect": "It is broken.",
        "breakage": Breakage(drive=("x",)),
    }
    return Mutant(**{**given, **fields})


def verdict(id_: str, outcome: Outcome, reason: str = "because", **fields: Any) -> Verdict:
    return Verdict(
        id=id_, subject="worker", ours=True, profile="core", trial="t", level="M",
        outcome=outcome, reason=reason, **fields,
    )  # fmt: skip


RED = verdict("INV-PDP-1", Outcome.FAIL)
GREEN = verdict("INV-PDP-1", Outcome.PASS)
OPEN = verdict("INV-PDP-1", Outcome.INCONCLUSIVE)
OTHER = verdict("DUR-5", Outcome.FAIL)


@pytest.mark.parametrize(
    ("broken", "verdicts", "fate"),
    [
        (mutant(), [RED], Fate.KILLED),
        (mutant(), [GREEN], Fate.SURVIVED),
        (mutant(), [OPEN], Fate.INCONCLUSIVE),
        (mutant(), [], Fate.SURVIVED),
        (mutant(expected=("INV-PDP-1", "DUR-5")), [GREEN, OTHER], Fate.SURVIVED),
        (mutant(expected=("INV-PDP-1", "DUR-5")), [RED, OTHER], Fate.KILLED),
        (mutant(equivalent=True), [GREEN], Fate.GREEN),
        (mutant(equivalent=True), [RED], Fate.FALSE_ALARM),
        (mutant(equivalent=True), [OPEN], Fate.INCONCLUSIVE),
        (mutant(equivalent=True, never_red_suffices=True), [OPEN], Fate.GREEN),
        (mutant(equivalent=True, never_red_suffices=True), [RED], Fate.FALSE_ALARM),
        (mutant(equivalent=True, never_red_suffices=True), [], Fate.INCONCLUSIVE),
        (mutant(equivalent=True, expected=()), [GREEN, OTHER], Fate.FALSE_ALARM),
        (mutant(equivalent=True, expected=()), [GREEN], Fate.GREEN),
    ],
)
def test_the_fate_of_a_mutant(broken: Mutant, verdicts: list[Verdict], fate: Fate) -> None:
    row = row_of(broken, verdicts, 1.0)
    assert row.fate is fate
    assert Matrix(rows=(row,), seconds=1).exit_code == (
        EXIT_PASS if fate in (Fate.KILLED, Fate.GREEN) else EXIT_FAIL
    )


@pytest.mark.parametrize(("clause", "fate"), [("late", Fate.KILLED), ("lost", Fate.SURVIVED)])
def test_a_mutant_with_a_clause_is_killed_by_that_clause_alone(clause: str, fate: Fate) -> None:
    clauses = [Clause(name="late", outcome=Outcome.FAIL), Clause(name="lost", outcome=Outcome.PASS)]
    red = verdict("INV-PDP-1", Outcome.FAIL, clauses=clauses)
    assert row_of(mutant(clause=clause), [red], 1.0).fate is fate


def test_another_red_check_is_a_false_alarm_unless_declared() -> None:
    undeclared = row_of(mutant(), [RED, OTHER], 1.0)
    declared = row_of(mutant(collateral={"DUR-5": "of course"}), [RED, OTHER], 1.0)
    assert (undeclared.clean, declared.clean) == (False, True)
    assert Matrix(rows=(undeclared,), seconds=1).exit_code == EXIT_FAIL
    assert "FALSE ALARM DUR-5" in as_text(Matrix(rows=(undeclared,), seconds=1))
    assert "DUR-5: of course" in as_text(Matrix(rows=(declared,), seconds=1))


def test_a_crashed_check_is_a_false_alarm() -> None:
    crashed = verdict("DUR-5", Outcome.INCONCLUSIVE, f"{CRASHED}: KeyError")
    assert not row_of(mutant(), [RED, crashed], 1.0).clean


def test_other_checks_may_pass_or_be_inconclusive() -> None:
    others = [verdict("DUR-5", Outcome.PASS), verdict("DUR-7", Outcome.INCONCLUSIVE)]
    assert row_of(mutant(), [RED, *others], 1.0).alarms == ()


def test_an_interrupted_matrix_fails() -> None:
    row = row_of(mutant(), [RED], 1.0)
    assert Matrix(rows=(row,), seconds=1, interrupted=True).exit_code == EXIT_FAIL


def test_the_matrix_for_programs_says_all_of_it() -> None:
    row = row_of(mutant(collateral={"DUR-5": "of course"}), [RED, OTHER], 1.25)
    assert as_json(Matrix(rows=(row,), seconds=2.5)) == {
        "exit_code": 0,
        "seconds": 2.5,
        "interrupted": False,
        "mutants": [
            {
                "mutant": "m",
                "defect": "It is broken.",
                "expected": ["INV-PDP-1"],
                "profile": "core",
                "fate": "killed",
                "reasons": ["INV-PDP-1: because"],
                "clause": "",
                "equivalent": False,
                "seconds": 1.2,
                "also_red": [{"id": "DUR-5", "reason": "because", "declared": "of course"}],
            }
        ],
        "checks": [],
    }


# --- which clauses were seen red


def with_clauses(id_: str, **outcomes: Outcome) -> Verdict:
    clauses = [Clause(name=name, outcome=outcome) for name, outcome in outcomes.items()]
    outcome = Outcome.FAIL if Outcome.FAIL in outcomes.values() else Outcome.PASS
    return verdict(id_, outcome, clauses=[*clauses, Clause(name="coverage", outcome=Outcome.PASS)])


def test_a_clause_that_no_mutant_kills_is_told() -> None:
    judged = with_clauses("INV-PDP-1", late=Outcome.FAIL, lost=Outcome.PASS)
    (proof,) = proofs_of([row_of(mutant(), [judged], 1.0)], ["INV-PDP-1"], {})
    assert (proof.killed, proof.by_clause) == (("m",), {"late": ("m",)})
    assert (proof.unproved, proof.gaps) == (("lost",), ("lost",))
    matrix = Matrix(rows=(), seconds=1, proofs=(proof,))
    assert matrix.exit_code == EXIT_FAIL
    assert "not killed by any mutant: INV-PDP-1 clause lost" in as_text(matrix)
    assert as_json(matrix)["checks"] == [
        {
            "id": "INV-PDP-1",
            "killed": ["m"],
            "clauses": {"late": ["m"]},
            "not_killed": {"lost": ""},
        }
    ]


def test_a_reason_can_be_declared_for_a_clause_that_no_mutant_can_kill() -> None:
    judged = with_clauses("INV-PDP-1", late=Outcome.FAIL, lost=Outcome.PASS)
    why = {"INV-PDP-1": {"lost": "of course"}}
    (proof,) = proofs_of([row_of(mutant(), [judged], 1.0)], ["INV-PDP-1"], why)
    assert (proof.unproved, proof.gaps) == (("lost",), ())
    assert Matrix(rows=(), seconds=1, proofs=(proof,)).exit_code == EXIT_PASS


def test_a_clause_that_is_red_as_declared_collateral_has_been_seen_red() -> None:
    other = with_clauses("DUR-5", late=Outcome.FAIL)
    told = [row_of(mutant(collateral={"DUR-5": "of course"}), [RED, other], 1.0)]
    untold = [row_of(mutant(), [RED, other], 1.0)]
    survived = [row_of(mutant(collateral={"DUR-5": "of course"}), [GREEN, other], 1.0)]
    assert [proofs_of(rows, ["DUR-5"], {})[0].gaps for rows in (told, untold, survived)] == [
        (),
        ("late",),
        ("late",),
    ]


def test_clauses_are_told_only_of_checks_whose_mutants_have_all_been_run() -> None:
    of_one = [m for m in MUTANTS if m.expected == ("INV-ISO-7",)]
    rows = tuple(row_of(each, [verdict("INV-ISO-7", Outcome.FAIL)], 1.0) for each in of_one)
    assert [p.id for p in with_proofs(Matrix(rows=rows, seconds=1)).proofs] == ["INV-ISO-7"]
    assert with_proofs(Matrix(rows=rows[1:], seconds=1)).proofs == ()


def test_reasons_for_clauses_are_of_checks() -> None:
    known = {each for ids in PROFILES.values() for each in ids}
    assert set(UNKILLED) <= known
    assert all(reason for clauses in UNKILLED.values() for reason in clauses.values())
