"""Which minor version of the contract each later capability came with."""

from __future__ import annotations

from typing import Final

from harness.contract.noop import CAPABILITY as NOOP
from harness.contract.versions import numbers

SINCE: Final = {NOOP: 1}


def unknown_to(version: str) -> set[str]:
    """The capabilities that a worker of this version of the contract cannot have."""
    _, minor, *_ = (*numbers(version), 0, 0)
    return {capability for capability, since in SINCE.items() if since > minor}
