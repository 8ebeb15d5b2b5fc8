"""ASM-1: the engine answers, and is new enough.

Expected of the drive: Operations `health` (result.serving) and `system-info` (result.version).
"""

from __future__ import annotations

from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.contract.versions import numbers
from harness.journal.records import Ending, Operation

UNHEALTHY: Final = "engine is not serving"
OLD: Final = "engine is too old"
ASKED: Final = ("health", "system-info")


def engine_can_be_operated(evidence: Evidence) -> Finding:
    """ADR, Assumptions: "Temporal cluster can be deployed and operated within VHP infrastructure".

    The health check and the system information of the frontend answer, and the version is not
    below `engine_version_min`: worker deployments need 1.29.1.
    """
    ops = {op.name: op for op in evidence.of(Operation) if op.name in ASKED}
    least = str(evidence.parameters.get("engine_version_min", "1.29.1"))
    broken = [
        Broken(UNHEALTHY, f"{op.name}: {op.status} {op.message}".strip())
        for op in ops.values()
        if op.ending is not Ending.OK or (op.name == "health" and not op.result["serving"])
    ]
    info = ops.get("system-info")
    version = str(info.result["version"]) if info and info.ending is Ending.OK else ""
    if version and numbers(version) < numbers(least):
        broken.append(Broken(OLD, f"{version} is older than {least}"))
    unasked = [name for name in ASKED if name not in ops]
    return conclude(
        (UNHEALTHY, OLD),
        broken,
        [f"not asked: {', '.join(unasked)}" if unasked else ""],
        f"the engine is serving, in version {version}",
        {"version": version, "least_version": least},
    )
