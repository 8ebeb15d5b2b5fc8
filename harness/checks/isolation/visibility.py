"""INV-ISO-10: visibility shows a tenant its own runs only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.isolation.canaries import Text, owners, said, search, tenant_of_run
from harness.journal.records import Ending, Operation

LIST: Final = "list"
COUNT: Final = "count"
TOKEN: Final = "page token"
CLAUSES: Final = (LIST, COUNT, TOKEN)
COUNTS: Final = frozenset({"count", "grouped count"})
# what an engine need not have: scans are deprecated, archives are seldom kept
NEEDED: Final = ("list", "count", "grouped count", "page token")
LEAST_QUESTIONS: Final = 20


def visibility_stays_with_its_tenant(evidence: Evidence) -> Finding:
    """ADR, Threats Addressed: "Multi-tenant isolation via separate namespaces and task queues".

    Lists, counts, grouped counts, queries that try to get out of a tenant's namespace, and page
    tokens made for another tenant: no answer holds a run or a canary of another tenant, and no
    count is higher than what the tenant has. Whether a query is refused or answered with nothing is
    the engine's choice. Each way of asking must have shown a tenant its own runs.
    """
    questions = [op for op in evidence.of(Operation) if op.name == "visibility"]
    answered = [op for op in questions if op.ending is Ending.OK]
    across = [op for op in questions if op.args["of"] != op.tenant]
    broken = [*_listed(evidence, answered), *_counted(answered)]
    works = {op.args["way"] for op in answered if op.args["of"] == op.tenant and _found(op)}
    tried = {op.args["way"] for op in across if not _unclear(op)}
    silent = [way for way in NEEDED if way not in works or way not in tried]
    unclear = sum(map(_unclear, across))
    place = search("answers", _texts(answered), owners(evidence))
    return conclude(
        CLAUSES,
        broken,
        [
            place.lacks if answered else "",
            f"a tenant did not see its own runs by {', '.join(silent)}" if silent else "",
            f"{unclear} questions ended unclear" if unclear else "",
            "" if len(across) >= LEAST_QUESTIONS else f"{len(across)} questions were asked",
        ],
        f"{len(across)} questions after another tenant's runs showed and counted none of them",
        {
            "questions": len(across),
            "refused": sum(op.ending is not Ending.OK for op in across) - unclear,
            "by_way": dict(sorted(Counter(op.args["way"] for op in across).items())),
            "places": [{**place.row, "place": "list and count answers"}],
        },
    )


def _unclear(op: Operation) -> bool:
    """Whether a question was not answered; an error of the engine's own is an answer: nothing."""
    return op.ending is Ending.INFO and op.status != "INTERNAL"


def _clause(op: Operation) -> str:
    return TOKEN if op.args["way"] == "page token" else LIST


def _texts(answered: Sequence[Operation]) -> Iterator[Text]:
    for op in answered:
        yield Text(op.tenant, f"the answer to {op.args['query'] or 'a query of all'}", "",
                   said(op.result))  # fmt: skip


def _listed(evidence: Evidence, answered: Sequence[Operation]) -> Iterator[Broken]:
    runs, known = tenant_of_run(evidence), owners(evidence)
    for op in answered:
        if op.args["way"] in COUNTS:
            continue
        place = search(_clause(op), _texts([op]), known)
        foreign = _foreign(op, runs)
        if foreign:
            yield Broken(_clause(op), f"{op.tenant} asked {op.args['query']!r} and saw {foreign}")
        else:
            yield from place.leaks


def _foreign(op: Operation, runs: Mapping[str, str]) -> list[str]:
    """The listed runs that ran in another tenant's namespace."""
    return [
        f"{workflow_id} of {runs[run_id]}"
        for workflow_id, run_id, _ in op.result["runs"]
        if runs.get(run_id, op.tenant) != op.tenant
    ]


def _counted(answered: Sequence[Operation]) -> Iterator[Broken]:
    for op in answered:
        most = op.args["most"]
        if op.args["way"] in COUNTS and 0 <= most < _number(op.result):
            yield Broken(
                COUNT,
                f"{op.tenant} asked {op.args['query']!r} and was told {_number(op.result)}, "
                f"but has {most}",
            )


def _number(result: Mapping[str, Any]) -> int:
    return max(int(result["count"]), sum(map(int, result["groups"])))


def _found(op: Operation) -> bool:
    """Whether a tenant's question after its own runs found any."""
    return _number(op.result) > 0 if op.args["way"] in COUNTS else bool(op.result["runs"])
