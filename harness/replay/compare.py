"""Comparing the commands of a replay with the events that the real run recorded.

The SDK's own replayer compares kinds and order alone, so it passes a changed input, task queue,
timer or result. Here every recorded attribute of the k-th command of a kind is compared with the
k-th event of that kind. Values are compared decoded, never as bytes. What the server fills in
(defaults, caps) counts only where the command says it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.journal.records import Difference
from harness.replay.capture import Command
from harness.replay.decoded import PATCHES, as_text, failure_of, mapped, seconds, short, values
from harness.replay.own import Own
from harness.replay.verdicts import ERROR, INFO

LOCAL_ACTIVITY: Final = "core_local_activity"
MARKERS: Final = frozenset({LOCAL_ACTIVITY, "core_patch"})

Read = Callable[[Any, "Own"], Any]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: how it reads in a command and in the event that recorded it."""

    name: str
    command: Read
    event: Read
    severity: str = ERROR
    only_if_said: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A kind of command and the kind of event that records it.

    `which` commands leave such an event, and `recorded` tells those events from others of the kind.
    Where both have an `identity` (of the command, of the event) they are paired by it, else by
    their order.
    """

    event: str
    attributes: tuple[Attribute, ...]
    which: Callable[[Any], bool] = lambda _: True
    recorded: Callable[[Any], bool] = lambda _: True
    identity: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None


def _same(name: str, severity: str = ERROR, *, only_if_said: bool = False) -> Attribute:
    return Attribute(
        name,
        lambda c, _: getattr(c, name),
        lambda e, _: getattr(e, name),
        severity,
        only_if_said,
    )


# Whom a signal or a cancellation is for.
_TARGET: Final = (
    Attribute(
        "workflow_id",
        lambda c, _: c.workflow_execution.workflow_id or getattr(c, "child_workflow_id", ""),
        lambda e, _: e.workflow_execution.workflow_id,
    ),
    Attribute(
        "namespace",
        lambda c, own: own.namespace_of(c.workflow_execution.namespace),
        lambda e, own: e.namespace or own.namespace,
        only_if_said=True,
    ),
)


def _labels(attributes: Any) -> dict[str, Any]:
    fields = dict(attributes.search_attributes.indexed_fields)
    fields.pop(PATCHES, None)
    return mapped(fields)


def _timeout(name: str) -> Attribute:
    return Attribute(
        name,
        lambda c, _: seconds(getattr(c, name)),
        lambda e, _: seconds(getattr(e, name)),
        INFO,
        only_if_said=True,
    )


def _retry(c: Any, _: Own) -> Any:
    policy = c.retry_policy
    return (
        (
            seconds(policy.initial_interval),
            policy.backoff_coefficient,
            seconds(policy.maximum_interval),
            policy.maximum_attempts,
            sorted(policy.non_retryable_error_types),
        )
        if c.HasField("retry_policy")
        else 0
    )


_QUEUE = Attribute(
    "task_queue", lambda c, own: own.queue_of(c.task_queue), lambda e, _: e.task_queue.name
)
_RETRY = Attribute("retry_policy", _retry, _retry, INFO, only_if_said=True)


_PRIORITY = Attribute(
    "priority",
    lambda c, _: c.priority.priority_key or c.priority.fairness_key,
    lambda e, _: e.priority.priority_key or e.priority.fairness_key,
    INFO,
    only_if_said=True,
)
# Of a continuation: what it does not say is carried on.
_LABELS = Attribute(
    "search_attributes", lambda c, _: _labels(c), lambda e, _: _labels(e), only_if_said=True
)


def _local(marker: Any) -> Mapping[str, Any]:
    """What the SDK notes of a local activity in its marker."""
    found = values(marker.details["data"].payloads) if "data" in marker.details else []
    return found[0] if found and isinstance(found[0], Mapping) else {}


def _outcome(response: Any) -> dict[str, Any]:
    if response.HasField("rejected"):
        return {"failure": failure_of(response.rejected)}
    return {"success": values([response.completed])}


def _recorded_outcome(event: Any) -> dict[str, Any]:
    if event.outcome.HasField("failure"):
        return {"failure": failure_of(event.outcome.failure)}
    return {"success": values(event.outcome.success.payloads)}


def _input(command: str) -> Attribute:
    return Attribute(
        "input", lambda c, _: values(getattr(c, command)), lambda e, _: values(e.input.payloads)
    )


PAIRS: Final[Mapping[str, Pair]] = {
    "schedule_activity": Pair(
        "activity_task_scheduled",
        (
            Attribute(
                "activity_type", lambda c, _: c.activity_type, lambda e, _: e.activity_type.name
            ),
            _input("arguments"),
            _QUEUE,
            _timeout("schedule_to_close_timeout"),
            _timeout("schedule_to_start_timeout"),
            _timeout("start_to_close_timeout"),
            _timeout("heartbeat_timeout"),
            _RETRY,
            _same("activity_id", only_if_said=True),
            _PRIORITY,
        ),
    ),
    "schedule_local_activity": Pair(
        "marker_recorded",  # which says nothing of the input
        (
            Attribute(
                "activity_type",
                lambda c, _: c.activity_type,
                lambda e, _: _local(e).get("activity_type"),
            ),
            Attribute(
                "activity_id", lambda c, _: c.activity_id, lambda e, _: _local(e).get("activity_id")
            ),
        ),
        recorded=lambda e: e.marker_name == LOCAL_ACTIVITY,
        identity=(lambda c: c.seq, lambda e: _local(e).get("seq")),
    ),
    "start_timer": Pair(
        "timer_started",
        (
            Attribute(
                "start_to_fire_timeout",
                lambda c, _: seconds(c.start_to_fire_timeout),
                lambda e, _: seconds(e.start_to_fire_timeout),
            ),
        ),
    ),
    "start_child_workflow_execution": Pair(
        "start_child_workflow_execution_initiated",
        (
            _same("workflow_id"),
            Attribute(
                "workflow_type", lambda c, _: c.workflow_type, lambda e, _: e.workflow_type.name
            ),
            Attribute(
                "namespace",
                lambda c, own: own.namespace_of(c.namespace),
                lambda e, own: e.namespace or own.namespace,
                only_if_said=True,
            ),
            _input("input"),
            _QUEUE,
            _timeout("workflow_execution_timeout"),
            _timeout("workflow_run_timeout"),
            _RETRY,
            _same("cron_schedule"),
            _same("parent_close_policy", only_if_said=True),
            _same("workflow_id_reuse_policy", only_if_said=True),
            Attribute("memo", lambda c, _: mapped(c.memo), lambda e, _: mapped(e.memo.fields)),
            _timeout("workflow_task_timeout"),
            Attribute("search_attributes", lambda c, _: _labels(c), lambda e, _: _labels(e)),
            _PRIORITY,
        ),
    ),
    "continue_as_new_workflow_execution": Pair(
        "workflow_execution_continued_as_new",
        (
            Attribute(
                "workflow_type",
                lambda c, own: c.workflow_type or own.workflow_type,
                lambda e, _: e.workflow_type.name,
            ),
            _input("arguments"),
            _QUEUE,
            Attribute(
                "memo",
                lambda c, _: mapped(c.memo),
                lambda e, _: mapped(e.memo.fields),
                only_if_said=True,  # else it is carried on
            ),
            _LABELS,
            _timeout("workflow_run_timeout"),
            _timeout("workflow_task_timeout"),
            _timeout("backoff_start_interval"),
        ),
    ),
    "complete_workflow_execution": Pair(
        "workflow_execution_completed",
        (
            Attribute(
                "result", lambda c, _: values([c.result]), lambda e, _: values(e.result.payloads)
            ),
        ),
    ),
    "fail_workflow_execution": Pair(
        "workflow_execution_failed",
        (
            Attribute(
                "failure", lambda c, _: failure_of(c.failure), lambda e, _: failure_of(e.failure)
            ),
        ),
    ),
    "cancel_workflow_execution": Pair("workflow_execution_canceled", ()),  # details: SDK has none
    "request_cancel_activity": Pair("activity_task_cancel_requested", ()),
    "cancel_timer": Pair(
        "timer_canceled", (Attribute("timer_id", lambda c, _: str(c.seq), lambda e, _: e.timer_id),)
    ),
    "signal_external_workflow_execution": Pair(
        "signal_external_workflow_execution_initiated",
        (
            *_TARGET,
            _same("signal_name"),
            Attribute("input", lambda c, _: values(c.args), lambda e, _: values(e.input.payloads)),
        ),
    ),
    "request_cancel_external_workflow_execution": Pair(
        "request_cancel_external_workflow_execution_initiated",
        (*_TARGET, _same("reason", INFO, only_if_said=True)),
        recorded=lambda e: not e.child_workflow_only,
    ),
    "cancel_child_workflow_execution": Pair(
        "request_cancel_external_workflow_execution_initiated",
        (_same("reason", INFO, only_if_said=True),),
        recorded=lambda e: bool(e.child_workflow_only),
    ),
    "upsert_workflow_search_attributes": Pair(
        "upsert_workflow_search_attributes",
        (Attribute("search_attributes", lambda c, _: _labels(c), lambda e, _: _labels(e)),),
        recorded=lambda e: set(e.search_attributes.indexed_fields) != {PATCHES},
    ),
    "modify_workflow_properties": Pair(
        "workflow_properties_modified",
        (
            Attribute(
                "memo",
                lambda c, _: mapped(c.upserted_memo.fields),
                lambda e, _: mapped(e.upserted_memo.fields),
            ),
        ),
    ),
    "update_response": Pair(
        "workflow_execution_update_completed",
        (Attribute("outcome", lambda c, _: _outcome(c), lambda e, _: _recorded_outcome(e)),),
        which=lambda c: not c.HasField("accepted"),
        identity=(lambda c: c.protocol_instance_id, lambda e: e.meta.update_id),
    ),
}
# What of a command is not compared, and why: it is in no event, or written by the SDK.
LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "schedule_activity": frozenset(
        {"seq", "headers", "cancellation_type", "do_not_eagerly_execute", "versioning_intent"}
    ),
    "schedule_local_activity": frozenset(
        {
            "seq", "headers", "cancellation_type", "attempt", "original_schedule_time", "arguments",
            "schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout",
            "retry_policy", "local_retry_threshold", "include_arguments_in_marker",
        }
    ),
    "start_timer": frozenset({"seq"}),
    "cancel_timer": frozenset({"seq"}),
    "request_cancel_activity": frozenset({"seq"}),  # the SDK itself finds another target
    "start_child_workflow_execution": frozenset(
        {"seq", "headers", "cancellation_type", "versioning_intent", "versioning_override"}
    ),
    "cancel_child_workflow_execution": frozenset({"child_workflow_seq"}),
    "continue_as_new_workflow_execution": frozenset(
        {"headers", "retry_policy", "versioning_intent", "initial_versioning_behavior"}
    ),
    "cancel_workflow_execution": frozenset({"details"}),
    "request_cancel_external_workflow_execution": frozenset({"seq"}),
    "signal_external_workflow_execution": frozenset({"seq", "headers"}),
    "update_response": frozenset({"protocol_instance_id"}),
}  # fmt: skip
# Commands that leave no event to compare with, or one that the SDK itself makes.
NOT_COMPARED: Final = frozenset(
    {
        "respond_to_query", "set_patch_marker", "request_cancel_local_activity",
        "cancel_signal_workflow",
    }
)  # fmt: skip
_EVENTS: Final = {f"{pair.event}_event_attributes" for pair in PAIRS.values()}
# Events that no command makes, or that belong to one above.
_NEUTRAL: Final = (
    "workflow_execution_started",
    "workflow_execution_signaled",
    "workflow_execution_cancel_requested",
    "workflow_execution_terminated",
    "workflow_execution_timed_out",
    "workflow_execution_update_accepted",
    "workflow_execution_update_admitted",
    "workflow_execution_options_updated",
    "workflow_execution_paused",
    "workflow_execution_unpaused",
    "workflow_task_",
    "activity_task_started",
    "activity_task_completed",
    "activity_task_failed",
    "activity_task_timed_out",
    "activity_task_canceled",
    "timer_fired",
    "child_workflow_execution_",
    "external_workflow_execution_",
    "marker_recorded",
    "signal_external_workflow_execution_failed",
    "request_cancel_external_workflow_execution_failed",
    "start_child_workflow_execution_failed",
)


def unknown_kinds(commands: Iterable[Command], events: Iterable[Any]) -> list[str]:
    """Kinds of command or event that the tables do not know: such a history is inconclusive."""
    strange = {kind for kind, _ in commands if kind not in PAIRS and kind not in NOT_COMPARED}
    for event in events:
        name = event.WhichOneof("attributes") or "an event without attributes"
        if name == "marker_recorded_event_attributes":
            marker = event.marker_recorded_event_attributes.marker_name
            strange |= set() if marker in MARKERS else {f"marker {marker}"}
        if name not in _EVENTS and not name.startswith(_NEUTRAL):
            strange.add(name.removesuffix("_event_attributes"))
    return sorted(strange)


def compare(
    commands: list[Command], events: list[Any], own: Own, blind: Collection[str] = ()
) -> list[Difference]:
    """Every attribute that differs, in the order of the kinds' table.

    A run that was cut short by the outside (terminated, timed out) may lack the events of its
    last commands. `blind` are attributes that are left out, to break the comparison on purpose.
    """
    differences: list[Difference] = []
    for kind, pair in PAIRS.items():
        name = f"{pair.event}_event_attributes"
        recorded = [
            event
            for event in events
            if event.WhichOneof("attributes") == name and pair.recorded(getattr(event, name))
        ]
        issued = [c for k, c in commands if k == kind and pair.which(c)]
        if pair.identity is not None:
            issued = _in_order_of(pair.identity, issued, [getattr(e, name) for e in recorded])
        for command, event in zip(issued, recorded, strict=False):
            differences += [
                each
                for each in _attributes(pair, command, event, getattr(event, name), own)
                if each.attribute.rpartition(".")[2] not in blind
            ]
        differences += _count(kind, issued, recorded)
    return differences


def _in_order_of(
    identity: tuple[Callable[[Any], Any], Callable[[Any], Any]],
    issued: list[Any],
    recorded: list[Any],
) -> list[Any]:
    """The command of each event, up to the first that has none; the last attempt counts."""
    of_command, of_event = identity
    by_name = {of_command(each): each for each in issued}
    found = [by_name.get(of_event(each)) for each in recorded]
    missing = [number for number, each in enumerate(found) if each is None]
    return found[: missing[0]] if missing else found


def _attributes(
    pair: Pair, command: Any, event: Any, attributes: Any, own: Own
) -> Iterable[Difference]:
    for each in pair.attributes:
        replayed = each.command(command, own)
        recorded = each.event(attributes, own)
        if each.only_if_said and not replayed:
            continue
        if as_text(replayed) != as_text(recorded):  # by value, 1 and true would be the same
            yield Difference(
                event_id=event.event_id,
                attribute=f"{pair.event}.{each.name}",
                recorded=short(recorded),
                replayed=short(replayed),
                severity=each.severity,
            )


def _count(kind: str, issued: list[Any], recorded: list[Any]) -> list[Difference]:
    if len(issued) >= len(recorded):
        return []  # an open or ended run: the last commands were never recorded
    return [
        Difference(
            event_id=recorded[len(issued)].event_id,
            attribute=f"{kind}.count",
            recorded=str(len(recorded)),
            replayed=str(len(issued)),
            severity=ERROR,
        )
    ]
