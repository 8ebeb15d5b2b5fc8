"""The event catalogue: schemas that events name and fit, and how types are named."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

from harness.checks.audit.arrivals import Received, received
from harness.checks.audit.order import by_run
from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage
from harness.checks.histories.clauses import Broken, conclude
from harness.cloudevents.syntax import has_reverse_dns_prefix
from harness.contract.event_schemas import SCHEME, catalogue, older
from harness.contract.transitions import TYPES

NO_SCHEMA: Final = "no schema"
UNKNOWN: Final = "unknown schema"
OTHER_TYPE: Final = "schema of another type"
MISFIT: Final = "invalid data"
OLD: Final = "unreadable"
PREFIX: Final = "prefix"
SPELLING: Final = "two spellings"
_VERSION: Final = re.compile(r"\.v[0-9]+$")


def _arrived(evidence: Evidence) -> list[Received]:
    return [match.first for of_run in by_run(evidence).values() for match in of_run]


def events_fit_their_schemas(evidence: Evidence) -> Finding:
    """ADR, Events: "Create event catalog + JSON Schemas".

    Every event that arrived for a transition names in `dataschema` the schema of its own type in
    the event catalogue, and its data fits that schema.
    """
    events = _arrived(evidence)
    prefix = str(evidence.parameters.get("event_type_prefix", ""))
    broken = [each for event in events for each in _misfits(event, prefix)]
    schemas = Counter(event.dataschema or "none" for event in events)
    lacks = [
        coverage(evidence, "EVT-11").lacks,
        "" if events else "no event arrived for a transition",
    ]
    kept = f"all {len(events)} events fit the schema that they name, {len(schemas)} schemas"
    figures: dict[str, Any] = {"events": len(events), "schemas": dict(sorted(schemas.items()))}
    return conclude((NO_SCHEMA, UNKNOWN, OTHER_TYPE, MISFIT), broken, lacks, kept, figures)


def _misfits(event: Received, prefix: str) -> list[Broken]:
    if not event.dataschema:
        return [Broken(NO_SCHEMA, f"{event.name} names no schema")]
    if event.dataschema not in catalogue():
        return [Broken(UNKNOWN, f"{event.name} names {event.dataschema}, which is not there")]
    of = event.dataschema.removeprefix(SCHEME).rpartition(":")[0]
    if of != event.type.removeprefix(prefix):
        return [Broken(OTHER_TYPE, f"{event.name} names the schema of {of}")]
    return [Broken(MISFIT, f"{event.name}: {text}") for text in event.misfits]


def older_schemas_read_newer_events(evidence: Evidence) -> Finding:
    """ADR, Events: "Create event catalog + JSON Schemas".

    The data of every event whose schema has earlier versions fits those versions too, so that a
    consumer which knows only them can read it.
    """
    events = [event for event in _arrived(evidence) if older(event.dataschema)]
    broken = [
        Broken(OLD, f"{event.name}: {text}") for event in events for text in event.old_misfits
    ]
    pairs = Counter(event.dataschema for event in events)
    lacks = [
        coverage(evidence, "EVT-13").lacks,
        "" if events else "no event names a schema that has an earlier version",
    ]
    kept = f"all {len(events)} events of newer schemas fit the versions before"
    figures = {"events": len(events), "newer_schemas": dict(sorted(pairs.items()))}
    return conclude((OLD,), broken, lacks, kept, figures)


def types_are_named_alike(evidence: Evidence) -> Finding:
    """ADR, Protocols: "CloudEvents-compatible events emitted for workflow state changes".

    Every known type that was seen is spelt one way, with the declared prefix, which reads like a
    domain backwards. CloudEvents advises a prefix and some version in the type; the bare types of
    the ADR are a remark.
    """
    seen = Counter(event.type for event in received(evidence) if event.type)
    prefix = str(evidence.parameters.get("event_type_prefix", ""))
    broken = _spellings(seen)
    if prefix and not has_reverse_dns_prefix(f"{prefix}workflow.started"):
        broken.append(Broken(PREFIX, f"{prefix} does not read like a domain backwards"))
    broken += [
        Broken(PREFIX, f"{name} does not begin with {prefix}")
        for name in seen
        if _base(name) and not name.startswith(prefix)
    ]
    bare = sorted(name for name in seen if name in TYPES)
    lacks = [
        coverage(evidence, "EVT-12").lacks,
        "" if any(map(_base, seen)) else "no event of a known type was seen",
    ]
    remark = f"; {len(bare)} bare types, as the ADR names them" if bare else ""
    kept = f"{len(seen)} types, each spelt one way{remark}"
    figures = {
        "types": dict(sorted(seen.items())),
        "bare": bare,
        "with_version": sorted(name for name in seen if _VERSION.search(name)),
    }
    return conclude((PREFIX, SPELLING), broken, lacks, kept, figures)


def _spellings(seen: Iterable[str]) -> list[Broken]:
    by_base: defaultdict[str, list[str]] = defaultdict(list)
    for name in seen:
        if base := _base(name):
            by_base[base].append(name)
    return [
        Broken(SPELLING, f"{base} comes as {' and as '.join(sorted(names))}")
        for base, names in by_base.items()
        if len(names) > 1
    ]


def _base(name: str) -> str:
    """The contract's type that a name ends with, whatever stands around it; empty for others."""
    plain = _VERSION.sub("", name.lower())
    found = [each for each in TYPES if plain == each or plain.endswith(f".{each}")]
    return max(found, key=len, default="")
