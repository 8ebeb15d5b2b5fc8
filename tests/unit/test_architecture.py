"""The shape of the project: who may know whom, and that its tables agree with each other."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from harness.catalogue import judged_by, load_catalogue
from harness.checks.table import CHECKED, PROFILES, TABLE
from harness.scenario import Act, Case, Suite
from scenarios.chaos import SUITES as CHAOS
from scenarios.conformance import SUITES as CONFORMANCE
from scenarios.mutants.table import MUTANTS

ROOT = Path(__file__).parents[2]
PACKAGES = ("harness", "reports", "scenarios")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
# Each big dependency has one module that knows it; gRPC one that forwards and one that serves,
# Locust one that starts and one for several processes.
ADAPTERS = {
    "locust": {"harness/load/locusts.py", "harness/load/parts.py"},
    "gevent": {"harness/load/locusts.py", "harness/load/parts.py"},
    "toxiproxy": {"harness/faults/toxiproxy.py"},
    "pandas": {"reports/frames.py"},
    "jinja2": {"reports/jinja.py"},
    "grpc": {"harness/tap/forward.py", "harness/replay/frontend/server.py"},
}
ARMS = {"core": CONFORMANCE, "load": ("scenarios.load.test_load",), "chaos": CHAOS}
SUITES: dict[str, list[Suite]] = {
    profile: [importlib.import_module(name).SUITE for name in names]
    for profile, names in ARMS.items()
}
ALL_SUITES = [suite for suites in SUITES.values() for suite in suites]


def names_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@lru_cache(None)
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def contributions(suite: Suite) -> list[Case | Act]:
    return [*suite.cases, *suite.acts]


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


# --- layout


def test_the_product_is_three_packages_and_the_tests_are_no_part_of_it() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} == {*PACKAGES}
    found = {
        path.name for path in (ROOT / "scenarios").iterdir() if (path / "__init__.py").exists()
    }
    assert found == {"conformance", "load", "chaos", "reference", "mutants"}
    assert {"unit", "real", "benchmarks"} <= {path.name for path in (ROOT / "tests").iterdir()}


def test_no_file_is_named_for_nothing() -> None:
    vague = re.compile(r"(utils?|helpers?|common|base|manager|misc)$")
    assert [names_of(path) for path in SOURCES if vague.search(path.stem)] == []


def test_no_class_of_the_product_looks_like_a_test() -> None:
    found = re.compile(r"^\s*class Test", re.MULTILINE)
    assert [names_of(path) for path in SOURCES if found.search(path.read_text())] == []


def test_tests_with_real_parts_are_marked_and_lie_apart() -> None:
    unmarked = [
        names_of(path)
        for path in (ROOT / "tests").rglob("test_*.py")
        if ("pytest.mark.real" in path.read_text()) != (path.parent.name == "real")
        and path != Path(__file__)
    ]
    assert unmarked == []


# --- who may know whom


@pytest.mark.parametrize(("dependency", "adapter"), ADAPTERS.items())
def test_a_big_dependency_is_known_to_its_adapter(dependency: str, adapter: set[str]) -> None:
    knowing = {
        names_of(path)
        for path in SOURCES
        if dependency in path.read_text()
        and any(name.split(".")[0] == dependency for name in imported(path))
    }
    assert knowing == adapter


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def test_every_part_of_the_harness_is_named_in_a_contract() -> None:
    """`lint-imports` holds the direction; a part that no contract names could go either way."""
    named = {
        module
        for contract in contracts()
        for module in (*contract["source_modules"], *contract["forbidden_modules"])
    }
    data = {
        "errors",
        "groups",
        "mutant",
        "yaml_fit",
        "yaml_lines",
        "contract",
        "__init__",
        "__main__",
    }
    parts = {path.stem for path in (ROOT / "harness").iterdir() if path.suffix in ("", ".py")}
    parts -= {"__pycache__"}
    assert {part for part in parts - data if f"harness.{part}" not in named} == set()


def test_no_contract_names_what_is_not_there() -> None:
    ours = {
        module
        for contract in contracts()
        for module in (*contract["source_modules"], *contract["forbidden_modules"])
        if module.split(".")[0] in PACKAGES
    }
    missing = {
        module
        for module in ours
        if not any(
            (ROOT / f"{module.replace('.', '/')}{end}").exists() for end in (".py", "/__init__.py")
        )
    }
    assert missing == set()


def loaded_by(*modules: str) -> set[str]:
    """The packages that importing these modules loads, in a process of its own."""
    script = (
        "import importlib, sys\n"
        f"for name in {list(modules)!r}: importlib.import_module(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_pytest_and_the_supervisor_load_neither_the_sdk_nor_locust() -> None:
    """Not through what is imported by name either: suites, mutants, reports."""
    commands = [f"harness.cli.{path.stem}" for path in (ROOT / "harness" / "cli").glob("*.py")]
    suites = [*CONFORMANCE, *CHAOS, "scenarios.load.test_load", "scenarios.mutants.table"]
    loaded = loaded_by(
        "harness.pytest_plugin", *(c for c in commands if c != "harness.cli.__init__"), *suites
    )
    assert loaded & {"temporalio", "locust", "gevent"} == set()


def test_judging_loads_nothing_that_speaks_to_a_platform() -> None:
    loaded = loaded_by("harness.judging")
    assert loaded & {"temporalio", "locust", "gevent", "aiohttp", "grpc", "asyncio"} == set()
    assert not loaded & {"pandas", "jinja2", "numpy"}, "nor what only reports need"


# --- catalogue, checks, suites, mutants


def test_each_assertion_has_one_check() -> None:
    assert [id_ for id_, count in Counter(check.id for check in TABLE).items() if count > 1] == []


def test_the_catalogue_says_check_of_exactly_what_has_one() -> None:
    catalogue = load_catalogue()
    said = {each.id for each in catalogue if judged_by(each, CHECKED) == "check"}
    rolled_up = {each.id for each in catalogue if each.rollup}
    assert said - rolled_up == set(CHECKED)


def test_each_check_is_asked_by_one_profile() -> None:
    asked = Counter(each for ids in PROFILES.values() for each in ids)
    assert asked == Counter(CHECKED)


@pytest.mark.parametrize("profile", PROFILES)
def test_each_check_of_a_profile_is_one_item_of_its_suites(profile: str) -> None:
    shown = Counter(each for suite in SUITES[profile] for each in suite.feeds)
    assert shown == Counter(PROFILES[profile])


def test_no_profile_is_without_suites() -> None:
    assert set(PROFILES) == set(ARMS)


def test_whatever_a_case_or_an_act_feeds_is_shown_by_a_suite() -> None:
    shown = {each for suite in ALL_SUITES for each in suite.feeds}
    fed = {
        each
        for suite in ALL_SUITES
        for contributed in contributions(suite)
        for each in contributed.feeds
    }
    assert fed <= shown
    assert all(each.feeds for suite in ALL_SUITES for each in contributions(suite))


def test_cases_and_acts_can_be_told_apart_by_name() -> None:
    for suite in ALL_SUITES:
        assert len({case.name for case in suite.cases}) == len(suite.cases)
    acts = [act.name for suite in ALL_SUITES for act in suite.acts]
    assert len(set(acts)) == len(acts)
    assert len({suite.name for suite in ALL_SUITES}) == len(ALL_SUITES)


def test_every_act_names_a_function_that_is_there() -> None:
    for suite in ALL_SUITES:
        for act in suite.acts:
            module, _, function = act.call.partition(":")
            tree = parsed(ROOT / f"{module.replace('.', '/')}.py")
            found = {each.name for each in tree.body if isinstance(each, ast.AsyncFunctionDef)}
            assert function in found, act.call


def test_every_suite_module_of_a_package_is_in_its_list() -> None:
    for package, listed in (("conformance", CONFORMANCE), ("chaos", CHAOS)):
        there = {
            f"scenarios.{package}.{path.stem}"
            for path in (ROOT / "scenarios" / package).glob("test_*.py")
        }
        assert there == set(listed)


def test_each_check_of_the_core_has_a_mutant_that_must_fail_it() -> None:
    proven = {each for mutant in MUTANTS for each in mutant.expected}
    assert set(PROFILES["core"]) - proven == set()


def test_every_mutant_names_checks_that_exist_and_itself_only_once() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        assert mutant.expected, mutant.name
        assert {*mutant.expected, *mutant.collateral} <= CHECKED, mutant.name
        assert set(mutant.expected) <= set(PROFILES[mutant.profile]), mutant.name
        assert mutant.defect.endswith("."), mutant.name
