"""How quick engine and worker were: on a machine that is starved, what comes late tells nothing."""

from __future__ import annotations

from statistics import median
from typing import Final

from harness.checks.check import Evidence
from harness.checks.histories.remember import remembered
from harness.checks.histories.run import runs
from harness.journal.records import History

SLOW_TASK_MS: Final = 2000.0  # a twentieth is usual
NEAR_NS: Final = 10_000_000_000  # what began so long before a span tells about it too
ENOUGH: Final = 10
_MS: Final = 1e6


@remembered(History)
def usual_task_ms(evidence: Evidence) -> float:
    """The median over all runs of how long the slowest workflow task of a run took, in ms.

    Half of the runs are not disturbed on purpose, so nothing but the machine makes it long.
    """
    return median([run.slowest_task_ns / _MS for run in runs(evidence).values()] or [0.0])


def starved(evidence: Evidence) -> str:
    """Why what came late may be the machine's fault; empty if it is not."""
    usual_ms = usual_task_ms(evidence)
    if usual_ms <= SLOW_TASK_MS:
        return ""
    return f"half of the runs had a workflow task of over {usual_ms:.0f} ms: the machine is starved"


def starved_between(evidence: Evidence, since_ns: int, until_ns: int) -> str:
    """Why what came late in a span of time may be the machine's fault; empty if it is not.

    The runs that began then tell; where they are too few, those of the whole trial.
    """
    began = [
        run.slowest_task_ns / _MS
        for run in runs(evidence).values()
        if since_ns - NEAR_NS <= run.started_ns <= until_ns
    ]
    usual_ms = median(began) if len(began) >= ENOUGH else 0.0
    if usual_ms <= SLOW_TASK_MS:
        return starved(evidence)
    return (
        f"half of the {len(began)} runs of that time had a workflow task of over "
        f"{usual_ms:.0f} ms: the machine was starved"
    )
