"""The names by which parts of the page are reached."""

from __future__ import annotations

import re


def anchor(assertion_id: str, index: int = 0) -> str:
    """The fragment of a statement's row: the ID itself for its first row."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", assertion_id)[:80]
    return plain if index == 0 else f"{plain}.{index + 1}"
