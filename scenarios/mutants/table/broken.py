"""What the rows of the tables share: broken parts, parameters, reasons."""

from __future__ import annotations

import sys
from typing import Any, Final

from harness.platform.breakage import Breakage


def broken_worker(name: str) -> Breakage:
    """The reference worker with the parts of that name."""
    return Breakage(worker=(sys.executable, "-m", "scenarios.mutants.worker", name))


def rolled_out(name: str) -> Breakage:
    """The reference worker, beside which a build with the parts of that name is rolled out."""
    return Breakage(rolled_out=(sys.executable, "-m", "scenarios.mutants.worker", name))


def broken_exporter(name: str) -> Breakage:
    """The reference exporter with the parts of that name."""
    return Breakage(exporter=(sys.executable, "-m", "scenarios.mutants.exporter", name))


def replayed(module: str) -> Breakage:
    """Recorded by the reference worker, replayed with this module's workflow."""
    return Breakage(workflows=f"scenarios.mutants.workflows.{module}")


def next_build(module: str) -> Breakage:
    """Recorded by the reference worker, replayed by a worker with this module's workflow."""
    return Breakage(next_worker=(sys.executable, "-m", "scenarios.mutants.next_build", module))


# so that nobody waits long for what will never come
SOON: Final[dict[str, Any]] = {"event_lag_ms": 8000}
VERY_SOON: Final[dict[str, Any]] = {"event_lag_ms": 2000}
STUCK: Final[dict[str, Any]] = {"horizon_s": 15}

# what nothing disturbs, of every kind of command
UNDISTURBED: Final = ("plain", "compensated", "timers", "signals", "child", "continued")

# why other checks are right to turn red
APPLIED_TWICE: Final = {
    "INV-IDEM-8": "an effect applied twice has two results, and the history holds the second",
    "DUR-5": "a compensation is an effect too, and was applied twice",
    "INV-IDEM-11": "a retried activity whose effect was applied twice is no mere suspect",
}
COUNTING: Final = {
    **{f"EVT-{number}": "each counts the events of its own type" for number in range(1, 10)},
    "EVT-10": "it counts the events that the ADR's list leaves out",
    "INV-AUD-8": "an event of a refused activity is among them",
    "INV-AUD-9": "it counts the events of material changes",
}
COMPLETE: Final = {"INV-AUD-1": "it counts the events of all types"}
CHAINED: Final = {"INV-AUD-7": "what was changed, added or left out breaks the chain"}
