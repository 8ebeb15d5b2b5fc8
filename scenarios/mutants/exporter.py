"""`python -m scenarios.mutants.exporter NAME`: the reference exporter with one part replaced."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp

from scenarios.reference.audit_event import EventOf, Transition, event_of, event_type
from scenarios.reference.exporter import CONTENT_TYPE, Deliver, Parts, deliver, main

ONE_IN: Final = 7
LATE_S: Final = 8.0

Change = Callable[[dict[str, Any]], dict[str, Any]]


def chosen(transition: Transition) -> bool:
    """About one transition in seven, the same ones however often it is asked."""
    return (transition.event_id + sum(transition.run.run_id.encode())) % ONE_IN == 0


def without(kind: str) -> EventOf:
    """Transitions of this type are not reported."""

    def event(transition: Transition, prefix: str) -> dict[str, Any] | None:
        return None if event_type(transition) == kind else event_of(transition, prefix)

    return event


def named(kind: str, name: str) -> EventOf:
    """Transitions of this type are reported under another name."""

    def event(transition: Transition, prefix: str) -> dict[str, Any] | None:
        made = event_of(transition, prefix)
        return {**made, "type": name} if made and event_type(transition) == kind else made

    return event


def some_dropped(transition: Transition, prefix: str) -> dict[str, Any] | None:
    """Some are not reported."""
    return None if chosen(transition) else event_of(transition, prefix)


def changed(change: Change) -> EventOf:
    """Every event is changed."""

    def event(transition: Transition, prefix: str) -> dict[str, Any] | None:
        made = event_of(transition, prefix)
        return change(made) if made else None

    return event


def some_changed(change: Change) -> EventOf:
    """Some events are changed."""

    def event(transition: Transition, prefix: str) -> dict[str, Any] | None:
        made = event_of(transition, prefix)
        return change(made) if made and chosen(transition) else made

    return event


def lacking(attribute: str) -> Change:
    """Without this attribute."""
    return lambda event: {name: value for name, value in event.items() if name != attribute}


def of_other_tenant(event: dict[str, Any]) -> dict[str, Any]:
    """Names the other tenant."""
    other = "beta" if event["tenantid"] == "alpha" else "alpha"
    return {**event, "tenantid": other, "data": {**event["data"], "tenant": other}}


async def twice_with_new_id(
    http: aiohttp.ClientSession, url: str, event: Mapping[str, Any]
) -> bool:
    """Every event comes a second time, as if it were another."""
    again = {**event, "id": f"{event['id']}:again"}
    return await deliver(http, url, event) and await deliver(http, url, again)


async def starts_late(http: aiohttp.ClientSession, url: str, event: Mapping[str, Any]) -> bool:
    """The first event of a run comes too late."""
    if event["type"] == "workflow.started":
        await asyncio.sleep(LATE_S)
    return await deliver(http, url, event)


def writing(
    write: Callable[[Mapping[str, Any]], bytes], content_type: str = CONTENT_TYPE
) -> Deliver:
    """Events are written in another way."""

    async def post(http: aiohttp.ClientSession, url: str, event: Mapping[str, Any]) -> bool:
        try:
            async with http.post(
                url, data=write(event), headers={"Content-Type": content_type}
            ) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, OSError):
            return False

    return post


def with_member_twice(event: Mapping[str, Any]) -> bytes:
    """Says its type twice."""
    return b'{"type":"workflow.started",' + json.dumps(event).encode()[1:]


PARTS: Final[Mapping[str, Parts]] = {
    "one-in-seven-dropped": Parts(event_of=some_dropped),
    "each-again-with-new-id": Parts(deliver=twice_with_new_id),
    "starts-late": Parts(deliver=starts_late),
    "other-tenant": Parts(event_of=some_changed(of_other_tenant)),
    "no-specversion": Parts(event_of=changed(lacking("specversion"))),
    "no-source": Parts(event_of=changed(lacking("source"))),
    "time-without-offset": Parts(event_of=changed(lambda e: {**e, "time": e["time"].rstrip("Z")})),
    "attribute-in-camel-case": Parts(event_of=changed(lambda e: {**e, "traceId": "0" * 32})),
    "empty-subject": Parts(event_of=changed(lambda e: {**e, "subject": ""})),
    "member-twice": Parts(deliver=writing(with_member_twice)),
    "plain-json": Parts(deliver=writing(lambda e: json.dumps(e).encode(), "application/json")),
    "no-workflow-started": Parts(event_of=without("workflow.started")),
    "no-workflow-completed": Parts(event_of=without("workflow.completed")),
    "no-workflow-failed": Parts(event_of=without("workflow.failed")),
    "no-workflow-canceled": Parts(event_of=without("workflow.canceled")),
    "no-activity-completed": Parts(event_of=without("activity.completed")),
    "no-activity-failed": Parts(event_of=without("activity.failed")),
    "canceled-misspelt": Parts(event_of=named("workflow.canceled", "workflow.cancelled")),
}

if __name__ == "__main__":
    main(PARTS[sys.argv[1]])
