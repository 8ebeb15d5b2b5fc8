"""How checks are run: no evidence, too little, a crash, a lack, and never a pass by accident."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pytest

from harness.catalogue import load_catalogue
from harness.checks.check import (
    Check,
    Clause,
    Evidence,
    Finding,
    Undeclared,
    Witness,
    failed,
    inconclusive,
    passed,
)
from harness.checks.table import TABLE
from harness.checks.verdict import CRASHED, MOST_WITNESSES, Verdict, judge
from harness.errors import EvidenceError, TamperedJournal
from harness.journal.manifest import SALVAGED
from harness.journal.read import Journal, from_records, hand_made_manifest
from harness.journal.records import (
    KINDS,
    Ending,
    Gauge,
    History,
    LoadRun,
    Log,
    Operation,
    Part,
    Record,
    Subject,
    Timing,
)
from harness.outcome import Outcome
from tests.unit.records import HISTORY as HISTORY_BYTES
from tests.unit.records import LOG, ONE_OF_EACH

CATALOGUE = load_catalogue()


def plain(text: str) -> str:
    """A text without its marks of emphasis, on one line."""
    return " ".join(text.replace("*", "").replace("`", "").split())


RECORD = plain((files("harness.catalogue") / "adr.md").read_text(encoding="utf-8"))
AT: dict[str, Any] = {"at_ns": 1, "wall_ns": 1}
TIMING = Timing(**AT, what="set-up", seconds=1.0)
GAUGE = Gauge(**AT, name="open_sagas", value=1.0)
OPERATION = Operation(**AT, name="start", ending=Ending.OK, invoked_ns=1)
HISTORY = History(
    **AT,
    tenant="alpha",
    namespace="alpha",
    workflow_id="w",
    run_id="r",
    workflow_type="ReferenceSaga",
    status="COMPLETED",
    path="histories/alpha/w.json",
    events=0,
    sha256="0" * 64,
)


def keeps_promises(evidence: Evidence) -> Finding:
    """Everything is well, whatever the evidence."""
    return passed("all is well", looked_at=len(evidence.of(Timing)))


def check(judge_: Any = keeps_promises, **fields: Any) -> Check:
    given: dict[str, Any] = {"id": "X-1", "subject": Subject.WORKER, "needs": {Timing: 1}}
    return Check(judge=judge_, **{**given, **fields})


def verdict_of(
    each: Check, *records: Record, parameters: Mapping[str, Any] | None = None, **manifest: Any
) -> Verdict:
    journal = from_records(records, manifest=hand_made_manifest(**manifest))
    (verdict,) = judge(journal, [each], {each.id: "M"}, parameters or {})
    return verdict


# --- every check of the table


def judged_by_the_table(journal: Journal, each: Check) -> Verdict:
    (verdict,) = judge(journal, [each], {each.id: "M"}, CATALOGUE.defaults)
    return verdict


@pytest.mark.parametrize("each", TABLE, ids=lambda each: each.id)
def test_an_empty_journal_is_inconclusive(each: Check) -> None:
    verdict = judged_by_the_table(from_records([]), each)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith("not enough evidence")


@pytest.mark.parametrize("each", TABLE, ids=lambda each: each.id)
def test_evidence_of_something_else_passes_nothing_and_crashes_nothing(each: Check) -> None:
    """Enough records of every kind, but of nothing that was driven for it."""
    records = [r for r in ONE_OF_EACH if not isinstance(r, LoadRun)]
    journal = from_records(
        records * max(each.needs.values()),
        histories={
            **{r.path: HISTORY_BYTES for r in records if isinstance(r, History)},
            **{r.path: LOG for r in records if isinstance(r, Log)},
        },
    )
    verdict = judged_by_the_table(journal, each)
    assert verdict.outcome is not Outcome.PASS
    assert CRASHED not in verdict.reason


@pytest.mark.parametrize("each", TABLE, ids=lambda each: each.id)
def test_a_check_of_the_table_says_what_it_needs(each: Check) -> None:
    """A check that needs nothing could pass on nothing; 0 of a kind is what it may read too."""
    assert set(each.needs) <= set(KINDS)
    assert max(each.needs.values()) >= 1


@pytest.mark.parametrize("each", TABLE, ids=lambda each: each.id)
def test_a_check_of_the_table_quotes_the_decision_record(each: Check) -> None:
    doc = " ".join((each.judge.__doc__ or "").split())
    quotes = re.findall(r"""["'“](.{12,}?)["'”](?=[.,;:)\s])""", doc)
    assert any(plain(quote) in RECORD for quote in quotes), quotes


# --- what judging adds to a check


def test_a_verdict_carries_what_the_check_found() -> None:
    def finds(_: Evidence) -> Finding:
        witnesses = [Witness(text=str(n)) for n in range(MOST_WITNESSES + 5)]
        return failed("broken", witnesses, late=3)

    verdict = verdict_of(check(finds), TIMING, profile="core", trial_id="t")
    assert (verdict.outcome, verdict.reason, verdict.figures) == (
        Outcome.FAIL,
        "broken",
        {"late": 3},
    )
    assert len(verdict.witnesses) == MOST_WITNESSES
    assert (verdict.id, verdict.subject, verdict.profile, verdict.trial, verdict.level) == (
        "X-1",
        "worker",
        "core",
        "t",
        "M",
    )


def test_a_verdict_says_whose_part_it_speaks_of() -> None:
    ours = Part(**AT, subject=Subject.WORKER, ours=True, name="reference")
    theirs = Part(**AT, subject=Subject.ENGINE, ours=False, name="temporal")
    assert verdict_of(check(), TIMING, ours, theirs).ours
    assert not verdict_of(check(subject=Subject.ENGINE), TIMING, ours, theirs).ours
    assert not verdict_of(check(subject=Subject.EXPORTER), TIMING, ours, theirs).ours


def test_checks_keep_their_order_and_do_not_disturb_each_other() -> None:
    def crashes(_: Evidence) -> Finding:
        raise RuntimeError("no")

    checks = [check(crashes, id="X-1"), check(id="X-2"), check(crashes, id="X-3")]
    verdicts = judge(from_records([TIMING]), checks, {c.id: "M" for c in checks}, {})
    assert [v.id for v in verdicts] == ["X-1", "X-2", "X-3"]
    assert [v.outcome is Outcome.PASS for v in verdicts] == [False, True, False]


def test_a_crashed_check_is_inconclusive_and_shows_its_traceback() -> None:
    def crashes(evidence: Evidence) -> Finding:
        return passed("fine", ratio=1 / (len(evidence.of(Timing)) - 1))

    verdict = verdict_of(check(crashes), TIMING)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith(CRASHED)
    assert "ZeroDivisionError" in verdict.reason
    assert "in crashes" in verdict.reason


@pytest.mark.parametrize(
    "found",
    [None, True, Outcome.PASS, passed("fine", figure=object())],
    ids=["nothing", "true", "an outcome", "a figure that cannot be written"],
)
def test_a_check_that_gives_no_finding_has_crashed(found: Any) -> None:
    verdict = verdict_of(check(lambda _: found), TIMING)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "TypeError" in verdict.reason


@pytest.mark.parametrize(
    "records",
    [[], [TIMING], [TIMING, TIMING, TIMING, GAUGE], [TIMING] * 4],
    ids=["none", "one", "one short", "a kind missing"],
)
def test_too_little_evidence_is_inconclusive_before_the_check_is_asked(
    records: list[Record],
) -> None:
    def must_not_be_asked(_: Evidence) -> Finding:
        raise AssertionError

    needing = check(must_not_be_asked, needs={Timing: 4, Gauge: 1})
    verdict = verdict_of(needing, *records)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith("not enough evidence")
    assert ("4 timing records" in verdict.reason) == (records != [TIMING] * 4)


def test_just_enough_evidence_is_judged() -> None:
    verdict = verdict_of(check(needs={Timing: 4, Gauge: 1}), *[TIMING] * 4, GAUGE)
    assert (verdict.outcome, verdict.figures) == (Outcome.PASS, {"looked_at": 4})


def test_what_the_worker_lacks_is_not_applicable_even_without_evidence() -> None:
    lacking = Part(
        **AT, subject=Subject.WORKER, ours=False, name="worker", lacks=["updates", "children"]
    )
    needing = check(capabilities=frozenset({"children", "heartbeat"}))
    verdict = verdict_of(needing, lacking)
    assert verdict.outcome is Outcome.NOT_APPLICABLE
    assert "children" in verdict.reason
    assert "updates" not in verdict.reason


def test_a_lack_that_a_check_does_not_need_changes_nothing() -> None:
    lacking = Part(**AT, subject=Subject.WORKER, ours=False, name="worker", lacks=["updates"])
    needing = check(capabilities=frozenset({"children"}))
    assert verdict_of(needing, TIMING, lacking).outcome is Outcome.PASS


def test_what_could_not_be_driven_is_inconclusive_with_its_reason() -> None:
    verdict = verdict_of(check(), TIMING, not_driven={"X-1": "the target forbids it"})
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == "not driven: the target forbids it"


@pytest.mark.parametrize("ended", ["complete", "interrupted"])
def test_evidence_of_a_run_that_sealed_its_trial_may_pass(ended: str) -> None:
    assert verdict_of(check(), TIMING, ended=ended).outcome is Outcome.PASS


def test_a_salvaged_trial_never_passes() -> None:
    verdict = verdict_of(check(), TIMING, ended=SALVAGED)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "salvaged" in verdict.reason
    assert "all is well" in verdict.reason


def test_a_salvaged_trial_may_still_fail() -> None:
    assert verdict_of(check(lambda _: failed("no")), TIMING, ended=SALVAGED).outcome is Outcome.FAIL


# --- what a check may read


def test_a_check_gets_what_it_declares_and_the_declared_meanings() -> None:
    def reads(evidence: Evidence) -> Finding:
        assert list(evidence.of(Timing)) == [TIMING]
        return inconclusive("read", limit_ms=evidence.parameters["limit_ms"])

    verdict = verdict_of(check(reads), TIMING, GAUGE, parameters={"limit_ms": 5})
    assert (verdict.reason, verdict.figures) == ("read", {"limit_ms": 5})


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not Timing])
def test_a_kind_that_a_check_does_not_declare_is_kept_from_it(kind: type[Record]) -> None:
    evidence = Evidence(from_records([TIMING, GAUGE, OPERATION]), frozenset({Timing}), {})
    with pytest.raises(Undeclared, match=kind.__name__):
        evidence.of(kind)


def test_histories_and_programs_are_kept_from_a_check_that_does_not_declare_them() -> None:
    evidence = Evidence(from_records([HISTORY]), frozenset({Timing}), {})
    with pytest.raises(Undeclared):
        evidence.events(HISTORY)
    with pytest.raises(Undeclared):
        evidence.fed("X-1")


def test_an_undeclared_kind_is_a_crash_of_the_check() -> None:
    verdict = verdict_of(check(lambda e: passed("fine", n=len(e.of(Gauge)))), TIMING, GAUGE)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "Undeclared" in verdict.reason


def test_changed_evidence_is_no_crash_and_no_verdict() -> None:
    """A check that comes upon a changed file does not hide it in an inconclusive verdict."""

    def reads(evidence: Evidence) -> Finding:
        return passed("fine", events=len(evidence.events(evidence.of(History)[0])))

    reading = check(reads, needs={History: 1})
    journal = from_records([HISTORY], histories={HISTORY.path: b'{"events": []}'})
    with pytest.raises(TamperedJournal):
        judge(journal, [reading], {"X-1": "M"}, {})


def test_what_a_killed_run_did_not_finish_writing_is_inconclusive() -> None:
    def reads(_: Evidence) -> Finding:
        raise EvidenceError("histories/alpha/w.json: cut off")

    verdict = verdict_of(check(reads), TIMING, ended=SALVAGED)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "cut off" in verdict.reason


def test_clauses_are_carried_into_the_verdict() -> None:
    clause = Clause(name="exp", outcome=Outcome.FAIL, reason="a token without exp is taken")
    found = Finding(outcome=Outcome.FAIL, reason="one clause fails", clauses=[clause])
    assert verdict_of(check(lambda _: found), TIMING).clauses == [clause]
