"""Findings as SARIF 2.1.0 (OASIS): the log that code review tools show at the lines themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from harness import __version__
from harness.journal.records import SourceFinding
from harness.source.rules import RULES, Rule

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def log(results: Sequence[dict[str, Any]], rules: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A log of one run; results name their rules by id."""
    numbers = {rule["id"]: number for number, rule in enumerate(rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "harness", "version": __version__, "rules": list(rules)}
                },
                "columnKind": "unicodeCodePoints",
                "results": [{**each, "ruleIndex": numbers[each["ruleId"]]} for each in results],
            }
        ],
    }


def rules_of_source() -> list[dict[str, Any]]:
    """The static rules."""
    return [_rule(rule) for rule in RULES]


def _rule(rule: Rule) -> dict[str, Any]:
    described = {
        "id": rule.id,
        "shortDescription": {"text": f"Workflow code uses {rule.says}."},
        "defaultConfiguration": {"level": "error"},
    }
    return (
        {**described, "help": {"text": f"Instead: {rule.instead}."}} if rule.instead else described
    )


def uri(*parts: str) -> str:
    """A relative reference to a file: `.` and empty parts are left out."""
    return quote("/".join(part for part in parts if part not in ("", ".")))


def result_of(finding: SourceFinding, below: str = "") -> dict[str, Any]:
    """A finding of the scan: an error, a warning where it only may be, suppressed if reviewed.

    `below` is where the code lies, seen from where the log is read.
    """
    rule = next(rule for rule in RULES if rule.id == finding.rule)
    doubt = "" if finding.certain else f" (if `{finding.through}` is this class's method)"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": "error" if finding.certain else "warning",
        "message": {"text": f"{finding.uses}: {rule.says}{doubt}. Instead: {rule.instead}."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(below, finding.file)},
                    "region": {"startLine": max(1, finding.line)},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.where, "kind": "function"}],
            }
        ],
        "partialFingerprints": {"finding/v1": _fingerprint(finding)},
    }
    if finding.reviewed:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.reviewed}]
    return result


def _fingerprint(finding: SourceFinding) -> str:
    """The same for the same finding on another line."""
    text = "\n".join((finding.rule, finding.file, finding.where, finding.uses))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
