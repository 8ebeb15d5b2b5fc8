"""Waivers: what they turn into what, and what makes them fail a run."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.check import Clause
from harness.checks.verdict import Verdict
from harness.errors import UsageError
from harness.outcome import Outcome
from harness.waivers import Waiver, apply_waivers, from_record, read_waivers, to_record

TODAY = date(2026, 5, 1)
KNOWN = ("INV-ENC-1", "INV-PDP-3", "INV-ISO-3")
GOOD = """\
- id: INV-ENC-1
  clause: token-without-exp
  subject: engine
  reason: the stock authorizer accepts it
  owner: platform security
  expires: 2026-12-31
- {id: INV-PDP-3, reason: known, owner: me, expires: 2026-05-01}
"""
PASS, FAIL = Outcome.PASS, Outcome.FAIL
INCONCLUSIVE, WAIVED, ABSENT = Outcome.INCONCLUSIVE, Outcome.WAIVED, Outcome.NOT_APPLICABLE


def waiver(clause: str = "", *, days: int = 0, id: str = KNOWN[0], subject: str = "") -> Waiver:
    return Waiver(
        id=id,
        clause=clause,
        subject=subject,
        reason=f"because {clause or 'all'}",
        owner="me",
        expires=TODAY + timedelta(days=days),
    )


def verdict(outcome: Outcome, *, subject: str = "engine", **clauses: Outcome) -> Verdict:
    return Verdict(
        id=KNOWN[0],
        subject=subject,
        ours=False,
        profile="core",
        trial="t",
        level="M",
        outcome=outcome,
        reason="as judged",
        clauses=[Clause(name=name, outcome=value) for name, value in clauses.items()],
    )


def applied(verdicts: list[Verdict], *waivers: Waiver) -> tuple[list[Outcome], list[str]]:
    after, problems = apply_waivers(verdicts, waivers, TODAY, KNOWN)
    return [v.outcome for v in after], problems


def refused(folder: Path, text: str) -> list[str]:
    path = folder / "waivers.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_waivers(path)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(GOOD)
    first, second = read_waivers(path)
    assert (first.clause, first.subject) == ("token-without-exp", "engine")
    assert first.expires == date(2026, 12, 31)
    assert (second.clause, second.subject) == ("", "")


@pytest.mark.parametrize("text", ["", "# none at present\n", "[]\n"])
def test_a_file_may_hold_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(text)
    assert read_waivers(path) == []


def test_the_manifest_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(GOOD)
    waivers = read_waivers(path)
    recorded = to_record(waivers)
    assert recorded[0]["expires"] == "2026-12-31"
    assert from_record(recorded) == waivers


def test_all_problems_of_a_file_are_reported_with_their_lines(tmp_path: Path) -> None:
    text = """\
- id: INV-ENC-1
  clauze: x
  subject: motor
  reason: ""
  expires: 2026-02-30
- {id: A, reason: r, owner: o, expires: soon}
- {id: B, reason: r, owner: o, expires: 2026-01-01}
- {id: B, reason: s, owner: p, expires: 2026-01-02, id: C}
- just text
"""
    assert refused(tmp_path, text) == [
        "line 1: [0].owner: missing",
        "line 2: [0].clauze: unknown key; did you mean clause? valid keys: id, clause, subject, "
        "reason, owner, expires",
        "line 3: [0].subject: not a subject; choices: engine, deployment, worker, exporter, pdp, "
        "services, gateway, generator",
        "line 4: [0].reason: is empty",
        "line 5: [0].expires: there is no such day",
        "line 6: [1].expires: expected a date, YYYY-MM-DD, found text",
        "line 8: [3]: waives the same as [2]",
        "line 8: [3].id: given twice, first in line 8",
        "line 9: [4]: expected a mapping, found text",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("id: A\n", "line 1: expected a list, found a mapping"),
        (
            "- {id: A\n",
            "line 2: not YAML: while parsing a flow mapping expected ',' or '}', but got "
            "'<stream end>'",
        ),
    ],
)
def test_a_malformed_file_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text) == [line]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: no such file"):
        read_waivers(tmp_path / "none.yaml")


def test_a_fail_becomes_waived_and_says_so() -> None:
    (after,), problems = apply_waivers([verdict(FAIL)], [waiver()], TODAY, KNOWN)
    assert after.outcome is WAIVED
    assert after.before_waiver == "fail"
    assert after.waiver == "because all (me, until 2026-05-01)"
    assert after.reason == "as judged"
    assert problems == []


def test_all_failing_clauses_must_be_waived() -> None:
    both = verdict(FAIL, a=FAIL, b=FAIL, c=PASS)
    assert applied([both], waiver("a")) == ([FAIL], [])
    assert applied([both], waiver("a"), waiver("b")) == ([WAIVED], [])
    (after,), _ = apply_waivers([both], [waiver("a"), waiver("b")], TODAY, KNOWN)
    assert after.waiver == (
        "a: because a (me, until 2026-05-01); b: because b (me, until 2026-05-01)"
    )


def test_a_waived_clause_does_not_hide_what_is_inconclusive() -> None:
    (after,), problems = apply_waivers(
        [verdict(FAIL, a=FAIL, b=INCONCLUSIVE)], [waiver("a")], TODAY, KNOWN
    )
    assert after.outcome is INCONCLUSIVE
    assert after.before_waiver == "fail"
    assert problems == []


def test_a_waiver_holds_for_its_subject_alone() -> None:
    engine, worker = verdict(FAIL), verdict(FAIL, subject="worker")
    assert applied([engine, worker], waiver(subject="worker")) == ([FAIL, WAIVED], [])
    assert applied([engine, worker], waiver()) == ([WAIVED, WAIVED], [])


def test_an_expired_waiver_waives_nothing_and_fails_the_run() -> None:
    outcomes, problems = applied([verdict(FAIL)], waiver(days=-1))
    assert outcomes == [FAIL]
    assert problems == ["waiver INV-ENC-1 expired on 2026-04-30: have me review it, or remove it"]


def test_a_waiver_of_what_passes_fails_the_run() -> None:
    assert applied([verdict(PASS)], waiver()) == (
        [PASS],
        ["waiver INV-ENC-1 is no longer needed: what it waives passes; remove it"],
    )
    outcomes, problems = applied([verdict(FAIL, a=PASS, b=FAIL)], waiver("a", subject="engine"))
    assert outcomes == [FAIL]
    assert problems == [
        "waiver INV-ENC-1 (clause a, engine) is no longer needed: what it waives passes; remove it"
    ]


def test_a_waiver_is_needed_while_any_of_its_verdicts_fails() -> None:
    both = [verdict(PASS), verdict(FAIL, subject="worker")]
    assert applied(both, waiver()) == ([PASS, WAIVED], [])
    unclear = [verdict(PASS), verdict(INCONCLUSIVE, subject="worker")]
    assert applied(unclear, waiver()) == ([PASS, INCONCLUSIVE], [])


def test_an_unknown_clause_fails_the_run() -> None:
    assert applied([verdict(FAIL, a=FAIL)], waiver("b")) == (
        [FAIL],
        ["waiver INV-ENC-1 (clause b): the verdict has no such clause; its clauses: a"],
    )
    assert applied([verdict(FAIL)], waiver("b")) == (
        [FAIL],
        ["waiver INV-ENC-1 (clause b): the verdict has no such clause; it has no clauses"],
    )


def test_an_unknown_id_fails_the_run() -> None:
    assert applied([], waiver(id="INV-ENK-1")) == (
        [],
        [
            "waiver INV-ENK-1: there is no such ID in the catalogue; did you mean INV-ENC-1?",
        ],
    )


def test_a_waiver_of_what_was_not_judged_is_not_used() -> None:
    for unused in (waiver(id=KNOWN[2]), waiver(id=KNOWN[2], days=-1), waiver(subject="pdp")):
        assert applied([verdict(FAIL)], unused) == ([FAIL], [])


@pytest.mark.parametrize("outcome", [INCONCLUSIVE, ABSENT, Outcome.ATTESTED, WAIVED])
@pytest.mark.parametrize("clause", ["", "a"])
def test_only_a_fail_is_waived(outcome: Outcome, clause: str) -> None:
    assert applied([verdict(outcome)], waiver(clause)) == ([outcome], [])


@given(
    st.lists(
        st.builds(
            lambda outcome, clauses: verdict(outcome, **clauses),
            st.sampled_from(Outcome),
            st.dictionaries(st.sampled_from("abc"), st.sampled_from(Outcome)),
        )
    ),
    st.lists(
        st.builds(
            lambda clause, days: waiver(clause, days=days),
            st.sampled_from(["", *"abcd"]),
            st.integers(-1, 1),
        )
    ),
)
def test_no_waiver_makes_a_pass_nor_changes_what_did_not_fail(
    verdicts: list[Verdict], waivers: list[Waiver]
) -> None:
    after, _ = apply_waivers(verdicts, waivers, TODAY, KNOWN)
    for before, now in zip(verdicts, after, strict=True):
        if before != now:
            assert before.outcome is FAIL
            assert now.outcome in (WAIVED, INCONCLUSIVE)
            assert now.before_waiver == "fail"
            assert now.waiver
