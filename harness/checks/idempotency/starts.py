"""INV-IDEM-6: what becomes of many starts of one workflow id, for each pair of policies.

Expected of the drive, for each cell of the grid: a workflow id of its own, brought into `state`
(`running` or `closed`, which means completed) by one start that is over before the others begin,
then at least two starts at the same time. Each start is an Operation: name `start`, case
`dedupe/<state>/<reuse policy>/<conflict policy>` with the policies' names as in Temporal's API
without prefix, tenant, workflow_id, invoked_ns and at_ns, the run id that was answered (on ok), and
the gRPC status or exception's class. The first start has the same case, so that it is known.
Runs started by it must not end during the others. Histories of these workflow ids, if recorded,
count as well, so that a start whose answer was lost is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, History, Operation

WRONG_RUNS: Final = "wrong number of runs"
WRONG_ANSWER: Final = "wrong answer"
LEAST_AT_ONCE: Final = 2
_PREFIX: Final = "dedupe/"
_REFUSED: Final = frozenset({"ALREADY_EXISTS", "WorkflowAlreadyStartedError"})
_INVALID: Final = frozenset({"INVALID_ARGUMENT"})

STATES: Final = ("running", "closed")
REUSE: Final = (
    "ALLOW_DUPLICATE",
    "ALLOW_DUPLICATE_FAILED_ONLY",
    "REJECT_DUPLICATE",
    "TERMINATE_IF_RUNNING",
)
CONFLICT: Final = ("FAIL", "USE_EXISTING", "TERMINATE_EXISTING")

# what all the starts together must come to
REFUSE: Final = "no new run, every start refused"
INVALID: Final = "no new run, the policies cannot be used together"
EXISTING: Final = "no new run, every start answered with the one there is"
ONE: Final = "one new run, the other starts refused"
ONE_SHARED: Final = "one new run, every start answered with it"
EACH: Final = "a run of its own for every start that is accepted"

Cell = tuple[str, str, str]
# Temporal's semantics: a running workflow is the conflict policy's matter, a closed one the reuse
# policy's, then the conflict policy's for those that come after the new run; the server refuses
# REJECT_DUPLICATE with TERMINATE_EXISTING, and TERMINATE_IF_RUNNING with any conflict policy.
EXPECTED: Final[dict[Cell, str]] = {
    ("running", "ALLOW_DUPLICATE", "FAIL"): REFUSE,
    ("running", "ALLOW_DUPLICATE", "USE_EXISTING"): EXISTING,
    ("running", "ALLOW_DUPLICATE", "TERMINATE_EXISTING"): EACH,
    ("running", "ALLOW_DUPLICATE_FAILED_ONLY", "FAIL"): REFUSE,
    ("running", "ALLOW_DUPLICATE_FAILED_ONLY", "USE_EXISTING"): EXISTING,
    ("running", "ALLOW_DUPLICATE_FAILED_ONLY", "TERMINATE_EXISTING"): EACH,
    ("running", "REJECT_DUPLICATE", "FAIL"): REFUSE,
    ("running", "REJECT_DUPLICATE", "USE_EXISTING"): EXISTING,
    ("running", "REJECT_DUPLICATE", "TERMINATE_EXISTING"): INVALID,
    ("running", "TERMINATE_IF_RUNNING", "FAIL"): INVALID,
    ("running", "TERMINATE_IF_RUNNING", "USE_EXISTING"): INVALID,
    ("running", "TERMINATE_IF_RUNNING", "TERMINATE_EXISTING"): INVALID,
    ("closed", "ALLOW_DUPLICATE", "FAIL"): ONE,
    ("closed", "ALLOW_DUPLICATE", "USE_EXISTING"): ONE_SHARED,
    ("closed", "ALLOW_DUPLICATE", "TERMINATE_EXISTING"): EACH,
    ("closed", "ALLOW_DUPLICATE_FAILED_ONLY", "FAIL"): REFUSE,
    ("closed", "ALLOW_DUPLICATE_FAILED_ONLY", "USE_EXISTING"): REFUSE,
    ("closed", "ALLOW_DUPLICATE_FAILED_ONLY", "TERMINATE_EXISTING"): REFUSE,
    ("closed", "REJECT_DUPLICATE", "FAIL"): REFUSE,
    ("closed", "REJECT_DUPLICATE", "USE_EXISTING"): REFUSE,
    ("closed", "REJECT_DUPLICATE", "TERMINATE_EXISTING"): INVALID,
    ("closed", "TERMINATE_IF_RUNNING", "FAIL"): INVALID,
    ("closed", "TERMINATE_IF_RUNNING", "USE_EXISTING"): INVALID,
    ("closed", "TERMINATE_IF_RUNNING", "TERMINATE_EXISTING"): INVALID,
}
GRID: Final = tuple(product(STATES, REUSE, CONFLICT))


@dataclass(frozen=True, slots=True)
class _Trial:
    """The starts of one workflow id in one cell. `runs` are all runs it is known to have had."""

    cell: Cell
    tenant: str
    workflow_id: str
    first: Operation | None
    at_once: tuple[Operation, ...]
    runs: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.tenant} {self.workflow_id}, {' '.join(self.cell)}"

    @property
    def new_runs(self) -> int:
        """How many runs there are besides the first."""
        return len(self.runs - {self.first.run_id if self.first else ""})

    @property
    def accepted(self) -> list[Operation]:
        return [op for op in self.at_once if op.ending is Ending.OK]

    @property
    def doubts(self) -> str:
        """Why nothing can be said of it; empty if something can."""
        if self.first is None or self.first.ending is not Ending.OK or not self.first.run_id:
            return "its first start is not recorded as ok"
        if not _overlap(self.at_once):
            return "its starts did not overlap"
        unclear = [op for op in self.at_once if not _is_clear(op)]
        if unclear:
            return f"{len(unclear)} of its starts ended as {unclear[0].status}"
        return ""


def one_start(evidence: Evidence) -> Finding:
    """ADR, Invariants: "use Temporal's built-in idempotency keys".

    The same workflow id is started many times at once, for each workflow id reuse policy with each
    conflict policy, while it runs and after it completed. How many runs that makes, and what each
    caller is told, is what Temporal documents for the policies.
    """
    trials = list(_trials(evidence))
    broken = [each for trial in trials for each in _broken(trial)]
    judged = [trial for trial in trials if not trial.doubts]
    missing = [cell for cell in GRID if cell not in {trial.cell for trial in judged}]
    lacks = [
        f"{len(missing)} of {len(GRID)} cells have no clear result, such as {' '.join(missing[0])}"
        if missing
        else "",
        *(f"{trial.name}: {trial.doubts}" for trial in trials if trial.doubts),
    ]
    figures = {
        "cells": len(GRID) - len(missing),
        "starts_at_once": sum(len(trial.at_once) for trial in judged),
        "new_runs": sum(trial.new_runs for trial in judged),
        "answers": dict(
            sorted(Counter(op.status or op.ending for t in judged for op in t.at_once).items())
        ),
    }
    kept = (
        f"{figures['starts_at_once']} starts at once over all {len(GRID)} cells made the runs that "
        "their policies allow, and each caller was told so"
    )
    return conclude((WRONG_RUNS, WRONG_ANSWER), broken, lacks[:4], kept, figures)


def _trials(evidence: Evidence) -> Iterator[_Trial]:
    recorded: dict[tuple[str, str], set[str]] = {}
    for history in evidence.of(History):
        recorded.setdefault((history.tenant, history.workflow_id), set()).add(history.run_id)
    starts: dict[tuple[str, str, str], list[Operation]] = {}
    for op in evidence.of(Operation):
        if op.name == "start" and op.case.startswith(_PREFIX):
            starts.setdefault((op.case, op.tenant, op.workflow_id), []).append(op)
    for (case, tenant, workflow_id), found in starts.items():
        state, reuse, conflict = (*case.removeprefix(_PREFIX).split("/"), "", "", "")[:3]
        found.sort(key=lambda op: op.invoked_ns)
        known = recorded.get((tenant, workflow_id), set()) | {op.run_id for op in found}
        yield _Trial(
            (state, reuse, conflict), tenant, workflow_id, *_split(found), frozenset(known - {""})
        )


def _split(starts: list[Operation]) -> tuple[Operation | None, tuple[Operation, ...]]:
    """The start that was over before the others began, and the others."""
    if len(starts) > 1 and starts[0].at_ns <= starts[1].invoked_ns:
        return starts[0], tuple(starts[1:])
    return None, tuple(starts)


def _overlap(starts: Sequence[Operation]) -> bool:
    """Whether at least two of them were under way at the same time."""
    ends = [op.at_ns for op in starts[: LEAST_AT_ONCE - 1]]
    return len(starts) >= LEAST_AT_ONCE and starts[LEAST_AT_ONCE - 1].invoked_ns < min(ends)


def _is_clear(op: Operation) -> bool:
    if op.ending is Ending.OK:
        return bool(op.run_id)
    return op.ending is Ending.FAIL and op.status in _REFUSED | _INVALID


def _broken(trial: _Trial) -> Iterator[Broken]:
    expected = EXPECTED.get(trial.cell)
    if expected is None or trial.first is None:
        return
    accepted = {op.run_id for op in trial.accepted}
    least, most = {
        REFUSE: (0, 0),
        INVALID: (0, 0),
        EXISTING: (0, 0),
        ONE: (1, 1),
        ONE_SHARED: (1, 1),
        EACH: (1, len(trial.at_once)),
    }[expected]
    if trial.new_runs > most or (trial.new_runs < least and not trial.doubts):
        text = f"{trial.name}: {trial.new_runs} new runs; expected: {expected}"
        yield Broken(WRONG_RUNS, text)
    if trial.doubts:
        return
    for op in trial.at_once:
        if not _answer_fits(op, expected, trial.first.run_id):
            text = f"{trial.name}: answered {op.status} {op.run_id}; expected: {expected}"
            yield Broken(WRONG_ANSWER, text.rstrip())
    if expected == EACH and len(accepted) < len(trial.accepted):
        text = f"{trial.name}: {len(trial.accepted)} starts share {len(accepted)} runs"
        yield Broken(WRONG_ANSWER, f"{text}; expected: {expected}")


def _answer_fits(op: Operation, expected: str, first_run_id: str) -> bool:
    """Whether what one caller was told fits; how many runs there are is counted apart."""
    refused = op.ending is Ending.FAIL and op.status in _REFUSED
    match expected:
        case "no new run, every start refused":
            return refused
        case _ if expected == INVALID:
            return op.ending is Ending.FAIL and op.status in _INVALID
        case _ if expected == EXISTING:
            return op.run_id == first_run_id
        case _ if expected == ONE:
            return refused or op.ending is Ending.OK
    return op.ending is Ending.OK
