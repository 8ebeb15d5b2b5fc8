"""How a replay with a Python module is shown: the code as it was read, then the histories."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from harness.checks.verdict import Verdict
from harness.cli.replay import as_json as histories_as_json
from harness.cli.replay import as_text as histories_as_text
from harness.journal.records import SourceFinding
from harness.outcome import Outcome, exit_code, worst
from harness.replay.verdicts import HistoryVerdict, worst_of
from harness.run.replay_python import Judged
from harness.source.rules import RULES
from harness.source.sarif import log, result_of, rules_of_source, uri

_REPLAYED: Final = {
    "stock": "The SDK's replayer finds other commands than the recorded ones.",
    "strict": "A command's recorded attributes differ from those of the replay.",
    "perturbed": "The commands depend on the surroundings of the process.",
    "not-judged": "The history could not be replayed, so nothing is known of it.",
}
_INSTEAD: Final = {rule.id: rule.instead for rule in RULES}


def _worst(judged: Judged) -> Outcome:
    return worst([*(each.outcome for each in judged.static), worst_of(judged.histories)])


def code_of(judged: Judged) -> int:
    """The exit code of both parts; the worse one counts."""
    static = [("M", each.outcome) for each in judged.static]
    return exit_code([*static, *(("M", each.outcome) for each in judged.histories)])


def shown(judged: Judged, format_: str, seconds: float) -> str:
    """Text, JSON or SARIF."""
    if format_ == "sarif":
        return json.dumps(as_sarif(judged), indent=1)
    if format_ == "json":
        return json.dumps(as_json(judged, seconds), indent=1)
    return as_text(judged, seconds)


def as_json(judged: Judged, seconds: float) -> dict[str, Any]:
    """The histories' summary, and beside it what was read and what was varied."""
    return {
        **histories_as_json(judged.histories, seconds),
        "verdict": str(_worst(judged)),
        "exit_code": code_of(judged),
        "varied": list(judged.varied),
        "notes": list(judged.notes),
        "static": msgspec.to_builtins(judged.static),
        "findings": msgspec.to_builtins(judged.source.findings),
    }


def as_text(judged: Judged, seconds: float) -> str:
    """First the code with a line for each finding, then the histories."""
    return "\n".join(
        [
            *_code(judged),
            "",
            histories_as_text(judged.histories, seconds),
            _perturbed(judged),
        ]
    )


def _perturbed(judged: Judged) -> str:
    compared = sum(each.mode == "perturbed" for each in judged.histories)
    return (
        f"  in two surroundings: {compared} histories; varied: {', '.join(judged.varied)} "
        "(not the machine's clock)"
    )


def _code(judged: Judged) -> Iterator[str]:
    for verdict in judged.static:
        yield f"  {verdict.outcome:14}  {verdict.id}: {verdict.reason}"
        for finding in judged.source.findings:
            if _counts(finding, verdict):
                yield f"      {_line(finding)}"
    for note in judged.notes:
        yield f"  note: {note}"


def _counts(finding: SourceFinding, verdict: Verdict) -> bool:
    """Whether a verdict's witnesses tell of a finding."""
    place = f"{finding.file}:{finding.line}: "
    told = [*(each.text for each in verdict.witnesses), verdict.reason]
    return any(place in text and finding.uses in text for text in told)


def _line(finding: SourceFinding) -> str:
    doubt = "" if finding.certain else " (perhaps)"
    return (
        f"{finding.file}:{finding.line}: {finding.rule}: {finding.uses} in {finding.where}{doubt}; "
        f"instead: {_INSTEAD[finding.rule]}"
    )


def as_sarif(judged: Judged) -> dict[str, Any]:
    """The findings at their lines, and what replays found at the histories' files."""
    reviewed = {
        id(finding)
        for finding in judged.source.findings
        if finding.rule == "passed-through"
        and not any(_counts(finding, verdict) for verdict in judged.static)
    }
    results = [
        result_of(each, judged.code_in)
        for each in judged.source.findings
        if id(each) not in reviewed
    ]
    results += [
        _result(each, judged.histories_in)
        for each in judged.histories
        if each.outcome is not Outcome.PASS
    ]
    return log(
        [each for each in results if each],
        [*rules_of_source(), *(_rule(mode, says) for mode, says in _REPLAYED.items())],
    )


def _rule(mode: str, says: str) -> dict[str, Any]:
    return {
        "id": f"replay-{mode}",
        "shortDescription": {"text": says},
        "defaultConfiguration": {"level": "warning" if mode == "not-judged" else "error"},
    }


def _result(verdict: HistoryVerdict, below: str) -> dict[str, Any]:
    """Empty for a history of which nothing was executed."""
    if verdict.outcome is Outcome.NOT_APPLICABLE:
        return {}
    failed = verdict.outcome is Outcome.FAIL
    said = [verdict.message, *_differences(verdict)]
    return {
        "ruleId": f"replay-{verdict.mode if failed else 'not-judged'}",
        "level": "error" if failed else "warning",
        "message": {"text": "; ".join(each for each in said if each) or "see the history"},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": uri(below, verdict.file)}}}
        ],
    }


def _differences(verdict: HistoryVerdict) -> Sequence[str]:
    return [
        f"event {each.event_id}, {each.attribute}: recorded {each.recorded}, "
        f"replayed {each.replayed}"
        for each in verdict.errors[:5]
    ]
