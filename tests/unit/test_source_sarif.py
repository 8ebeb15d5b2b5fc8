"""Findings as SARIF 2.1.0: what the official schema demands, checked by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from harness.source.rules import RULES
from harness.source.sarif import log, result_of, rules_of_source
from tests.unit.test_source import project, saga

LEVELS = {"none", "note", "warning", "error"}
# of the schema's definitions: which keys each may have (additionalProperties is false everywhere)
KEYS = {
    "log": {"$schema", "version", "runs", "inlineExternalProperties", "properties"},
    "run": {"tool", "results", "columnKind", "artifacts", "invocations", "properties"},
    "driver": {"name", "version", "rules", "informationUri", "semanticVersion", "properties"},
    "rule": {"id", "name", "shortDescription", "fullDescription", "help", "helpUri",
             "defaultConfiguration", "properties"},
    "result": {"ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints",
               "suppressions", "kind", "properties"},
    "location": {"physicalLocation", "logicalLocations", "message", "id", "properties"},
    "region": {"startLine", "startColumn", "endLine", "endColumn", "snippet", "message"},
    "suppression": {"kind", "status", "justification", "location", "guid", "properties"},
}  # fmt: skip


def check_sarif(document: Any) -> None:
    """Raise `AssertionError` where a document is no SARIF 2.1.0 log."""
    assert set(document) <= KEYS["log"]
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-schema-2.1.0.json")
    assert isinstance(document["runs"], list)
    for run in document["runs"]:
        assert set(run) <= KEYS["run"]
        assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
        driver = run["tool"]["driver"]
        assert set(driver) <= KEYS["driver"]
        assert driver["name"]
        for rule in driver["rules"]:
            check_rule(rule)
        ids = [rule["id"] for rule in driver["rules"]]
        assert len(ids) == len(set(ids))
        for result in run["results"]:
            check_result(result, ids)


def check_rule(rule: Any) -> None:
    assert set(rule) <= KEYS["rule"]
    for name in {"shortDescription", "fullDescription", "help"} & set(rule):
        assert rule[name]["text"]
    assert rule["defaultConfiguration"]["level"] in LEVELS


def check_result(result: Any, ids: list[str]) -> None:
    assert set(result) <= KEYS["result"]
    assert result["level"] in LEVELS
    assert result["message"]["text"]
    assert ids[result["ruleIndex"]] == result["ruleId"]
    assert all(isinstance(text, str) for text in result.get("partialFingerprints", {}).values())
    for location in result["locations"]:
        assert set(location) <= KEYS["location"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[\w./%-]+", uri)  # a relative reference of RFC 3986
        assert not uri.startswith("/")
        region = location["physicalLocation"].get("region")
        if region is not None:
            assert set(region) <= KEYS["region"]
            assert region["startLine"] >= 1
    for suppression in result.get("suppressions", []):
        assert set(suppression) <= KEYS["suppression"]
        assert suppression["kind"] in {"inSource", "external"}


def test_a_log_has_the_structure_of_sarif(tmp_path: Path) -> None:
    run = "open('x'); make(pdp).ask()\n        hash(1)  # replay-safe: an integer"
    pdp = "import requests\nclass Pdp:\n    def ask(self):\n        requests.get('x')"
    found = project(tmp_path, saga("import pdp", run), pdp=pdp).findings
    assert len(found) == 3
    document = json.loads(json.dumps(log([result_of(f) for f in found], rules_of_source())))
    check_sarif(document)
    results = {each["ruleId"]: each for each in document["runs"][0]["results"]}
    assert (results["files"]["level"], results["pdp-client"]["level"]) == ("error", "warning")
    assert results["hash-or-id"]["suppressions"] == [
        {"kind": "inSource", "justification": "an integer"}
    ]
    (location,) = results["files"]["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "flows.py"}, "region": {"startLine": 9},
    }  # fmt: skip


def test_files_are_named_from_where_the_log_is_read(tmp_path: Path) -> None:
    (found,) = project(tmp_path, saga(run="open('x')")).findings
    for below, told in (("", "flows.py"), (".", "flows.py"), ("our app", "our%20app/flows.py")):
        (location,) = result_of(found, below)["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == told


def test_an_empty_log_is_one() -> None:
    check_sarif(log([], rules_of_source()))


def test_every_rule_says_what_to_do_instead() -> None:
    assert [rule.id for rule in RULES if not rule.instead] == []


def test_a_finding_that_moves_to_another_line_keeps_its_fingerprint(tmp_path: Path) -> None:
    (one,) = project(tmp_path, saga(run="open('x')")).findings
    (two,) = project(tmp_path, saga(run="pass; pass\n        open('x')")).findings
    assert one.line != two.line
    first, second = result_of(one), result_of(two)
    assert first["partialFingerprints"] == second["partialFingerprints"]
