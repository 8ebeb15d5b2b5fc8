"""A mutant: the reference platform with one deliberate defect that its check must catch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.platform.breakage import Breakage


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A row of the table of mutants.

    `expected` are the catalogue IDs that must turn red (where the verdict has clauses: in this
    `clause`), and all that is driven; `defect` says in one sentence what is broken. `collateral`
    are other IDs that are right to turn red on the same evidence, each with the reason.
    `parameters` are declared meanings that make its run short. `arm` is the command that drives it.
    """

    name: str
    expected: tuple[str, ...]
    defect: str
    clause: str = ""
    breakage: Breakage
    collateral: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arm: str = "verify"
    profile: str = "core"
