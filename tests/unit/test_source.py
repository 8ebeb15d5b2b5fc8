"""Reading workflow code without running it: what is reached, what is not, what is left open."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from harness.checks.authorization import CHECKS
from harness.checks.check import Check
from harness.journal.records import Part, SourceFinding, SourceScan, Subject
from harness.outcome import Outcome
from harness.source import scan
from tests.unit.journals import Story

PDP_13: Check = next(check for check in CHECKS if check.id == "INV-PDP-13")
SAGA = """
from temporalio import workflow
{imports}

@workflow.defn
class Saga:
    @workflow.run
    async def run(self):
        {run}

    def helper(self):
        {helper}
"""


def project(folder: Path, flows: str, **modules: str) -> SourceScan:
    """The scan of a module `flows` beside other modules of the same folder."""
    for name, source in {"flows": flows, **modules}.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
    return scan("flows", folder)


def saga(imports: str = "", run: str = "pass", helper: str = "pass") -> str:
    """A workflow with these lines in it."""
    return SAGA.format(imports=imports, run=run, helper=helper)


def reached(found: SourceScan, *, certain: bool = True) -> list[str]:
    """What is used, and where."""
    return [f"{f.file}:{f.where} {f.uses}" for f in found.findings if f.certain is certain]


# --- what is found


@pytest.mark.parametrize(
    ("imports", "run", "uses"),
    [
        ("import requests", "requests.post('x')", "requests.post"),
        ("import requests as web", "web.post('x')", "requests.post"),
        ("from urllib import request", "request.urlopen('x')", "urllib.request.urlopen"),
        ("import urllib.request", "urllib.request.urlopen('x')", "urllib.request.urlopen"),
        ("from aiohttp import ClientSession as S", "S()", "aiohttp.ClientSession"),
        ("import asyncio", "await asyncio.open_connection('x', 1)", "asyncio.open_connection"),
        ("", "import httpx; httpx.get('x')", "httpx.get"),
        ("import httpx\nCLIENT = httpx.Client()", "CLIENT.get('x')", "httpx.Client"),
        ("import grpc\nSTUBS = {'a': grpc.dial}", "STUBS['a']()", "grpc.dial"),
        ("import requests", "[requests.get(x) for x in 'ab']", "requests.get"),
        ("import requests", "(lambda: requests.get('x'))()", "requests.get"),
    ],
)
def test_a_client_is_found_however_it_is_named(
    tmp_path: Path, imports: str, run: str, uses: str
) -> None:
    found = project(tmp_path, saga(imports, run))
    assert [each.uses for each in found.findings] == [uses]
    assert found.findings[0].certain
    assert found.findings[0].line


def test_helpers_of_other_modules_are_followed(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        saga("from steps import ask", "ask()"),
        steps="from rules import decide as ask",
        rules="import requests\ndef decide():\n    return _post()\ndef _post():\n"
        "    return requests.post('x')",
    )
    assert reached(found) == ["rules.py:_post requests.post"]
    assert set(found.files) == {"flows.py", "steps.py", "rules.py"}


def test_a_packages_relative_imports_are_followed(tmp_path: Path) -> None:
    package = tmp_path / "app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "web.py").write_text("import requests\ndef ask():\n    requests.get('x')")
    (package / "flows.py").write_text(saga("from .web import ask", "ask()"))
    assert reached(scan("app.flows", tmp_path)) == ["app/web.py:ask requests.get"]


def test_inherited_methods_and_methods_on_self_are_followed(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        saga("from parent import Parent", "self.ask()").replace("Saga:", "Saga(Parent):"),
        parent="import requests\nclass Parent:\n    def ask(self):\n        requests.get('x')",
    )
    assert reached(found) == ["parent.py:Parent.ask requests.get"]


def test_a_method_of_an_object_nobody_knows_is_only_possible(tmp_path: Path) -> None:
    """It may be the client's, or another's of the same name."""
    found = project(
        tmp_path,
        saga("import pdp", "make(pdp).ask()"),
        pdp="import requests\nclass Pdp:\n    def ask(self):\n        requests.get('x')",
    )
    assert reached(found) == []
    assert reached(found, certain=False) == ["pdp.py:Pdp.ask requests.get"]


# --- what is no finding


@pytest.mark.parametrize(
    ("imports", "run"),
    [
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import requests", "pass"),
        ("import requests", "x: requests.Session = 1"),
        ("import requests", "requests = 1; print(requests)"),
        ("import asyncio", "await asyncio.sleep(1)"),
        ("", "socket = 1; print(socket)"),
    ],
)
def test_what_is_not_used_is_not_found(tmp_path: Path, imports: str, run: str) -> None:
    found = project(tmp_path, saga(imports, run))
    assert (found.findings, found.outside, found.unfollowed) == ([], [], [])


def test_an_activity_that_is_handed_to_the_sdk_is_not_called_by_the_workflow(
    tmp_path: Path,
) -> None:
    found = project(
        tmp_path,
        saga("from acts import ask", "await workflow.execute_activity(ask, 1)"),
        acts="import requests\ndef ask():\n    requests.get('x')",
    )
    assert found.findings == []


# --- what is left open


@pytest.mark.parametrize(
    ("imports", "run", "text"),
    [
        ("", "exec('x')", "exec"),
        ("import importlib", "importlib.import_module(name)", "importlib.import_module"),
    ],
)
def test_code_that_cannot_be_followed_is_named(
    tmp_path: Path, imports: str, run: str, text: str
) -> None:
    (unfollowed,) = project(tmp_path, saga(imports, run)).unfollowed
    assert unfollowed.startswith("flows.py:")
    assert unfollowed.endswith(text)


def test_a_module_that_does_not_parse_is_named(tmp_path: Path) -> None:
    found = project(tmp_path, saga("import steps", "steps.ask()"), steps="def ask(:")
    assert found.unfollowed[0].startswith("steps.py:")


def test_packages_of_others_are_named(tmp_path: Path) -> None:
    found = project(tmp_path, saga("import acme.rules\nimport json", "acme.rules.ask(json.dumps)"))
    assert found.outside == ["acme"]


def test_a_module_without_workflow_or_that_is_not_there_has_no_classes(tmp_path: Path) -> None:
    assert project(tmp_path, "x = 1").classes == []
    assert scan("elsewhere", tmp_path).classes == []


# --- the verdict


def told(*scans: SourceScan, language: str = "python") -> Story:
    story = Story()
    part: Any = {"subject": Subject.WORKER, "ours": False, "name": language}
    story.add(Part(**story.at(), **part))
    for each in scans:
        story.add(each)
    return story


def seen(**fields: Any) -> SourceScan:
    """A scan in which all is well, but for these fields."""
    well: dict[str, Any] = {
        "workflows": "flows", "classes": ["flows.Saga"], "functions": 7,
        "files": {"flows.py": "0" * 64},
    }  # fmt: skip
    return SourceScan(at_ns=1, wall_ns=1, **{**well, **fields})


def finding(*, certain: bool) -> SourceFinding:
    return SourceFinding(
        rule="pdp-client", file="flows.py", line=3, where="Saga.run", uses="requests.post",
        certain=certain,
    )  # fmt: skip


def test_code_that_reaches_no_client_passes() -> None:
    verdict = told(seen()).judge(PDP_13)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["functions_reached"] == 7


def test_code_that_reaches_one_fails_and_the_line_is_named() -> None:
    verdict = told(seen(findings=[finding(certain=True)])).judge(PDP_13)
    assert verdict.outcome is Outcome.FAIL
    assert "flows.py:3: Saga.run uses requests.post" in verdict.witnesses[0].text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"findings": [finding(certain=False)]}, "may reach"),
        ({"classes": []}, "no workflow class"),
        ({"unfollowed": ["flows.py:3: exec"]}, "cannot be read"),
        ({"outside": ["acme"]}, "acme"),
    ],
)
def test_what_was_not_read_leaves_it_open(fields: dict[str, Any], text: str) -> None:
    verdict = told(seen(**fields)).judge(PDP_13)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert text in verdict.reason


def test_a_package_that_was_reviewed_is_trusted() -> None:
    story = told(seen(outside=["acme"]))
    assert story.judge(PDP_13, reviewed_packages=["acme"]).outcome is Outcome.PASS


def test_without_a_scan_nothing_is_known() -> None:
    assert told().judge(PDP_13).outcome is Outcome.INCONCLUSIVE
    assert Story().judge(PDP_13).outcome is Outcome.INCONCLUSIVE


def test_a_worker_in_another_language_cannot_be_read() -> None:
    assert told(language="rust").judge(PDP_13).outcome is Outcome.NOT_APPLICABLE
