"""What the control port and its client say to each other, as JSON."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all."""


class Addresses(Message, frozen=True, kw_only=True):
    """Where the doubles listen: the line after HARNESS-READY."""

    pdp: str
    services: str
    audit: str
    control: str
    certified: str
    pdp_links: dict[str, str] = {}


class Registration(Message, frozen=True, kw_only=True):
    """A saga program whose behaviours the services follow; children come with it."""

    tenant: str
    program: dict[str, Any]


class Held(Message, frozen=True, kw_only=True):
    """A request that a service holds until it is released; ids count from 1."""

    id: str
    tenant: str
    saga_id: str
    step: int
    direction: str
    point: Literal["asked", "before", "after"]


class Release(Message, frozen=True, kw_only=True):
    """Let go of a held request: answer it, or drop its connection."""

    id: str
    how: Literal["answer", "drop"]


class AwaitEffect(Message, frozen=True, kw_only=True):
    """Wait until a step was applied (or, a compensation, found void) in the ledger."""

    tenant: str
    saga_id: str
    step: int
    direction: Literal["forward", "compensation"]
    timeout_ms: int


class Seen(Message, frozen=True, kw_only=True):
    """Whether it happened in time."""

    seen: bool


class AwaitAudit(Message, frozen=True, kw_only=True):
    """Wait until the sink has acknowledged events of these (run id, event id)."""

    events: list[tuple[str, int]]
    timeout_ms: int


class Missing(Message, frozen=True, kw_only=True):
    """Which of them did not come in time."""

    missing: list[tuple[str, int]]


class Policy(Message, frozen=True, kw_only=True):
    """Decide an action on a resource otherwise for a tenant; None goes back to the rule."""

    tenant: str
    resource: str
    action: str
    decision: bool | None


class LinkState(Message, frozen=True, kw_only=True):
    """Whether an address of the PDP that can go away is away."""

    link: str
    away: bool


class SinkState(Message, frozen=True, kw_only=True):
    """How the sink answers: 204, 503, or 0 (it closes the connection), and after how long."""

    status: Literal[204, 503, 0] = 204
    delay_ms: int = 0


class AwaitQuiet(Message, frozen=True, kw_only=True):
    """Wait until no request is in progress and none came for `idle_ms`."""

    idle_ms: int
    timeout_ms: int


class Quiet(Message, frozen=True, kw_only=True):
    """Whether it became quiet in time."""

    quiet: bool


class Counts(Message, frozen=True, kw_only=True):
    """How many records of each kind were written."""

    decisions: int
    effects: int
    audit: int
