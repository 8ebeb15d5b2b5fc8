"""INV-ISO-11: events of one tenant never reach another."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from harness.checks.audit.arrivals import Received, parsed, received
from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.isolation.canaries import Text, owners, search
from harness.journal.records import History

TENANT: Final = "wrong tenant"
SOURCE: Final = "wrong source"
CANARY: Final = "canary of another tenant"
CLAUSES: Final = (TENANT, SOURCE, CANARY)
LEAST_EVENTS: Final = 10


def events_stay_with_their_tenant(evidence: Evidence) -> Finding:
    """ADR, Invariants: "never share workflow state across tenants".

    Every event names, in its tenant extension, its data and its source, the tenant and the
    namespace in which the run that it reports ran, as the event histories have it; and carries no
    canary of another tenant. `event_source` says whether the source must name the namespace.
    `event_streams` says how tenants read events: where each has a stream of its own, this harness,
    which has one sink, cannot see who gets what.
    """
    ran = {history.run_id: history for history in evidence.of(History)}
    events = [(event, ran[event.key[0]]) for event in received(evidence) if event.key
              and event.key[0] in ran]  # fmt: skip
    namespaces = {history.namespace for history in ran.values()}
    must_name = evidence.parameters.get("event_source", "names_namespace") == "names_namespace"
    place = search(CANARY, (_text(event, of) for event, of in events), owners(evidence))
    broken = [
        *_wrong_tenant(events),
        *_wrong_source(events, namespaces, must_name=must_name),
        *place.leaks,
    ]
    tenants = {history.tenant for _, history in events}
    streams = evidence.parameters.get("event_streams", "one_for_all")
    lacks = [
        place.lacks if events else "",
        "" if len(tenants) > 1 else "events of fewer than two tenants arrived",
        "" if len(events) >= LEAST_EVENTS else f"{len(events)} events of known runs arrived",
        ""
        if streams == "one_for_all"
        else "each tenant is declared to have its own stream, and the harness has one sink",
    ]
    return conclude(
        CLAUSES,
        broken,
        lacks,
        f"all {len(events)} events of {len(tenants)} tenants name the tenant and the namespace of "
        "their run, and carry no other tenant's canary",
        {
            "events": len(events),
            "events_of_unknown_runs": len(received(evidence)) - len(events),
            "places": [{**place.row, "place": "audit events"}],
        },
    )


Reported = list[tuple[Received, History]]


def _wrong_tenant(events: Reported) -> Iterator[Broken]:
    for event, of in events:
        if event.tenants != (of.tenant,):
            yield Broken(TENANT, f"{event.name} ran in {of.namespace} of {of.tenant}", of.path)
        elif event.namespace and event.namespace != of.namespace:
            yield Broken(TENANT, f"{event.name} names {event.namespace}, it ran in {of.namespace}")


def _wrong_source(events: Reported, namespaces: set[str], *, must_name: bool) -> Iterator[Broken]:
    for event, of in events:
        named = {each for each in namespaces if _names(event.source, each)}
        if named - {of.namespace} and of.namespace not in named:
            yield Broken(SOURCE, f"{event.name}: {event.source}, it ran in {of.namespace}", of.path)
        elif must_name and of.namespace not in named:
            yield Broken(SOURCE, f"{event.name}: {event.source} does not name {of.namespace}")


def _names(source: str, namespace: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(namespace)}(?![\w.-])", source) is not None


def _text(event: Received, of: History) -> Text:
    """What of a request belongs to this event: all of it, unless it is a batch."""
    whole = parsed(event.record)
    if len(whole) == 1:
        lines = "\n".join(value for _, value in event.record.headers)
        body = base64.b64decode(event.record.body).decode(errors="replace")
        return Text(of.tenant, event.name, of.path, f"{lines}\n{body}")
    mine: Mapping[str, object] = {
        **whole[event.index].attributes,
        "data": whole[event.index].data,
    }
    return Text(of.tenant, event.name, of.path, msgspec.json.encode(mine, enc_hook=str).decode())
