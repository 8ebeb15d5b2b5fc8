"""The catalogue agrees with the decision record, with itself, and can be shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

import harness.catalogue
from harness.catalogue import (
    Assertion,
    Catalogue,
    Gap,
    Parameter,
    UnknownAssertion,
    judged_by,
    load_catalogue,
)
from harness.catalogue.load import parse
from harness.catalogue.show import as_json, explain, table

ADR = (Path(harness.catalogue.__file__).parent / "adr.md").read_text("utf-8").splitlines()

# ids of each family, as the record's catalogue counts them
FAMILIES = {
    "INV-ISO-": 18,
    "INV-PDP-": 13,
    "INV-IDEM-": 12,
    "INV-AUD-": 10,
    "EVT-": 13,
    "INV-DET-": 9,
    "INV-VER-": 3,
    "CMP-": 4,
    "ROL-": 7,
    "INV-ENC-": 9,
    "DATA-": 4,
    "INV-OBS-": 1,
    "OBS-": 10,
    "IFC-": 3,
    "API-": 9,
    "AUTH-": 3,
    "THR-": 5,
    "MIT-": 5,
    "SOC-": 6,
    "SLO-": 6,
    "CAP-": 7,
    "DUR-": 11,
    "RSK-": 5,
    "IMP-": 4,
    "ASM-": 1,
}

# numbers of the ids that a check judges
CHECKED = {
    "INV-ISO": (1, 2, 5, 6, 7, 8, 9, 10, 11, 14, 15),
    "INV-PDP": (*range(1, 9), 10, 11, 13),
    "INV-IDEM": tuple(range(1, 13)),
    "INV-DET": tuple(range(1, 10)),
    "INV-VER": (1, 2, 3),
    "CMP": (1, 2, 3),
    "ROL": (1, 2, 3, 4, 7),
    "IFC": (1,),
    "ASM": (1,),
    "INV-AUD": (1, 2, 4, 5, 6, 7, 8, 9),
    "EVT": tuple(range(1, 14)),
    "DUR": (1, 2, *range(4, 11)),
    "CAP": (1, 2, 3, 5, 6, 7),
    "IMP": (3, 4),
    "MIT": (4,),
    "SLO-START": (1,),
    "SLO-ACT": (1,),
    "SLO-REL": (1,),
    "SLO-VIS": (1,),
    "SLO-AVL": (1,),
}
IMPLEMENTED = frozenset(f"{family}-{n}" for family, numbers in CHECKED.items() for n in numbers)
IMPLEMENTED |= {"THR-D"}

MUTANTS = {"INV-PDP-3": [("allow_on_500", "goes on when the PDP answers 500")]}

ENTRY = """
- id: INV-PDP-3
  statement: Closed on every error of the PDP
  area: authorization
  level: M
  kinds: [C, S]
  profile: core
  adr: {section: Invariants, line: 224, quote: fail-closed}
  how: ask and see
  evidence: the answers
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def heading_path(line: int) -> str:
    """The headings above a line of the record, without its title."""
    path: dict[int, str] = {}
    for text in ADR[:line]:
        if found := re.match(r"(#+) (.*)", text):
            depth = len(found[1])
            path = {d: title for d, title in path.items() if d < depth} | {depth: found[2]}
    return " / ".join(title for depth, title in sorted(path.items()) if depth > 1)


def bullets(section: str) -> list[int]:
    """Lines of the statements under a heading; a bullet that ends with a colon only groups."""
    return [
        number
        for number, text in enumerate(ADR, 1)
        if re.match(r"\s*- ", text)
        and not re.search(r":\**:?\s*$", text)
        and heading_path(number).startswith(section)
    ]


class TestAgainstTheRecord:
    def test_every_row_and_id_is_there(self, catalogue: Catalogue) -> None:
        assert (catalogue.rows, len(catalogue), len(set(catalogue.ids))) == (176, 178, 178)

    def test_each_family_has_its_count(self, catalogue: Catalogue) -> None:
        families = Counter(
            max((f for f in FAMILIES if i.startswith(f)), key=len) for i in catalogue.ids
        )
        assert families == FAMILIES

    def test_three_events_share_one_row(self, catalogue: Catalogue) -> None:
        shared = {a.id: a.row for a in catalogue if a.row}
        assert shared == dict.fromkeys(("EVT-7", "EVT-8", "EVT-9"), "EVT-7..9")

    def test_areas_stand_together(self, catalogue: Catalogue) -> None:
        areas = [a.area for a in catalogue]
        changes = sum(one != other for one, other in pairwise(areas))
        assert changes + 1 == len(set(areas)) == 14

    def test_every_quote_stands_at_its_line(self, catalogue: Catalogue) -> None:
        wrong = [a.id for a in catalogue if a.adr.quote not in ADR[a.adr.line - 1]]
        assert wrong == []

    def test_every_place_names_the_headings_above_its_line(self, catalogue: Catalogue) -> None:
        wrong = [a.id for a in catalogue if a.adr.section != heading_path(a.adr.line)]
        assert wrong == []

    def test_further_lines_are_statements(self, catalogue: Catalogue) -> None:
        named = {line for a in catalogue for line in a.adr.also}
        assert [n for n in named if not ADR[n - 1].strip() or ADR[n - 1].startswith("#")] == []

    @pytest.mark.parametrize(
        ("section", "count"),
        [("Decision Details / Invariants (MUST)", 8), ("Ops & NFR Impact / SLIs/SLOs", 4)],
    )
    def test_every_invariant_and_slo_has_an_assertion_of_its_own(
        self, catalogue: Catalogue, section: str, count: int
    ) -> None:
        promised = bullets(section)
        assert len(promised) == count
        assert set(promised) <= {a.adr.line for a in catalogue}

    @pytest.mark.parametrize(
        "section",
        [
            "Decision Details / Interfaces / Protocols",
            "Security, Privacy & Compliance",
            "Impact on Interfaces, Events & Data",
            "Ops & NFR Impact",
        ],
    )
    def test_no_other_promise_is_forgotten(self, catalogue: Catalogue, section: str) -> None:
        covered = {line for a in catalogue for line in (a.adr.line, *a.adr.also)}
        promised = bullets(section)
        assert promised
        assert [(n, ADR[n - 1]) for n in promised if n not in covered] == []


class TestWithItself:
    def test_each_id_has_exactly_one_state(self, catalogue: Catalogue) -> None:
        states = {a.id: (a.id in IMPLEMENTED) + a.attest + bool(a.not_yet) for a in catalogue}
        assert {i: n for i, n in states.items() if n != 1} == {}
        assert set(catalogue.ids) >= IMPLEMENTED

    def test_what_only_a_person_can_say_is_attested(self, catalogue: Catalogue) -> None:
        assert [a.id for a in catalogue if a.kinds == ("A",) and not a.attest] == []

    def test_a_reason_is_one_phrase_about_the_product(self, catalogue: Catalogue) -> None:
        reasons = [a.not_yet for a in catalogue if a.not_yet]
        assert [r for r in reasons if not r.startswith(("waits for", "waits until", "needs"))] == []
        assert [r for r in reasons if re.search(r"#\d|\bissue\b|\.$|\. ", r)] == []

    def test_parameters_named_exist_and_all_are_used(self, catalogue: Catalogue) -> None:
        named = {name for a in catalogue for name in a.parameters}
        assert named == set(catalogue.defaults)

    def test_every_default_is_a_legal_value(self, catalogue: Catalogue) -> None:
        assert [p.problem(p.default) for p in catalogue.parameters if p.problem(p.default)] == []

    def test_the_units_of_a_number_are_in_its_name(self, catalogue: Catalogue) -> None:
        timed = [p for p in catalogue.parameters if p.unit in ("ms", "s", "days")]
        assert [p.name for p in timed if not p.name.endswith(f"_{p.unit}")] == []

    def test_numbers_have_bounds(self, catalogue: Catalogue) -> None:
        numbers = [p for p in catalogue.parameters if isinstance(p.default, int | float)]
        assert [p.name for p in numbers if p.bounds is None or not p.unit] == []

    def test_what_is_ambiguous_is_among_the_gaps(self, catalogue: Catalogue) -> None:
        ambiguous = [a.id for a in catalogue if a.ambiguous]
        assert len(ambiguous) == 25
        assert [i for i in ambiguous if not catalogue.gaps_of(i)] == []

    def test_gaps_are_numbered_and_refer_to_what_exists(self, catalogue: Catalogue) -> None:
        assert [gap.number for gap in catalogue.gaps] == list(range(1, 21))
        assert {i for gap in catalogue.gaps for i in gap.ids} <= set(catalogue.ids)
        assert {p for gap in catalogue.gaps for p in gap.parameters} <= set(catalogue.defaults)

    def test_every_part_of_a_rollup_resolves(self, catalogue: Catalogue) -> None:
        for assertion in catalogue:
            for part in assertion.rollup:
                alone = msgspec.structs.replace(assertion, rollup=(part,))
                assert catalogue.members(alone), (assertion.id, part)

    def test_no_rollup_holds_itself_or_another(self, catalogue: Catalogue) -> None:
        rollups = {a.id for a in catalogue if a.rollup}
        held = {member for i in rollups for member in catalogue.members(catalogue.get(i))}
        assert rollups & held == set()

    def test_an_informative_row_decides_no_rollup(self, catalogue: Catalogue) -> None:
        members = catalogue.members(catalogue.get("MIT-1"))
        assert "INV-PDP-3" in members
        assert "INV-PDP-10" not in members

    def test_controls_are_those_of_the_common_criteria(self, catalogue: Catalogue) -> None:
        controls = {c for a in catalogue for c in a.soc2}
        assert {c for c in controls if not re.fullmatch(r"CC[678]\.\d", c)} == set()

    def test_versioning_is_change_management(self, catalogue: Catalogue) -> None:
        assert {a.soc2 for a in catalogue if a.area == "versioning"} == {("CC8.1",)}
        assert catalogue.get("SOC-CC7-1").soc2 == ("CC8.1",)


class TestLoading:
    def test_a_misspelt_key_is_an_error_that_names_it(self) -> None:
        with pytest.raises(msgspec.ValidationError, match="evidense"):
            parse((ENTRY + "  evidense: x\n").encode(), Assertion)

    @pytest.mark.parametrize("value", ["level: X", "kinds: [Q]", "area: other", "profile: all"])
    def test_a_value_outside_its_choices_is_an_error(self, value: str) -> None:
        key = value.split(":")[0]
        text = re.sub(rf"(?m)^  {key}: .*$", f"  {value}", ENTRY)
        with pytest.raises(msgspec.ValidationError):
            parse(text.encode(), Assertion)

    @pytest.mark.parametrize("record", [Parameter, Gap])
    def test_records_of_one_file_do_not_pass_for_another(self, record: type) -> None:
        with pytest.raises(msgspec.ValidationError):
            parse(ENTRY.encode(), record)

    def test_an_unknown_id_names_those_that_look_like_it(self, catalogue: Catalogue) -> None:
        with pytest.raises(UnknownAssertion, match=r"'inv-pdp-03'.*did you mean .*INV-PDP-3"):
            catalogue.get("inv-pdp-03")

    def test_an_unknown_id_like_no_other_gets_no_guess(self, catalogue: Catalogue) -> None:
        with pytest.raises(LookupError, match="no assertion 'zzz'") as raised:
            catalogue.get("zzz")
        assert "did you mean" not in str(raised.value)

    def test_it_imports_nothing_heavy(self) -> None:
        code = (
            "import sys, harness.catalogue.show;"
            "print(*{m.split('.')[0] for m in sys.modules}"
            " & {'temporalio', 'locust', 'pandas', 'pytest', 'jinja2', 'aiohttp'})"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert done.stdout.strip() == b""


class TestParameters:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("workflow_start_sli", "first_task_completed"),
            ("event_type_prefix", "com.example."),
            ("business_failure_types", ["OutOfStock"]),
            ("event_lag_ms", 0),
            ("peak_factor", 5),
            ("confidence", 0.99),
        ],
    )
    def test_a_legal_value_has_no_problem(
        self, catalogue: Catalogue, name: str, value: object
    ) -> None:
        assert catalogue.parameter(name).problem(value) is None

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("workflow_start_sli", "server", "one of start_rpc_first_attempt, user_perceived"),
            ("event_type_prefix", 3, "a string"),
            ("business_failure_types", "OutOfStock", "a list of strings"),
            ("event_lag_ms", 1.5, "a whole number from 0 to 3600000 (ms)"),
            ("event_lag_ms", True, "a whole number"),
            ("pdp_deadline_ms", 0, "from 1 to 60000"),
            ("confidence", 1, "a number from 0.5 to 0.9999 (share)"),
            ("confidence", float("nan"), "a number"),
        ],
    )
    def test_a_wrong_value_is_told_what_would_be_right(
        self, catalogue: Catalogue, name: str, value: object, said: str
    ) -> None:
        problem = catalogue.parameter(name).problem(value)
        assert problem is not None
        assert problem.startswith(f"{name} must be ")
        assert said in problem

    def test_the_ids_that_use_one_are_known(self, catalogue: Catalogue) -> None:
        users = ("INV-ISO-14", "THR-D", "SLO-START-1", "CAP-1")
        assert catalogue.users("start_p95_limit_ms") == users


class TestJudgedBy:
    def test_a_check_goes_before_a_statement(self, catalogue: Catalogue) -> None:
        assert judged_by(catalogue.get("RSK-2"), frozenset({"RSK-2"})) == "check"

    def test_without_a_check_it_is_attested_or_not_yet(self, catalogue: Catalogue) -> None:
        assert judged_by(catalogue.get("RSK-2"), frozenset()) == "attest"
        assert judged_by(catalogue.get("INV-ISO-3"), frozenset()) == "not yet"


class TestShown:
    def test_the_table_fits_120_columns_and_has_each_id_once(self, catalogue: Catalogue) -> None:
        lines = table(catalogue, IMPLEMENTED, MUTANTS).splitlines()
        first = Counter(line.split()[0] for line in lines if line)
        assert max(map(len, lines)) <= 120
        assert {first[i] for i in catalogue.ids} == {1}

    def test_the_table_cuts_no_statement(self, catalogue: Catalogue) -> None:
        assert "…" not in table(catalogue, IMPLEMENTED, {})

    def test_the_table_says_what_judges_and_counts(self, catalogue: Catalogue) -> None:
        checks = len(IMPLEMENTED)
        shown = table(catalogue, IMPLEMENTED, MUTANTS)
        assert re.search(r"^INV-PDP-3 +M +CS +core +check +1 +Closed on every", shown, re.M)
        assert shown.splitlines()[-1] == (
            f"176 rows, 178 ids: {checks} judged by a check, 6 attested, {172 - checks} not yet"
        )

    def test_json_has_one_object_for_each_id(self, catalogue: Catalogue) -> None:
        objects = json.loads(json.dumps(as_json(catalogue, IMPLEMENTED, MUTANTS)))
        assert [o["id"] for o in objects] == list(catalogue.ids)
        by_id = {o["id"]: o for o in objects}
        assert by_id["INV-PDP-3"]["judged_by"] == "check"
        assert by_id["INV-PDP-3"]["mutants"] == ["allow_on_500"]
        assert by_id["INV-ISO-3"]["not_yet"].startswith("needs the secured profile")
        assert by_id["EVT-8"]["row"] == "EVT-7..9"
        assert by_id["MIT-1"]["rollup"] == ["INV-PDP-*"]

    def test_a_judged_one_is_explained_with_check_parameters_and_mutants(
        self, catalogue: Catalogue
    ) -> None:
        doc = """No effect without a valid allow.

        Second paragraph.
        """
        mutants = dict(MUTANTS["INV-PDP-3"])
        shown = explain(catalogue.get("INV-PDP-3"), "check", doc, mutants)
        for said in (
            "MUST invariant",
            "Decision Details / Invariants (MUST), line 224",
            '"fail-closed on authorization errors"',
            "No effect without a valid allow.",
            "Second paragraph.",
            "pdp_deadline_ms = 1000 unless declared",
            "allow_on_500: goes on when the PDP answers 500",
        ):
            assert said in shown
        assert max(map(len, shown.splitlines())) <= 100

    def test_one_not_judged_yet_says_what_it_waits_for(self, catalogue: Catalogue) -> None:
        shown = explain(catalogue.get("INV-ISO-3"), "not yet", None, {})
        assert "not yet: needs the secured profile (mTLS and JWT)" in shown
        assert "Mutants" not in shown

    def test_an_attested_one_is_never_called_a_pass(self, catalogue: Catalogue) -> None:
        shown = explain(catalogue.get("RSK-3"), "attest", None, {})
        assert "never as a pass" in shown

    def test_every_one_can_be_explained(self, catalogue: Catalogue) -> None:
        for assertion in catalogue:
            judged = judged_by(assertion, IMPLEMENTED)
            shown = explain(assertion, judged, None, {})
            assert shown.startswith(f"{assertion.id}  {assertion.statement}\n")
