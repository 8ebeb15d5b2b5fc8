"""Mutants of tenant isolation."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import broken_worker

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="token-namespace-unenforced",
        expected=("INV-ISO-6",),
        defect="The engine takes a task token in any namespace.",
        breakage=Breakage(engine={"frontend.enableTokenNamespaceEnforcement": False}),
    ),
    Mutant(
        name="commands-across-namespaces",
        expected=("INV-ISO-7",),
        defect="The engine lets a workflow start, signal and cancel in another namespace.",
        breakage=Breakage(engine={"system.enableCrossNamespaceCommands": True}),
    ),
    Mutant(
        name="signals-by-saga-id",
        expected=("INV-ISO-8",),
        defect="A worker process keeps signals by workflow id for all tenants together.",
        breakage=broken_worker("signals-by-saga-id"),
        cases=("twin-[0-3]",),
    ),
    Mutant(
        name="resource-by-saga-id",
        expected=("INV-ISO-8",),
        defect="A worker process keeps what a step works on by saga id for all tenants together.",
        breakage=broken_worker("resource-by-saga-id"),
        cases=("twin-[0-3]",),
    ),
    Mutant(
        name="result-by-saga-id",
        expected=("INV-ISO-8",),
        defect="A worker process keeps the services' results by saga id for all tenants together.",
        breakage=broken_worker("result-by-saga-id"),
        cases=("twin-[0-3]",),
        collateral={"INV-IDEM-8": "the result of an activity is not what its service answered"},
    ),
)
