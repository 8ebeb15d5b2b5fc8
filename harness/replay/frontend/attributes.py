"""How one attribute of a command is compared with the event that records it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from harness.replay.decoded import PATCHES, mapped, seconds, values
from harness.replay.own import Own
from harness.replay.verdicts import ERROR, INFO

OUTSIDE: Final = "outside"  # of the outside world, or of chance: a new run may have another
Read = Callable[[Any, "Own"], Any]


@dataclass(frozen=True, slots=True)
class Attribute:
    """How an attribute reads in a command and in the event that recorded it.

    `severity` is that of a difference. What the server fills in is compared `only_if_said`.
    """

    name: str
    command: Read
    event: Read
    severity: str = ERROR
    only_if_said: bool = False


def same(name: str, severity: str = ERROR, *, only_if_said: bool = False) -> Attribute:
    """A plain field that has one name in both."""
    return Attribute(
        name,
        lambda c, _: getattr(c, name),
        lambda e, _: getattr(e, name),
        severity,
        only_if_said=only_if_said,
    )


def payloads(name: str) -> Attribute:
    """Payloads: input, result, details. None at all and one null mean the same."""
    return Attribute(
        name, lambda c, _: _given(getattr(c, name)), lambda e, _: _given(getattr(e, name))
    )


def _given(field: Any) -> list[Any]:
    found = values(field.payloads)
    return [] if found == [None] else found


def timeout(name: str) -> Attribute:
    """A time that the server fills in, and caps; another one is legal evolution."""
    return Attribute(
        name,
        lambda c, _: seconds(getattr(c, name)),
        lambda e, _: seconds(getattr(e, name)),
        INFO,
        only_if_said=True,
    )


def retry_of(attributes: Any, _: Own) -> Any:
    """A retry policy as it is compared; none is 0."""
    policy = attributes.retry_policy
    if not attributes.HasField("retry_policy"):
        return 0
    return (
        seconds(policy.initial_interval),
        policy.backoff_coefficient,
        seconds(policy.maximum_interval),
        policy.maximum_attempts,
        sorted(policy.non_retryable_error_types),
    )


def labels(attributes: Any) -> dict[str, Any]:
    """Search attributes without the one that SDKs write of patches."""
    fields = dict(attributes.search_attributes.indexed_fields)
    fields.pop(PATCHES, None)
    return mapped(fields)


def failure_of(failure: Any) -> dict[str, Any]:
    """What tells failures apart; messages, stack traces and sources are free."""
    kind = failure.WhichOneof("failure_info") or ""
    info = failure.application_failure_info
    told: dict[str, Any] = {"kind": kind.removesuffix("_failure_info")}
    if kind == "application_failure_info":
        told |= {
            "type": info.type,
            "non_retryable": info.non_retryable,
            "details": values(info.details.payloads),
        }
    elif failure.HasField("cause"):  # one that was passed on: what it was about
        told["cause"] = failure_of(failure.cause)
    return told


TYPE: Final = Attribute(
    "workflow_type",
    lambda c, own: c.workflow_type.name or own.workflow_type,
    lambda e, _: e.workflow_type.name,
)
QUEUE: Final = Attribute(
    "task_queue",
    lambda c, own: c.task_queue.name or own.task_queue,
    lambda e, own: e.task_queue.name or own.task_queue,
)
NAMESPACE: Final = Attribute(
    "namespace",
    lambda c, own: own.namespace_of(c.namespace),
    lambda e, own: e.namespace or own.namespace,
    only_if_said=True,
)
RETRY: Final = Attribute("retry_policy", retry_of, retry_of, INFO, only_if_said=True)
# tracers put what differs from call to call here
HEADER: Final = Attribute(
    "header",
    lambda c, _: mapped(c.header.fields),
    lambda e, _: mapped(e.header.fields),
    INFO,
)
LABELS: Final = Attribute("search_attributes", lambda c, _: labels(c), lambda e, _: labels(e))


def memo(*, only_if_said: bool = False) -> Attribute:
    """The memo; where it is carried on by itself, only what is said."""
    return Attribute(
        "memo",
        lambda c, _: mapped(c.memo.fields),
        lambda e, _: mapped(e.memo.fields),
        only_if_said=only_if_said,
    )
