"""What checks read out of event histories and programs, once for each journal.

`runs` are the recorded runs, `sagas` the programs that were driven with their children, `coverage`
what was driven for one assertion and came to an end.
"""

from harness.checks.histories.remember import remembered
from harness.checks.histories.run import (
    CANCELED,
    COMPLETED,
    CONTINUED,
    FAILED,
    TERMINATED,
    TIMED_OUT,
    Activity,
    Run,
    Transition,
    canonical_sha256,
    read_run,
    runs,
    wall_ns,
)
from harness.checks.histories.saga import (
    COMPENSATION_RETRY,
    Coverage,
    Place,
    Saga,
    coverage,
    ended_runs,
    groups,
    sagas,
    steps_of,
)

__all__ = [
    "CANCELED",
    "COMPENSATION_RETRY",
    "COMPLETED",
    "CONTINUED",
    "FAILED",
    "TERMINATED",
    "TIMED_OUT",
    "Activity",
    "Coverage",
    "Place",
    "Run",
    "Saga",
    "Transition",
    "canonical_sha256",
    "coverage",
    "ended_runs",
    "groups",
    "read_run",
    "remembered",
    "runs",
    "sagas",
    "steps_of",
    "wall_ns",
]
