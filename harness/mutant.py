"""A mutant: the reference platform with one deliberate defect that its check must catch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.platform.breakage import NOTHING, Breakage


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A row of the table of mutants.

    `expected` are the catalogue IDs that must turn red (where the verdict has clauses: in this
    `clause`), and all that is driven; none are the whole profile. `defect` says in one sentence
    what is broken. `collateral` are other IDs that are right to turn red on the same evidence, each
    with the reason. `cases` are patterns of the names of the cases that suffice to bring the defect
    out; without any, all that feed the expected IDs are driven. `seed` is that of generated sagas
    which bring it out, `parameters` are declared meanings for its run. `arm` is the command that
    drives it, with these `options`. Its processes may be `forked` from one that has imported what
    they need, but where the defect is in what each interpreter makes anew; `own_engine` where it is
    in, or judged on, what others would see too.

    An `equivalent` breaks nothing: its `defect` is another legal way to do it, and its expected
    checks must stay green; where `never_red_suffices`, they may also be inconclusive.
    """

    name: str
    expected: tuple[str, ...]
    defect: str
    clause: str = ""
    breakage: Breakage = NOTHING
    collateral: Mapping[str, str] = field(default_factory=dict)
    cases: tuple[str, ...] = ()
    seed: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arm: str = "verify"
    options: tuple[str, ...] = ()
    profile: str = "core"
    equivalent: bool = False
    never_red_suffices: bool = False
    forked: bool = True
    own_engine: bool = False
