"""Which call a rule of the tap bites: pure counting, no network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from harness.tap.messages import HOLDS, Rule

LONGEST_DELAY_MS = 60_000


class BadRule(ValueError):
    """A rule that cannot be meant; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one call meets. `number` counts the calls that the rule fits, from 1.

    `again` says that the rule has bitten the same bytes before: the caller sends them once more.
    """

    rule: Rule
    number: int
    again: bool
    bites: bool


class _Counted(msgspec.Struct):
    rule: Rule
    needles: list[bytes]
    calls: int = 0
    bitten: set[bytes] = msgspec.field(default_factory=set)

    def fits(self, method: str, request: bytes) -> bool:
        return method == self.rule.method and all(each in request for each in self.needles)

    def turn(self, request: bytes) -> Turn:
        rule = self.rule
        self.calls += 1
        digest = hashlib.sha256(request).digest()
        again = digest in self.bitten
        due = self.calls >= rule.first
        if rule.count is not None:
            due = due and self.calls < rule.first + rule.count
        bites = due or (again and rule.repeats)
        if bites:
            self.bitten.add(digest)
        return Turn(rule=rule, number=self.calls, again=again, bites=bites)


class Book:
    """The rules that are in force, and how far each has counted."""

    def __init__(self) -> None:
        self._rules: dict[str, _Counted] = {}

    def add(self, rules: list[Rule]) -> None:
        """Take rules, all or none of them; raises `BadRule`."""
        for rule in rules:
            _require_sense(rule)
            if rule.id in self._rules:
                raise BadRule(f"rule {rule.id}: there is one of this id already")
        for rule in rules:
            self._rules[rule.id] = _Counted(rule, [as_field(each) for each in rule.keys])

    def turn(self, method: str, request: bytes) -> Turn | None:
        """What a call meets: the first rule that bites it, else the first that fits, else None.

        Every rule that fits counts the call.
        """
        turns = [each.turn(request) for each in self._rules.values() if each.fits(method, request)]
        biting = [turn for turn in turns if turn.bites]
        return next(iter(biting or turns), None)


def as_field(text: str) -> bytes:
    """A text as it lies in a protobuf message: its length in bytes, then the bytes.

    So a key is found as a whole field only, never as a part of a longer one.
    """
    content = text.encode()
    length, prefix = len(content), bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + content


def _require_sense(rule: Rule) -> None:
    checks: tuple[tuple[bool, str], ...] = (
        (bool(rule.id and rule.method), "it needs an id and a method"),
        (all(rule.keys), "an empty key is in every request"),
        (rule.first >= 1, "first counts from 1"),
        (rule.count is None or rule.count >= 1, "count is at least 1, or null for every call"),
        (rule.action == "delay" or not rule.delay_ms, "delay_ms goes with action delay"),
        (
            rule.action != "delay" or 0 < rule.delay_ms <= LONGEST_DELAY_MS,
            f"delay_ms is over 0 and at most {LONGEST_DELAY_MS}",
        ),
        (rule.action not in HOLDS or rule.count == 1, "only one call can be held by a rule"),
    )
    for holds, why in checks:
        if not holds:
            raise BadRule(f"rule {rule.id}: {why}")
