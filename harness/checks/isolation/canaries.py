"""Where the canaries of each tenant were seen, and whether a place is searched in earnest.

A place is something that one tenant can see. It is proven by the tenant's own canary that was
found in it: a search that finds nothing at all shows nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from harness.checks.check import Evidence
from harness.checks.histories import remembered
from harness.checks.histories.clauses import Broken
from harness.contract.canaries import PATTERN
from harness.journal.records import Canary, History

_PAYLOAD: Final = re.compile(rb'"data":\s*"([A-Za-z0-9+/=]+)"')


class Text(NamedTuple):
    """Something that a tenant can see: whose it is, what it is, where it lies, what it says."""

    tenant: str
    name: str
    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Place:
    """One place after the search. `texts` were looked at, `own` held a canary of their tenant."""

    name: str
    texts: int
    own: int
    leaks: tuple[Broken, ...]

    @property
    def lacks(self) -> str:
        """Why nothing can be concluded from it; empty if something can."""
        if self.own or self.leaks:
            return ""
        return f"no canary was seen in {self.name}, not even in its own tenant's"

    @property
    def row(self) -> dict[str, Any]:
        """The place as a figure."""
        return {
            "place": self.name,
            "texts": self.texts,
            "own_canaries": self.own,
            "foreign_canaries": len(self.leaks),
        }


@remembered(Canary)
def owners(evidence: Evidence) -> Mapping[str, Canary]:
    """Every canary that was put somewhere, by its word."""
    return {each.word: each for each in evidence.of(Canary)}


@remembered(History)
def tenant_of_run(evidence: Evidence) -> Mapping[str, str]:
    """In whose namespace each recorded run ran."""
    return {history.run_id: history.tenant for history in evidence.of(History)}


def search(place: str, texts: Iterable[Text], known: Mapping[str, Canary]) -> Place:
    """Look for canaries in what tenants can see."""
    looked_at = own = 0
    leaks: list[Broken] = []
    for text in texts:
        looked_at += 1
        found = [known[word] for word in set(PATTERN.findall(text.content)) if word in known]
        own += any(each.tenant == text.tenant for each in found)
        leaks += [
            Broken(
                place,
                f"{text.name} of {text.tenant} shows the {each.position} canary of {each.tenant}",
                text.path,
            )
            for each in sorted(found, key=lambda each: each.word)
            if each.tenant != text.tenant
        ]
    return Place(place, looked_at, own, tuple(leaks))


def said(value: object) -> str:
    """A recorded value as one text."""
    return msgspec.json.encode(value).decode()


@remembered(History)
def history_texts(evidence: Evidence) -> Sequence[Text]:
    """Every recorded history with its payloads decoded, as its tenant reads it."""
    return [
        Text(
            history.tenant,
            f"the history of {history.workflow_id} run {history.run_id}",
            history.path,
            b"\n".join(_decoded(evidence.raw(history.path, history.sha256))).decode(
                errors="replace"
            ),
        )
        for history in evidence.of(History)
    ]


def _decoded(raw: bytes) -> Iterator[bytes]:
    yield raw
    for found in set(_PAYLOAD.findall(raw)):
        try:
            yield base64.b64decode(found)
        except ValueError:
            continue
