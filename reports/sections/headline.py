"""The verdict first: what it is, how sure, from which trials, and what is broken or undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.journal.records import Part, Subject
from harness.outcome import COUNTING_LEVELS, Outcome, worst
from reports.charts import share_bars
from reports.figures import age, moment, shorten, span
from reports.plot import Path
from reports.sections.anchors import anchor
from reports.standing import JUDGED, Board, Row, Standing, Statement
from reports.trial import Links, Trial, owned

BAR_WIDTH = 960.0
BAR_HEIGHT = 10.0
LONGEST_REASON = 240
_ENDED = {
    "interrupted": "was interrupted: it is judged on what it had recorded until then",
    "salvaged": "was killed and salvaged: nothing in it can count as a pass",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A statement that is broken or undecided, with its reason in one line."""

    id: str
    anchor: str
    standing: Standing
    title: str
    whose: str
    reason: str
    informative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A trial in a row."""

    id: str
    link: str
    arm: str
    profile: str
    began: str
    age: str
    duration: str
    ended: str
    complete: bool
    engine: str
    worker: str
    outcome: Standing
    judged: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The top of the page."""

    outcome: Standing
    sentence: str
    rest: str
    notes: tuple[str, ...]
    alarms: tuple[tuple[str, str], ...]
    tally: tuple[tuple[Standing, int], ...]
    total: int
    bar: tuple[Path, ...]
    runs: tuple[Run, ...]
    lines: tuple[Line, ...]


def headline(board: Board, links: Links, now_wall_ns: int) -> Headline:
    """What the page says before anything else."""
    counts = board.counts
    return Headline(
        outcome=Standing(board.outcome.value),
        sentence=_sentence(board),
        rest=_rest(board),
        notes=tuple(_notes(board)),
        alarms=tuple(_alarms(board.trials)),
        tally=tuple(counts.items()),
        total=len(board.statements),
        bar=tuple(share_bars([(_style(s), n) for s, n in counts.items()], BAR_WIDTH, BAR_HEIGHT)),
        runs=tuple(_run(trial, links, now_wall_ns) for trial in board.trials),
        lines=tuple(_lines(board)),
    )


def _style(standing: Standing) -> str:
    return standing.value.replace(" ", "-")


def _counting(board: Board, standing: Standing) -> int:
    return sum(
        1
        for statement in board.statements
        if any(row.counts and row.standing is standing for row in statement.rows)
    )


def _sentence(board: Board) -> str:
    judged = sum(1 for s in board.statements if s.standing in JUDGED)
    broken, undecided = (
        _counting(board, standing) for standing in (Standing.FAIL, Standing.INCONCLUSIVE)
    )
    of_judged = f"of {judged} judged {_plural(judged, 'statement')}"
    if board.outcome is Outcome.FAIL:
        also = f"; {undecided} could not be decided" if undecided else ""
        return f"{broken or 'None'} {of_judged} {_are(broken)} broken{also}."
    if board.outcome is Outcome.PASS:
        return f"Nothing {of_judged} is broken, and each was decided on evidence."
    if undecided:
        return f"Nothing is shown to be broken, but {undecided} {of_judged} could not be decided."
    return "Nothing was judged, so nothing is shown."


def _rest(board: Board) -> str:
    silent = sum(n for standing, n in board.counts.items() if standing not in JUDGED)
    total = len(board.statements)
    return f"{silent} of {total} statements of the decision record were not verified."


def _notes(board: Board) -> list[str]:
    notes = []
    rows = [row for row in board.rows() if row.decided.verdict.subject == Subject.WORKER]
    if rows and all(row.decided.verdict.ours for row in rows):
        notes.append(
            "The worker is our reference worker: what is said of it says nothing about yours."
        )
    if waived := board.counts[Standing.WAIVED]:
        notes.append(
            f"{waived} {_plural(waived, 'failure')} {_are(waived)} waived by a reviewed exception; "
            "a waiver is not a pass."
        )
    informative = [
        row
        for row in board.rows()
        if not row.counts and row.standing in (Standing.FAIL, Standing.INCONCLUSIVE)
    ]
    if informative:
        notes.append(
            f"{len(informative)} informative {_plural(len(informative), 'row')} failed or could "
            "not be decided; informative rows never decide the verdict."
        )
    return notes


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _alarms(trials: Sequence[Trial]) -> list[tuple[str, str]]:
    ended = [(trial.id, trial.journal.manifest.ended) for trial in trials]
    unfinished = [
        (name, _ENDED.get(how, f"ended in a way this report does not know: {how}"))
        for name, how in ended
        if how != "complete"
    ]
    return unfinished + [
        (t.id, f"fails by more than its verdicts: {p}") for t in trials for p in t.problems
    ]


def _run(trial: Trial, links: Links, now_wall_ns: int) -> Run:
    manifest = trial.journal.manifest
    judged = [v.outcome for v in trial.verdicts if v.level in COUNTING_LEVELS]
    seconds = (trial.ended_wall_ns - trial.began_wall_ns) / 1e9
    known = trial.began_wall_ns and trial.ended_wall_ns
    return Run(
        id=trial.id,
        link=links.to(trial, "manifest.json") if trial.folder is not None else "",
        arm=manifest.arm,
        profile=manifest.profile,
        began=moment(trial.began_wall_ns),
        age=age(trial.ended_wall_ns, now_wall_ns),
        duration=span(max(0.0, seconds)) if known else "unknown",
        ended=manifest.ended,
        complete=trial.journal.complete,
        engine=_part(trial.part(Subject.ENGINE)),
        worker=_part(trial.part(Subject.WORKER)),
        outcome=Standing.FAIL if trial.problems else Standing(worst(judged).value),
        judged=f"{len(trial.verdicts)} {_plural(len(trial.verdicts), 'verdict')}",
    )


def _part(part: Part | None) -> str:
    if part is None:
        return "not declared"
    return f"{owned(part.subject.value, ours=part.ours)}: {part.name} {part.version}".strip()


def _lines(board: Board) -> list[Line]:
    """Broken before undecided, each in catalogue order."""
    return [
        _line(statement, index, row)
        for standing in (Standing.FAIL, Standing.INCONCLUSIVE)
        for statement in board.statements
        for index, row in enumerate(statement.rows)
        if row.standing is standing
    ]


def _line(statement: Statement, index: int, row: Row) -> Line:
    return Line(
        id=statement.id,
        anchor=anchor(statement.id, index),
        standing=row.standing,
        title=statement.title,
        whose=row.whose,
        reason=shorten(row.decided.verdict.reason.partition("\n")[0], LONGEST_REASON),
        informative=not row.counts,
    )
