"""`python -m scenarios.mutants.exporter NAME`: the reference exporter with one part replaced."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from scenarios.mutants import equivalents
from scenarios.reference.audit_event import (
    GENESIS,
    EventOf,
    Transition,
    event_of,
    event_type,
    sealed,
    second_of,
)
from scenarios.reference.cursors import Cursors
from scenarios.reference.exporter import CONTENT_TYPE, Deliver, Parts, deliver, main

LATE_S: Final = 1.5  # with what reading takes, more than the lag that its mutant declares

Event = Mapping[str, Any]
When = Callable[[Transition], bool]
Change = Callable[[dict[str, Any]], dict[str, Any] | None]


# --- other events ---------------------------------------------------------------------------------


def always(_: Transition) -> bool:
    """Every transition."""
    return True


def one_in_seven(transition: Transition) -> bool:
    """About one transition in seven, the same ones however often it is asked."""
    return (transition.event_id + sum(transition.run.run_id.encode())) % 7 == 0


def of_type(name: str) -> When:
    """The transitions of one type."""
    return lambda transition: event_type(transition) == name


def events(change: Change, when: When = always) -> EventOf:
    """The reference's events, some of them changed or (changed to None) dropped."""

    def event(transition: Transition, prefix: str) -> dict[str, Any] | None:
        made = event_of(transition, prefix)
        return change(made) if made and when(transition) else made

    return event


def drop(_: dict[str, Any]) -> None:
    """Not reported."""


def drop_specversion(event: dict[str, Any]) -> dict[str, Any]:
    """Without a required attribute."""
    return {name: value for name, value in event.items() if name != "specversion"}


def name_other_tenant(event: dict[str, Any]) -> dict[str, Any]:
    """Names the other tenant."""
    other = "beta" if event["tenantid"] == "alpha" else "alpha"
    return {**event, "tenantid": other, "data": {**event["data"], "tenant": other}}


def name_first_namespace(event: dict[str, Any]) -> dict[str, Any]:
    """Comes from the first tenant's namespace, whoever's it is."""
    return {**event, "source": "urn:temporal:namespace:alpha"}


_BEFORE: Final[dict[str, dict[str, Any]]] = {}


def with_subject_before(event: dict[str, Any]) -> dict[str, Any]:
    """Has the subject of the last event of another tenant, as if it were in a shared buffer."""
    others = [each for tenant, each in _BEFORE.items() if tenant != event["tenantid"]]
    if "/own-ids-" in event["subject"]:
        _BEFORE[event["tenantid"]] = event
    return {**event, "subject": others[0]["subject"]} if others else event


def name_other_workflow(event: dict[str, Any]) -> dict[str, Any]:
    """Names a workflow that it is not about."""
    return {**event, "data": {**event["data"], "workflow_id": "another"}}


# --- other deliveries -----------------------------------------------------------------------------


async def each_again(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """Every event comes a second time, as if it were another."""
    again = {**event, "id": f"{event['id']}:again"}
    return await deliver(http, url, event) and await deliver(http, url, again)


async def phantoms(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """Beside each event comes one of a transition that never was."""
    data = {**event["data"], "event_id": event["data"]["event_id"] + 1000}
    await deliver(http, url, {**event, "id": f"{event['id']}:phantom", "data": data})
    return await deliver(http, url, event)


_LATE: Final[set[asyncio.Task[bool]]] = set()


async def starts_late(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """The first event of a run comes late; nothing else waits for it."""
    if event["type"] != "workflow.started":
        return await deliver(http, url, event)
    _LATE.add(asyncio.create_task(_late(http, url, event)))
    return True


async def _late(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    await asyncio.sleep(LATE_S)
    return await deliver(http, url, event)


def writing(write: Callable[[Event], bytes], content_type: str = CONTENT_TYPE) -> Deliver:
    """Events are written in another way."""

    async def post(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
        headers = {"Content-Type": content_type}
        try:
            async with http.post(url, data=write(event), headers=headers) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, OSError):
            return False

    return post


def as_json(event: Event) -> bytes:
    """As it should be."""
    return json.dumps(event).encode()


def with_type_twice(event: Event) -> bytes:
    """With a member that occurs twice."""
    return b'{"type":"workflow.started",' + as_json(event)[1:]


async def unreadable(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """What is sent says that it is JSON, and is not."""
    return await writing(lambda _: b"{started", CONTENT_TYPE)(http, url, event)


def two_megabytes(event: Event) -> bytes:
    """Far more than the contract allows."""
    return as_json({**event, "data": {**event["data"], "more": "x" * 2_000_000}})


async def silent(_http: aiohttp.ClientSession, _url: str, _event: Event) -> bool:
    """Nothing is ever sent."""
    return True


# --- other chains ---------------------------------------------------------------------------------


def unchained(event: Event, _: str) -> dict[str, Any]:
    """Without digests."""
    return dict(event)


def of_events(event: Event) -> bool:
    """Those of activities."""
    return str(event["type"]).startswith("activity.")


def edited(event: Event, previous: str) -> dict[str, Any]:
    """Changed after it was chained."""
    link = sealed(dict(event), previous)
    return {**link, "colour": "red"} if of_events(event) else link


def not_chained_to_anything(event: Event, previous: str) -> dict[str, Any]:
    """What it is chained to is not in the trail."""
    return sealed(dict(event), "f" * 64 if of_events(event) else previous)


def always_first(event: Event, _: str) -> dict[str, Any]:
    """Each is chained as if it were the first of its run."""
    return sealed(dict(event), GENESIS)


_HELD: Final[dict[str, Event]] = {}


async def start_exchanged(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """The start of a run and what follows it change places in the chain."""
    run_id = event["data"]["run_id"]
    if event["type"] == "workflow.started":
        _HELD[run_id] = event
        return True
    if run_id not in _HELD:
        return await deliver(http, url, event)
    start = _HELD.pop(run_id)
    follower = sealed(_plain(event), start["prevhash"])
    moved = sealed(_plain(start), follower["chainhash"])
    return await deliver(http, url, follower) and await deliver(http, url, moved)


def _plain(event: Event) -> dict[str, Any]:
    return {n: value for n, value in event.items() if n not in ("prevhash", "chainhash")}


class Forgetful(Cursors):
    """Loses what it knew when it is started again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / f"{os.getpid()}")


def never_the_same_id(transition: Transition, prefix: str) -> dict[str, Any] | None:
    """Ids are drawn, not derived."""
    event = event_of(transition, prefix)
    return event and {**event, "id": str(uuid.uuid4())}


def without(*names: str) -> EventOf:
    """Events without these attributes or members of their data."""
    return events(
        lambda e: {
            **{n: v for n, v in e.items() if n not in names},
            "data": {n: v for n, v in e["data"].items() if n not in names},
        }
    )


def second_before(time: str) -> str:
    """A time of RFC 3339, four seconds earlier."""
    earlier = datetime.fromisoformat(time[:19] + "+00:00") - timedelta(seconds=4)
    return earlier.isoformat().replace("+00:00", "Z")


def changed_data(when: When = always, **members: Any) -> EventOf:
    """Events whose data has other values."""
    return events(lambda e: {**e, "data": {**e["data"], **members}}, when)


def second_only(outcome: str, change: Change) -> Parts:
    """The second family is changed for one outcome."""

    def second(transition: Transition, event: Event, prefix: str) -> dict[str, Any] | None:
        made = second_of(transition, dict(event), prefix)
        return change(made) if made and transition.outcome == outcome else made

    return Parts(second_of=second)


def prefixed(prefix: str, when: When = always, deliver: Deliver = deliver, **more: str) -> Parts:
    """A prefix before the types of both families, and more attributes."""

    def change(event: dict[str, Any]) -> dict[str, Any]:
        return {**event, **more, "type": prefix + event["type"]}

    def second(transition: Transition, event: Event, _: str) -> dict[str, Any] | None:
        made = second_of(transition, dict(event), "")
        return change(made) if made and when(transition) else made

    return Parts(event_of=events(change, when), second_of=second, deliver=deliver)


PARTS: Final[Mapping[str, Parts]] = {
    "one-in-seven-dropped": Parts(event_of=events(drop, one_in_seven)),
    "each-again-with-new-id": Parts(deliver=each_again),
    "phantoms": Parts(deliver=phantoms),
    "starts-late": Parts(deliver=starts_late),
    "other-tenant": Parts(event_of=events(name_other_tenant, one_in_seven)),
    "first-namespace-as-source": Parts(event_of=events(name_first_namespace)),
    "subject-before": Parts(event_of=events(with_subject_before)),
    "other-workflow": Parts(event_of=events(name_other_workflow, one_in_seven)),
    "one-id-for-all": Parts(event_of=events(lambda e: {**e, "id": e["data"]["run_id"]})),
    "no-specversion": Parts(event_of=events(drop_specversion)),
    "time-without-offset": Parts(event_of=events(lambda e: {**e, "time": e["time"].rstrip("Z")})),
    "attribute-in-camel-case": Parts(event_of=events(lambda e: {**e, "traceId": "0" * 32})),
    "member-twice": Parts(deliver=writing(with_type_twice)),
    "plain-json": Parts(deliver=writing(as_json, "application/json")),
    "no-workflow-started": Parts(event_of=events(drop, of_type("workflow.started"))),
    "no-workflow-completed": Parts(event_of=events(drop, of_type("workflow.completed"))),
    "no-workflow-failed": Parts(event_of=events(drop, of_type("workflow.failed"))),
    "no-workflow-canceled": Parts(event_of=events(drop, of_type("workflow.canceled"))),
    "canceled-misspelt": Parts(
        event_of=events(lambda e: {**e, "type": "workflow.cancelled"}, of_type("workflow.canceled"))
    ),
    "no-activity-completed": Parts(event_of=events(drop, of_type("activity.completed"))),
    "no-activity-failed": Parts(event_of=events(drop, of_type("activity.failed"))),
    "silent": Parts(deliver=silent),
    "unreadable": Parts(deliver=unreadable),
    "two-megabytes": Parts(deliver=writing(two_megabytes)),
    "forgetful": Parts(event_of=never_the_same_id, cursors=Forgetful),
    "no-sequence": Parts(event_of=without("sequence")),
    "sequence-falls": Parts(
        event_of=events(lambda e: {**e, "sequence": f"{10**9 - e['data']['event_id']:010d}"})
    ),
    "own-clock": Parts(event_of=events(lambda e: {**e, "time": "2020-01-02T03:04:05Z"})),
    "clock-falls": Parts(
        event_of=events(
            lambda e: {**e, "time": second_before(e["time"])}, of_type("workflow.completed")
        )
    ),
    "no-actor": Parts(event_of=without("actor")),
    "no-reason": Parts(event_of=without("reason")),
    "says-little": Parts(
        event_of=without(
            "tenantid",
            "tenant",
            "workflow_id",
            "workflow_type",
            "namespace",
            "transition",
            "time",
            "outcome",
        )
    ),
    "no-activity-type": Parts(event_of=without("activity_type")),
    "correlation-of-event": Parts(event_of=events(lambda e: {**e, "correlationid": e["id"]})),
    "other-workflow-type": Parts(event_of=changed_data(workflow_type="Another")),
    "unchained": Parts(sealed=unchained),
    "edited": Parts(sealed=edited),
    "link-missing": Parts(sealed=not_chained_to_anything),
    "start-exchanged": Parts(deliver=start_exchanged),
    "always-first": Parts(sealed=always_first),
    "no-signaled": Parts(event_of=events(drop, of_type("workflow.signaled"))),
    **{
        f"no-{name.replace('_', '-')}": Parts(event_of=events(drop, of_type(f"workflow.{name}")))
        for name in (
            "update_completed",
            "paused",
            "options_changed",
            "search_attributes_changed",
            "timed_out",
        )
    },
    "no-reset": Parts(event_of=events(drop, of_type("workflow.reset"))),
    "no-terminated": Parts(event_of=events(drop, of_type("workflow.terminated"))),
    "no-execution-started": second_only("started", drop),
    "no-execution-completed": second_only("completed", drop),
    "no-execution-failed": second_only("failed", drop),
    "execution-outcome-differs": second_only(
        "completed", lambda e: {**e, "data": {**e["data"], "outcome": "failed"}}
    ),
    "execution-failure-differs": second_only(
        "failed", lambda e: {**e, "data": {**e["data"], "outcome": "completed"}}
    ),
    "no-dataschema": Parts(event_of=without("dataschema")),
    "dataschema-elsewhere": Parts(
        event_of=events(lambda e: {**e, "dataschema": "https://example.org/schema"})
    ),
    "dataschema-of-another": Parts(
        event_of=events(lambda e: {**e, "dataschema": "urn:harness:event:workflow.failed:2"})
    ),
    "attempt-as-text": Parts(event_of=changed_data(of_type("activity.completed"), attempt="one")),
    "prefix-for-some": prefixed("com.example.", one_in_seven),
    "prefix-without-domain": prefixed("x."),
    # equivalents
    "slower-in-time": Parts(deliver=equivalents.slowly),
    "sequence-counted-anew": Parts(
        event_of=events(lambda e: {**e, "sequence": str(7 * e["data"]["event_id"])})
    ),
    "binary-mode": Parts(deliver=equivalents.binary_mode),
    "prefixed-batches": prefixed("com.example.", deliver=equivalents.batches, colour="blue"),
    "twice-in-any-order": Parts(deliver=equivalents.twice_in_any_order),
}

if __name__ == "__main__":
    main(PARTS[sys.argv[1]])
