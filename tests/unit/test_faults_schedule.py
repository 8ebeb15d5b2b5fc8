"""Schedules as values, and the YAML files that name them."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from harness.faults.chaos_file import ChaosFileError, ChaosScenario, SagaLoad, read_chaos
from harness.faults.schedule import KINDS, LinkCut, broken_rules, kind_of

SHIPPED = Path(__file__).parents[2] / "scenarios" / "chaos"
LINKS = ("worker-engine", "worker-pdp")


def cut(start_s: float, duration_s: float, link: str = "worker-engine") -> LinkCut:
    return LinkCut(link=link, start_s=start_s, duration_s=duration_s)


def problems(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    path = tmp_path / "example.yaml"
    path.write_text(text)
    with pytest.raises(ChaosFileError) as caught:
        read_chaos(path, LINKS)
    return list(caught.value.problems)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_is_right(path: Path) -> None:
    scenario = read_chaos(path, LINKS)
    assert scenario.name == path.stem
    assert scenario.story.endswith(".")


def test_a_file_becomes_the_value_it_describes(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(
        """
name: example
story: The link is cut.
load: {rate_per_s: 2, duration_s: 10.5}
faults:
  - {kind: link_cut, link: worker-pdp, start_s: 0, duration_s: 1}
recover_within_s: 3
"""
    )
    assert read_chaos(path, LINKS) == ChaosScenario(
        name="example",
        story="The link is cut.",
        load=SagaLoad(rate_per_s=2, duration_s=10.5),
        faults=(cut(0, 1, "worker-pdp"),),
        recover_within_s=3,
    )


def test_all_problems_are_reported_at_once_with_lines_and_choices(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """name: other
stroy: misspelt
load: {rate_per_s: 2, duration_s: 6, ramp_s: 1}
recover_within_s: 0
faults:
  - {kind: link_cut, link: nowhere, start_s: 1, duration_s: 2}
  - {kind: link_cut, link: elsewhere, start_s: soon, duration_s: 2}
  - {kind: link_cut, link: worker-pdp, start_s: 1, duration_s: 2, length: 3}
  - {kind: link_cat, link: worker-pdp}
  - {link: worker-pdp, start_s: 1, duration_s: 2}
  - just text
  - {kind: link_cut, link: worker-engine, start_s: 1, duration_s: 2}
  - {kind: link_cut, link: worker-engine, start_s: 2, duration_s: 2}
  - {kind: link_cut, link: worker-engine, start_s: 5, duration_s: 2}
  - {kind: link_cut, link: worker-pdp, start_s: 4, start_s: 5, duration_s: 1}
""",
    )
    expected = [
        (1, "name is 'other', the file's is 'example'"),
        (1, "the scenario lacks story"),
        (2, "the scenario has no 'stroy'; choose from name, story, load, faults, recover_with"),
        (3, "load has no 'ramp_s'; choose from rate_per_s, duration_s"),
        (4, "recover_within_s: Expected `float` > 0.0"),
        (6, "no link 'nowhere'; choose from worker-engine, worker-pdp"),
        (7, "no link 'elsewhere'; choose from worker-engine, worker-pdp"),
        (7, "start_s: Expected `float`, got `str`"),
        (8, "link_cut has no 'length'; choose from link, start_s, duration_s"),
        (9, "a fault cannot be of kind 'link_cat'; choose from link_cut"),
        (10, "a fault lacks its kind; choose from link_cut"),
        (11, "a fault lacks its kind; choose from link_cut"),
        (13, "worker-engine is cut again at 2 s, before the cut of 1 s to 3 s is healed"),
        (14, "the fault ends at 7 s, after the load"),
        (15, "link_cut has 'start_s' twice"),
    ]
    assert [line for line, _ in found] == [line for line, _ in expected]
    for (_, problem), (_, beginning) in zip(found, expected, strict=True):
        assert problem.startswith(beginning)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "is empty"),
        ("- a list", 1, "the scenario must be a mapping of fields"),
        ("name: [", 1, "not YAML"),
        ("name: a\n--- \nname: b\n", 2, "not YAML"),
        ("name: \x07", 1, "not YAML"),
        ("faults: []", 1, "faults: give a list of at least one fault"),
        ("load: 3", 1, "load must be a mapping of fields"),
        ("story: &a [*a]", 1, "story: "),
        ("recover_within_s: .inf", 1, "recover_within_s: Expected `float` <= 86400.0"),
        ("recover_within_s: yes", 1, "recover_within_s: Expected `float`, got `bool`"),
        ("name: !!python/name:os.system", 1, "name: could not determine a constructor"),
    ],
)
def test_a_broken_file_is_a_problem_with_a_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    assert any(at == line and said.startswith(problem) for at, said in problems(tmp_path, text)), (
        problems(tmp_path, text)
    )


def test_a_missing_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(ChaosFileError, match="cannot be read"):
        read_chaos(tmp_path / "absent.yaml", LINKS)


def test_cuts_that_touch_or_are_on_different_links_do_not_overlap() -> None:
    assert broken_rules([cut(0, 2), cut(2, 2), cut(1, 2, "worker-pdp")], LINKS) == []


def test_an_overlap_is_found_in_any_order_of_the_schedule() -> None:
    assert [at for at, _ in broken_rules([cut(1, 2), cut(0, 1.5)], LINKS)] == [0]


def test_a_short_cut_within_a_long_one_overlaps_and_so_does_what_follows_it() -> None:
    assert [at for at, _ in broken_rules([cut(0, 9), cut(1, 1), cut(5, 1)], LINKS)] == [1, 2]


@pytest.mark.parametrize(
    ("start_s", "duration_s"), [(-1, 1), (math.nan, 1), (0, 0), (0, math.inf), (0, -1)]
)
def test_times_out_of_range_are_found_in_faults_made_in_python(
    start_s: float, duration_s: float
) -> None:
    assert broken_rules([cut(start_s, duration_s)], LINKS)


def test_a_schedule_survives_its_way_through_json() -> None:
    schedule = [cut(1, 2), cut(5, 0.25, "worker-pdp")]
    assert msgspec.json.decode(msgspec.json.encode(schedule), type=list[LinkCut]) == schedule


def test_the_table_of_kinds_has_the_names_that_are_written() -> None:
    for kind, type_ in KINDS.items():
        assert type_.__struct_config__.tag == kind
    assert kind_of(cut(0, 1)) == "link_cut"
