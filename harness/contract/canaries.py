"""Canaries: words of high entropy, one for each tenant and position, that must stay at home.

They are derived from the trial's id, so that a trial can be driven again with the same ones, and
are recorded in the journal. What shows one in a place of another tenant has leaked.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

PATTERN: Final = re.compile(r"cn[0-9a-f]{24}")
POSITIONS: Final = (
    "resource", "amount", "workflow-id", "saga-id", "signal-id", "child", "memo", "cookie",
)  # fmt: skip
_PLACE: Final = re.compile(r"\{canary:([a-z-]+)\}")


def canary(trial_id: str, tenant: str, position: str) -> str:
    """The canary of a tenant at a position."""
    if position not in POSITIONS:
        raise ValueError(f"{position!r} is no position of a canary")
    told = f"{trial_id}/{tenant}/{position}".encode()
    return f"cn{hashlib.sha256(told).hexdigest()[:24]}"


def with_canaries(text: str, trial_id: str, tenant: str) -> str:
    """The text with `{tenant}` and each `{canary:position}` filled in."""
    filled = text.replace("{tenant}", tenant)
    return _PLACE.sub(lambda found: canary(trial_id, tenant, found[1]), filled)
