"""The event catalogue: a JSON Schema for each event type and version, found by its URI."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "schemas" / "events"
SCHEME: Final = "urn:harness:event:"


@lru_cache(1)
def catalogue() -> dict[str, dict[str, Any]]:
    """Every schema by its URI, `urn:harness:event:<type>:<version>`."""
    found = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*/*.json"))]
    return {schema["$id"]: schema for schema in found}


def older(uri: str) -> list[str]:
    """The URIs of the versions of the same type before this one."""
    name, _, version = uri.rpartition(":")
    known = catalogue()
    earlier = range(1, int(version)) if version.isdecimal() else ()
    return [found for each in earlier if (found := f"{name}:{each}") in known]
