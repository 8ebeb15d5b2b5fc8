"""What the tap and those who command it say to each other, as JSON."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Action: TypeAlias = Literal["lose-answer", "refuse", "delay", "twice", "hold", "hold-answer"]
How: TypeAlias = Literal["forward", "drop"]
COMPLETED = "RespondActivityTaskCompleted"
WORKFLOW_COMPLETED = "RespondWorkflowTaskCompleted"
HOLDS: frozenset[Action] = frozenset({"hold", "hold-answer"})


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all."""


class Addresses(Message, frozen=True, kw_only=True):
    """Where the tap listens, by link, and its control port: the line after HARNESS-READY."""

    links: dict[str, str]
    control: str


class Rule(Message, frozen=True, kw_only=True):
    """What to do to which calls of `method` (its last part, such as `PollActivityTaskQueue`).

    The rule fits a call whose request holds every one of `keys` as a whole field: a namespace, a
    workflow id, an activity type. Of the calls that it fits, it bites `count` from the `first` on
    (null: every one), and with `repeats` also every later call with the same bytes as one that it
    bit, so that the SDK's own retries fare alike.

    - lose-answer: forwarded; when the engine has answered, the caller gets UNAVAILABLE.
    - refuse: not forwarded; the caller gets UNAVAILABLE.
    - delay: forwarded after `delay_ms`.
    - twice: forwarded, and once more; the caller gets the first answer.
    - hold: kept until it is released, to be forwarded or dropped (UNAVAILABLE).
    - hold-answer: forwarded; the engine's answer is kept until it is released or dropped.
    """

    id: str
    method: str
    action: Action
    keys: list[str] = []
    first: int = 1
    count: int | None = 1
    repeats: bool = False
    delay_ms: int = 0


class AwaitBitten(Message, frozen=True, kw_only=True):
    """Wait until each of these rules has bitten for the first time (a hold: holds its call)."""

    rules: list[str]
    timeout_ms: int


class Missing(Message, frozen=True, kw_only=True):
    """Which of them have not in time."""

    rules: list[str]


class Release(Message, frozen=True, kw_only=True):
    """Let go of the call that a rule holds."""

    rule: str
    how: How


class Released(Message, frozen=True, kw_only=True):
    """Whether it held one (its caller may be gone)."""

    held: bool
