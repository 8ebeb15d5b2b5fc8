"""Mutants of versions and rollouts."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import STUCK, broken_worker, rolled_out

NEVER_ENDED: Final = "its runs were left without a worker"

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="versions-ignored",
        expected=("INV-VER-1",),
        clause="run of no version",
        defect="The worker claims versions and polls without one.",
        breakage=broken_worker("versions-ignored"),
        parameters=STUCK,
    ),
    Mutant(
        name="pinned-runs-moved",
        expected=("CMP-1", "ROL-1"),
        defect="Runs go on with whatever version is the current one.",
        breakage=broken_worker("moves-to-the-current"),
    ),
    Mutant(
        name="build-ids-of-commits",
        expected=("CMP-2",),
        clause="build id is no semantic version",
        defect="Build ids are the digests of commits.",
        breakage=Breakage(build_ids=("4f2c1e7", "9b0d3aa")),
    ),
    Mutant(
        name="other-commands-same-major",
        expected=("CMP-2",),
        clause="runs of its own major version do not replay",
        defect="The next build has the same major number and takes other commands.",
        breakage=rolled_out("other-commands"),
        parameters=STUCK,
        collateral={
            "INV-DET-4": "workflow tasks of the moved runs fail",
            "INV-DET-7": "they fail for nondeterminism",
        },
    ),
    Mutant(
        name="old-version-still-ramping",
        expected=("CMP-3",),
        clause="new run on a deprecated version",
        defect="The old version keeps nine of ten new runs after the next one was promoted.",
        breakage=Breakage(drive=("old-version-goes-on-ramping",)),
        parameters={"version_drained_s": 3.0},
        collateral={"ROL-2": "new runs do not begin on the version that was promoted"},
    ),
    Mutant(
        name="pins-not-flagged",
        expected=("CMP-3",),
        clause="pin to a deprecated version not flagged",
        defect="A version is called drained while a run that was pinned to it is open.",
        breakage=Breakage(engine={"history.enableVersionReactivationSignals": False}),
        parameters={"version_drained_s": 10.0},
    ),
    Mutant(
        name="next-version-not-promoted",
        expected=("ROL-2",),
        defect="The next version is announced and never made the current one.",
        breakage=Breakage(drive=("next-version-not-promoted",)),
        collateral={"CMP-3": "new runs begin on the version that was to be withdrawn"},
    ),
    Mutant(
        name="ramp-without-its-share",
        expected=("ROL-3",),
        defect="A ramp gives the next version every new run.",
        breakage=Breakage(drive=("ramp-without-its-share",)),
    ),
    Mutant(
        name="rollback-without-effect",
        expected=("ROL-4",),
        clause="new run not on the version rolled back to",
        defect="A rollback is announced, and new runs go on beginning on the withdrawn version.",
        breakage=Breakage(drive=("rollback-without-effect",)),
    ),
    Mutant(
        name="rollback-strands-runs",
        expected=("ROL-4",),
        clause="run of the withdrawn version did not end",
        defect="A rollback ends the workers of the withdrawn version while its runs are open.",
        breakage=Breakage(drive=("rollback-ends-the-withdrawn-worker",)),
        parameters=STUCK,
    ),
    Mutant(
        name="rollback-terminates-runs",
        expected=("ROL-4",),
        clause="run failed",
        defect="A rollback terminates what runs on the withdrawn version.",
        breakage=Breakage(drive=("rollback-terminates-runs",)),
    ),
    Mutant(
        name="removed-undrained",
        expected=("ROL-7",),
        clause="removed before it was drained",
        defect="The old version's workers are ended as soon as the next one is promoted.",
        breakage=Breakage(drive=("old-version-removed-undrained",)),
        parameters={**STUCK, "version_drained_s": 1.0},
        collateral={
            "CMP-1": NEVER_ENDED,
            "ROL-1": NEVER_ENDED,
        },
    ),
)
