"""SLO-START-1: how long the start of a workflow takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.slo.latency import Limit, judge_latency
from harness.checks.slo.load import STARTS, Load, Unfit, worst_of_runs
from harness.checks.slo.telling import PERCENTILE, at, ms, ordered
from harness.statistics import percentile_rank

FIRST_TASK: Final = "first_task_completed"
COLUMN_OF: Final = {
    "start_rpc_first_attempt": "first_attempt_ns",
    "user_perceived": "answered_ns",
    FIRST_TASK: "first_task_ns",
}


def start_latency(evidence: Evidence) -> Finding:
    """'Workflow Execution Latency p95: ≤ 100ms for workflow start'.

    From the intended time of each start, so that a platform that stalls cannot hide; a start that
    was never acknowledged, or could not be sent, took for ever. Which acknowledgement is meant is
    the parameter `workflow_start_sli`. The warm-up is cut.
    """
    return worst_of_runs(evidence, STARTS, judge_starts)


def judge_starts(load: Load, parameters: Mapping[str, Any]) -> Finding:
    """The same of one load run; raises `Unfit` for one that cannot be judged."""
    sli = parameters["workflow_start_sli"]
    if sli == FIRST_TASK and not load.samples.origin.follows_first_task:
        raise Unfit("the first workflow tasks were not followed in this run")
    limit = Limit(
        what=f"starts ({sli})",
        limit_ms=parameters["start_p95_limit_ms"],
        confidence=parameters["confidence"],
    )
    return judge_latency(load, COLUMN_OF[sli], limit, {"sli": sli, **_other_slis(load, sli)})


def _other_slis(load: Load, sli: str) -> dict[str, float | None]:
    """The p95 of the other meanings of a start, as far as they were measured."""
    judged = load.after_warmup & load.due
    p95 = {}
    for name, column in COLUMN_OF.items():
        if name == sli or (name == FIRST_TASK and not load.samples.origin.follows_first_task):
            continue
        values = ordered(load.latencies(column)[judged])
        p95[f"{name}_p95_ms"] = (
            ms(at(values, percentile_rank(len(values), PERCENTILE))) if len(values) else None
        )
    return p95
