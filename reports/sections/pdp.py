"""How the enforcement point met each failure of the PDP, from decisions and the effect ledger.

The matrix shows what was recorded; the verdict is that of the authorization rows. A cell is one
failure mode in one direction. An activity is one (tenant, saga, step) in that direction; each
attempt of it asks the PDP once. An attempt was let through if a service received its request.
"""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.catalogue import Catalogue
from harness.checks.authorization.attempts import Attempt, attempt_of
from harness.contract.pdp_matrix import ROWS, Row
from harness.contract.pdp_modes import MODES
from harness.journal.records import Answer, Decision, Effect, Subject
from reports.trial import Trial, number_in

POLICY = "policy"
# What follows a redirect is asked in "<mode> target": no question of the worker's own.
_REDIRECTED = " target"
DIRECTIONS = ("forward", "compensation")
_DEADLINE = "pdp_deadline_ms"
_SHOWN_BYTES = 400
_MARGIN = 1.5  # of the deadline: an exchange that lasts longer was not given up by the worker
FALSE_ALLOW = "false allow"
HUNG = "hung"
DENIED = "denied"
ALLOWED = "allowed"
UNUSED = "allow unused"
NOT_MET = "not met"
_ORDER = (FALSE_ALLOW, HUNG, UNUSED, DENIED, ALLOWED)
_BAD = frozenset({FALSE_ALLOW, HUNG})
_WORDS: Mapping[Answer, str] = {
    Answer.ALLOW: "allow",
    Answer.DENY: "deny",
    Answer.NONE: "neither",
}
_DESCRIBED = {mode.id: mode.description for mode in MODES}
_STALLS = frozenset(mode.id for mode in MODES if mode.family == "timing")


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of the activities that met a mode: the worst first; and the retries."""

    counts: tuple[tuple[str, int], ...]
    retried: int

    @property
    def bad(self) -> bool:
        """Whether any activity got through, or hung."""
        return self.counts[0][0] in _BAD


@dataclass(frozen=True, slots=True)
class ModeRow:
    """A failure mode; `may` is what a strict reader of the answer may conclude, `wire` the
    beginning of what was sent, as it can be read."""

    mode: str
    description: str
    may: str
    cells: tuple[Cell | None, ...]
    wire: str = ""

    @property
    def bad(self) -> bool:
        """Whether any cell shows a breach."""
        return any(cell is not None and cell.bad for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The matrix of one trial; `tally` counts all cells by their worst, empty ones as well."""

    trial: str
    whose: str
    deadline_ms: float
    rows: tuple[ModeRow, ...]
    tally: tuple[tuple[str, int], ...]
    asked: int
    redirects: int
    numbers: tuple[Row, ...] = ROWS

    @property
    def bad(self) -> tuple[ModeRow, ...]:
        """The rows that show a breach."""
        return tuple(row for row in self.rows if row.bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a trial says of its attempts."""

    reached: frozenset[Attempt]
    longest_ns: float


def matrices(trials: Sequence[Trial], catalogue: Catalogue) -> list[Matrix]:
    """One matrix for each trial in which the PDP was told to misbehave."""
    found = (_matrix(trial, catalogue) for trial in trials)
    return [matrix for matrix in found if matrix is not None]


def _matrix(trial: Trial, catalogue: Catalogue) -> Matrix | None:
    special = [d for d in trial.journal.of(Decision) if d.mode != POLICY]
    asked = [d for d in special if not d.mode.endswith(_REDIRECTED)]
    if not asked:
        return None
    deadline_ms = number_in(trial, catalogue, _DEADLINE)
    sagas = {decision.saga_id for decision in asked}
    seen = _Seen(
        reached=frozenset(attempt_of(e) for e in trial.journal.of(Effect) if e.saga_id in sagas),
        longest_ns=deadline_ms * _MARGIN * 1e6,
    )
    by_mode: defaultdict[str, list[Decision]] = defaultdict(list)
    for decision in asked:
        by_mode[decision.mode].append(decision)
    rows = tuple(_mode_row(mode, by_mode[mode], seen) for mode in sorted(by_mode))
    tally = Counter(c.counts[0][0] if c else NOT_MET for row in rows for c in row.cells)
    part = trial.part(Subject.WORKER)
    return Matrix(
        trial=trial.id,
        whose=trial.whose(Subject.WORKER, ours=part.ours if part else False),
        deadline_ms=deadline_ms,
        rows=rows,
        tally=tuple((each, tally[each]) for each in (*_ORDER, NOT_MET) if tally[each]),
        asked=len(asked),
        redirects=len(special) - len(asked),
    )


def _mode_row(mode: str, decisions: Sequence[Decision], seen: _Seen) -> ModeRow:
    answers = {decision.answer for decision in decisions}
    may = answers.pop() if len(answers) == 1 else Answer.NONE
    cells = tuple(
        _cell([d for d in decisions if d.direction == direction], seen) for direction in DIRECTIONS
    )
    wire = max((d.wire for d in decisions), key=len)
    return ModeRow(mode, _DESCRIBED.get(mode, ""), _WORDS[may], cells, _readable(wire))


def _readable(wire: str) -> str:
    """Bytes as text: line ends as they are, what is not printable as an escape, cut short."""
    text = base64.b64decode(wire)[:_SHOWN_BYTES].decode("latin-1").replace("\r\n", "\n")
    return "".join(c if c == "\n" or " " <= c <= "~" else f"\\x{ord(c):02x}" for c in text)


def _cell(decisions: Iterable[Decision], seen: _Seen) -> Cell | None:
    activities: defaultdict[tuple[str, str, int], list[Decision]] = defaultdict(list)
    for decision in decisions:
        activities[decision.tenant, decision.saga_id, decision.step].append(decision)
    if not activities:
        return None
    counts = Counter(_became(asked, seen) for asked in activities.values())
    retried = sum(len(asked) - 1 for asked in activities.values())
    return Cell(tuple((each, counts[each]) for each in _ORDER if counts[each]), retried)


def _became(asked: Sequence[Decision], seen: _Seen) -> str:
    """The worst that happened to one activity."""
    through = [d for d in asked if attempt_of(d) in seen.reached]
    if any(d.answer is not Answer.ALLOW for d in through):
        return FALSE_ALLOW
    if any(d.mode in _STALLS and d.at_ns - d.received_ns > seen.longest_ns for d in asked):
        return HUNG
    if through:
        return ALLOWED
    return UNUSED if any(d.answer is Answer.ALLOW for d in asked) else DENIED
