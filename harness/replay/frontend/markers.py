"""Markers: what SDKs write into a history by themselves, told apart by name.

A patch (or version) marker says which branch a run took. The others hold a value of the outside
world or of chance (a local activity's result, a side effect): in the last task of what is served
it is made anew, so it may differ, and what follows in that task depends on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.replay.decoded import values
from harness.replay.frontend.attributes import Attribute, failure_of
from harness.replay.verdicts import INFO

PATCH: Final = "patch"
MADE: Final = "made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A name: what such markers are for, `identity` (which of them), `content` (what it says)."""

    role: str
    identity: Callable[[Any], Any]
    content: Callable[[Any], Any]


def _detail(marker: Any, name: str) -> Any:
    found = values(marker.details[name].payloads) if name in marker.details else []
    return found[0] if found else None


def _members(given: Any) -> Mapping[str, Any]:
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return {}
    return given if isinstance(given, Mapping) else {}


def _core_local(marker: Any) -> Any:
    data = _members(_detail(marker, "data"))
    return [data.get("activity_type"), data.get("activity_id"), data.get("seq")]


def _go_local(marker: Any) -> Any:
    data = _members(_detail(marker, "data"))
    if data:
        return [data.get("ActivityType"), data.get("ActivityID")]
    return [_detail(marker, "type"), _detail(marker, "activityId")]  # Java's


def _result(marker: Any) -> Any:
    if marker.HasField("failure"):
        return {"failure": failure_of(marker.failure)}
    return _detail(marker, "result")


def _patch_id(marker: Any) -> Any:
    return _members(_detail(marker, "patch-data")).get("id")


def _deprecated(marker: Any) -> Any:
    return bool(_members(_detail(marker, "patch-data")).get("deprecated"))


def _change(marker: Any) -> Any:
    found = _detail(marker, "change-id")
    return found if found is not None else _detail(marker, "changeId")


MARKERS: Final[Mapping[str, Marker]] = {
    # SDKs on the common core: Python, TypeScript, .NET, Ruby, Rust
    "core_patch": Marker(role=PATCH, identity=_patch_id, content=_deprecated),
    "core_local_activity": Marker(role=MADE, identity=_core_local, content=_result),
    # Go, Java, PHP
    "Version": Marker(role=PATCH, identity=_change, content=lambda m: _detail(m, "version")),
    "LocalActivity": Marker(role=MADE, identity=_go_local, content=_result),
    "SideEffect": Marker(
        role=MADE,
        identity=lambda m: _detail(m, "side-effect-id"),
        content=lambda m: _detail(m, "data"),
    ),
    "MutableSideEffect": Marker(
        role=MADE,
        identity=lambda m: _detail(m, "side-effect-id"),
        content=lambda m: _detail(m, "data"),
    ),
}


def known(marker: Any) -> Marker | None:
    """The row of a marker's name."""
    return MARKERS.get(marker.marker_name)


def deprecated(marker: Any) -> bool:
    """Whether it marks a patch on which no branch depends any more."""
    return marker.marker_name == "core_patch" and bool(_deprecated(marker))


def attributes_of(marker: Any) -> tuple[Attribute, ...]:
    """How a marker of a known name is compared; a patch on its way out is legal evolution."""
    row = MARKERS[marker.marker_name]
    return (
        Attribute("identity", lambda c, _: row.identity(c), lambda e, _: row.identity(e)),
        Attribute("content", lambda c, _: row.content(c), lambda e, _: row.content(e), INFO),
    )
