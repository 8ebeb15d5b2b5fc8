"""Waivers: reviewed exceptions with reason, owner and expiry, and what they do to verdicts.

A waiver hides nothing and expires. It turns a fail into `waived`, which is shown as such and never
counted as a pass; one that is expired, unknown or no longer needed fails the run instead.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from harness.checks.verdict import Verdict
from harness.errors import UsageError
from harness.journal.records import Subject
from harness.outcome import Outcome, worst
from harness.yaml_fit import fit
from harness.yaml_lines import Document, Problem, by_line, load

Text: TypeAlias = Annotated[str, Meta(min_length=1)]
_KEY = ("id", "clause", "subject")


def _subject(text: str, _: Any) -> str:
    if text not in list(Subject):
        raise ValueError(f"not a subject; choices: {', '.join(Subject)}")
    return text


class Waiver(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One exception: an assertion, or one clause of it, for one subject or for all.

    `expires` is the last day on which it holds.
    """

    id: Text
    clause: Text = ""
    subject: Annotated[str, Meta(extra={"form": _subject})] = ""
    reason: Text
    owner: Text
    expires: date

    @property
    def named(self) -> str:
        """The waiver as messages call it."""
        parts = (f"clause {self.clause}" * bool(self.clause), self.subject)
        details = ", ".join(part for part in parts if part)
        return f"waiver {self.id} ({details})" if details else f"waiver {self.id}"

    @property
    def text(self) -> str:
        """What a waived verdict says of it."""
        clause = f"{self.clause}: " if self.clause else ""
        return f"{clause}{self.reason} ({self.owner}, until {self.expires})"

    def concerns(self, verdict: Verdict) -> bool:
        """Whether the verdict is one it was written for."""
        return self.id == verdict.id and self.subject in ("", verdict.subject)


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers in a file: a list, which may be empty.

    Raises UsageError with all problems, one a line.
    """
    document = load(path)
    if document.lines and document.value is None:
        return []
    waivers, problems = fit(document, list[Waiver])
    problems = by_line([*problems, *_repeated(document)])
    if problems or waivers is None:
        raise UsageError("\n".join(f"{path}: {problem}" for problem in problems))
    return waivers


def _repeated(document: Document) -> Iterator[Problem]:
    """Two waivers of the same thing: one of them would be overlooked when it is reviewed."""
    entries = document.value if isinstance(document.value, list) else []
    seen: dict[str, int] = {}
    for n, entry in enumerate(entries):
        key = repr([entry.get(k, "") for k in _KEY]) if isinstance(entry, dict) else str(n)
        if key in seen:
            yield document.problem((n,), f"waives the same as [{seen[key]}]")
        seen.setdefault(key, n)


def to_record(waivers: Iterable[Waiver]) -> list[dict[str, str]]:
    """Waivers as the manifest keeps them."""
    return [msgspec.to_builtins(waiver) for waiver in waivers]


def from_record(recorded: Iterable[Mapping[str, str]]) -> list[Waiver]:
    """Waivers as the manifest kept them."""
    return [msgspec.convert(dict(entry), Waiver) for entry in recorded]


def apply_waivers(
    verdicts: Iterable[Verdict],
    waivers: Sequence[Waiver],
    today: date,
    known_ids: Iterable[str],
) -> tuple[list[Verdict], list[str]]:
    """The verdicts with waivers applied, and the problems; any problem fails the run.

    A waiver of an assertion that was not judged, or that is inconclusive or not applicable, is not
    used, and is no problem. A waived clause leaves the rest of its verdict as it is: what else was
    inconclusive stays so.
    """
    judged = list(verdicts)
    live = [waiver for waiver in waivers if waiver.expires >= today]
    problems = _problems(judged, waivers, today, frozenset(known_ids))
    return [_waived(verdict, live) for verdict in judged], list(problems)


def _problems(
    judged: Sequence[Verdict], waivers: Iterable[Waiver], today: date, known: frozenset[str]
) -> Iterator[str]:
    for waiver in waivers:
        concerned = [verdict for verdict in judged if waiver.concerns(verdict)]
        if waiver.id not in known:
            near = difflib.get_close_matches(waiver.id, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{waiver.named}: there is no such ID in the catalogue{hint}"
        elif concerned and waiver.expires < today:
            yield (
                f"{waiver.named} expired on {waiver.expires}: have {waiver.owner} review it, or "
                "remove it"
            )
        elif concerned:
            yield from _not_needed(waiver, concerned)


def _not_needed(waiver: Waiver, concerned: Iterable[Verdict]) -> Iterator[str]:
    """A complaint when all that it waives is known, and none of it fails."""
    outcomes = [_waivable(waiver, verdict) for verdict in concerned]
    if all(outcome is Outcome.PASS for outcome in outcomes):
        yield f"{waiver.named} is no longer needed: what it waives passes; remove it"
    elif all(outcome in (Outcome.PASS, None) for outcome in outcomes):
        clauses = sorted({clause.name for verdict in concerned for clause in verdict.clauses})
        listed = f"its clauses: {', '.join(clauses)}" if clauses else "it has no clauses"
        yield f"{waiver.named}: the verdict has no such clause; {listed}"


def _waivable(waiver: Waiver, verdict: Verdict) -> Outcome | None:
    """The outcome of what the waiver names in a verdict; None when it is not there.

    A verdict that passes has all its clauses passed, listed or not, and one without a result says
    nothing of its clauses.
    """
    if not waiver.clause:
        return verdict.outcome
    named = [clause.outcome for clause in verdict.clauses if clause.name == waiver.clause]
    if named:
        return worst(named)
    return None if verdict.outcome is Outcome.FAIL else verdict.outcome


def _waived(verdict: Verdict, live: Iterable[Waiver]) -> Verdict:
    if verdict.outcome is not Outcome.FAIL:
        return verdict
    mine = [waiver for waiver in live if waiver.concerns(verdict)]
    whole = [waiver for waiver in mine if not waiver.clause]
    failing = {c.name for c in verdict.clauses if c.outcome is Outcome.FAIL}
    used = whole or [waiver for waiver in mine if waiver.clause in failing]
    if not whole and (not failing or failing - {waiver.clause for waiver in used}):
        return verdict
    unclear = any(c.outcome is Outcome.INCONCLUSIVE for c in verdict.clauses) and not whole
    return msgspec.structs.replace(
        verdict,
        outcome=Outcome.INCONCLUSIVE if unclear else Outcome.WAIVED,
        waiver="; ".join(waiver.text for waiver in used),
        before_waiver=verdict.outcome.value,
    )
