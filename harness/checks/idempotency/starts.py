"""INV-IDEM-6: what becomes of many starts of one workflow id, for each pair of policies.

Expected of the drive, for each cell of the grid: an Operation for each of at least two starts that
are under way at the same time, all of one workflow id that no other cell has. Name `start`, case
`dedupe/<state>/<reuse policy>/<conflict policy>` with the policies' names as in Temporal's API
without prefix, tenant, invoked_ns and at_ns, the run id that was answered (on ok), and the gRPC
status or exception's class. State `running`: no run before, the starts meet each other's run.
State `closed`: one run before, which completed; its start, if recorded under the same case, ended
before the others began. The runs started must not end before the last start was answered. Case
`dedupe/request-id`: one request repeated with its request id, as after a lost answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Operation

WRONG_RUNS: Final = "wrong number of runs"
WRONG_ANSWER: Final = "wrong answer"
_PREFIX: Final = "dedupe/"

REPEATED: Final = ("request-id", "", "")
STATES: Final = ("running", "closed")
REUSE: Final = (
    "ALLOW_DUPLICATE",
    "ALLOW_DUPLICATE_FAILED_ONLY",
    "REJECT_DUPLICATE",
    "TERMINATE_IF_RUNNING",
)
CONFLICT: Final = ("FAIL", "USE_EXISTING", "TERMINATE_EXISTING")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What all the starts of a cell together must come to.

    `least` and `most` new runs (None: one for each start), `answers` that a caller may get, and
    whether two callers may be told of the same new run.
    """

    text: str
    least: int = 0
    most: int | None = 0
    answers: frozenset[str]
    shared: bool = True


NEW: Final = "ok"
REFUSED: Final = "already started"
NOT_VALID: Final = "invalid argument"
BUSY: Final = "too many starts"

REFUSE: Final = Expectation(text="no new run, every start refused", answers=frozenset({REFUSED}))
INVALID: Final = Expectation(
    text="no new run, the policies cannot be used together", answers=frozenset({NOT_VALID})
)
ONE: Final = Expectation(
    text="one new run, the other starts refused",
    least=1,
    most=1,
    answers=frozenset({NEW, REFUSED}),
    shared=False,
)
ONE_SHARED: Final = Expectation(
    text="one new run, every start answered with it", least=1, most=1, answers=frozenset({NEW})
)
EACH: Final = Expectation(
    text="a new run for every start that is accepted",
    least=1,
    most=None,
    answers=frozenset({NEW, BUSY}),
    shared=False,
)

Cell = tuple[str, str, str]
# Temporal's semantics: a running workflow is the conflict policy's matter, a closed one the reuse
# policy's, then the conflict policy's for those that meet the new run; the server refuses
# REJECT_DUPLICATE with TERMINATE_EXISTING, and TERMINATE_IF_RUNNING with any conflict policy.
EXPECTED: Final[dict[Cell, Expectation]] = {
    REPEATED: ONE_SHARED,
    ("running", "ALLOW_DUPLICATE", "FAIL"): ONE,
    ("running", "ALLOW_DUPLICATE", "USE_EXISTING"): ONE_SHARED,
    ("running", "ALLOW_DUPLICATE", "TERMINATE_EXISTING"): EACH,
    ("running", "ALLOW_DUPLICATE_FAILED_ONLY", "FAIL"): ONE,
    ("running", "ALLOW_DUPLICATE_FAILED_ONLY", "USE_EXISTING"): ONE_SHARED,
    ("running", "ALLOW_DUPLICATE_FAILED_ONLY", "TERMINATE_EXISTING"): EACH,
    ("running", "REJECT_DUPLICATE", "FAIL"): ONE,
    ("running", "REJECT_DUPLICATE", "USE_EXISTING"): ONE_SHARED,
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
GRID: Final = (REPEATED, *product(STATES, REUSE, CONFLICT))


_ANSWERS: Final = {
    "ALREADY_EXISTS": REFUSED,
    "WorkflowAlreadyStartedError": REFUSED,
    "INVALID_ARGUMENT": NOT_VALID,
    "RESOURCE_EXHAUSTED": BUSY,
}


@dataclass(frozen=True, slots=True)
class _Trial:
    """The starts of one cell in one tenant, that were asked for at once, under whatever id."""

    cell: Cell
    tenant: str
    workflow_id: str
    starts: tuple[Operation, ...]

    @property
    def name(self) -> str:
        return f"{self.tenant} {self.workflow_id}, {_shown(self.cell)}"

    @property
    def told(self) -> list[str]:
        """The run ids that callers were told of."""
        return [op.run_id for op in self.starts if answer(op) == NEW]

    @property
    def new_runs(self) -> int:
        return len(set(self.told))

    @property
    def doubts(self) -> str:
        """Why nothing can be said of it; empty if something can."""
        if not _overlap(self.starts):
            return "its starts did not overlap"
        unclear = [op for op in self.starts if not answer(op)]
        if unclear:
            return f"{len(unclear)} of its starts ended unclear, as {unclear[0].status}"
        return ""


def _shown(cell: Cell) -> str:
    return " ".join(cell).rstrip()


def answer(op: Operation) -> str:
    """What a caller was told; empty if it is not clear."""
    if op.ending is Ending.OK:
        return NEW if op.run_id else ""
    return _ANSWERS.get(op.status, "") if op.ending is Ending.FAIL else ""


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
    such_as = f"cells have no clear result, such as {_shown(missing[0])}" if missing else ""
    lacks = [
        f"{len(missing)} of {len(GRID)} {such_as}" if missing else "",
        *[f"{trial.name}: {trial.doubts}" for trial in trials if trial.doubts][:3],
    ]
    figures = {
        "cells": len(GRID) - len(missing),
        "starts_at_once": sum(len(trial.starts) for trial in judged),
        "new_runs": sum(trial.new_runs for trial in judged),
        "answers": dict(
            sorted(Counter(op.status or op.ending for t in judged for op in t.starts).items())
        ),
    }
    kept = (
        f"{figures['starts_at_once']} starts at once over all {len(GRID)} cells made the runs that "
        "their policies allow, and each caller was told so"
    )
    return conclude((WRONG_RUNS, WRONG_ANSWER), broken, lacks, kept, figures)


def _trials(evidence: Evidence) -> Iterator[_Trial]:
    starts: dict[tuple[str, str], list[Operation]] = {}
    for op in evidence.of(Operation):
        if op.name == "start" and op.case.startswith(_PREFIX):
            starts.setdefault((op.case, op.tenant), []).append(op)
    for (case, tenant), found in starts.items():
        state, reuse, conflict = (*case.removeprefix(_PREFIX).split("/"), "", "")[:3]
        at_once = _without_preparation(sorted(found, key=lambda op: op.invoked_ns))
        yield _Trial((state, reuse, conflict), tenant, found[0].workflow_id, at_once)


def _without_preparation(starts: list[Operation]) -> tuple[Operation, ...]:
    """All but a first start that was over before the others began."""
    prepared = len(starts) > 1 and starts[0].at_ns <= starts[1].invoked_ns
    return tuple(starts[1:] if prepared else starts)


def _overlap(starts: Sequence[Operation]) -> bool:
    """Whether at least two of them were under way at the same time."""
    return any(one.at_ns > next_.invoked_ns for one, next_ in pairwise(starts))


def _broken(trial: _Trial) -> Iterator[Broken]:
    expected = EXPECTED.get(trial.cell)
    if expected is None:
        return
    most = len(trial.starts) if expected.most is None else expected.most
    too_few = trial.new_runs < expected.least and not trial.doubts
    if trial.new_runs > most or too_few:
        text = f"{trial.name}: {trial.new_runs} new runs; expected: {expected.text}"
        yield Broken(WRONG_RUNS, text)
    if trial.doubts:
        return
    for op in trial.starts:
        if answer(op) not in expected.answers:
            text = f"{trial.name}: {answer(op)} {op.run_id}".rstrip()
            yield Broken(WRONG_ANSWER, f"{text}; expected: {expected.text}")
    if not expected.shared and trial.new_runs < len(trial.told):
        text = f"{trial.name}: {len(trial.told)} callers were told of {trial.new_runs} new runs"
        yield Broken(WRONG_ANSWER, f"{text}; expected: {expected.text}")
