"""CAP-2: closed runs are kept for 90 days, and deleted then.

Expected of the drive: an Operation `namespace` for each tenant whose result has `retention_s`, one
`closed-before` that counts the runs closed longer ago than that (`result.count`, `args.days`), and
`short-retention`: a run in a namespace of ours, closed, and asked for until it was gone, with the
slowest of the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Operation

DIFFERS: Final = "retention is not as promised"
OUTLIVES: Final = "closed run outlives its retention"
AT_EASE_S: Final = 0.5
_DAY_S: Final = 86_400


def closed_runs_are_kept_as_long_as_promised(evidence: Evidence) -> Finding:
    """ADR, Capacity & Costs: "Workflow history stored in Temporal cluster; retention policy: 90
    days".

    Each tenant's namespace has exactly the declared retention, and no run in it was closed a day
    longer ago than that. Where a namespace of ours may have a retention of a second, a closed run
    in it is gone soon after; where the engine allows none so short, the reason says that deletion
    was not shown. That nothing is deleted sooner cannot be seen in minutes.
    """
    days = float(evidence.parameters.get("retention_days", 90))
    ops = [op for op in evidence.of(Operation) if op.name in NAMES]
    kept_s = {
        op.tenant: float(op.result["retention_s"])
        for op in ops
        if op.name == "namespace" and op.ending is Ending.OK and op.result
    }
    asked = {op.tenant for op in ops if op.name == "namespace"}
    older = [op for op in ops if op.name == "closed-before" and op.ending is Ending.OK]
    probes = [op for op in ops if op.name == "short-retention"]
    broken = [
        Broken(DIFFERS, f"{tenant}: {seconds / _DAY_S:g} days, not {days:g}")
        for tenant, seconds in sorted(kept_s.items())
        if seconds != days * _DAY_S
    ]
    broken += _outliving(older, probes)
    unseen = sorted(asked - set(kept_s))
    deletion = _deletion(probes)
    stayed = [op for op in probes if op.ending is Ending.OK and not op.result["gone"]]
    return conclude(
        (DIFFERS, OUTLIVES),
        broken,
        [
            "" if asked else "no namespace was described",
            deletion if any(map(_starved, stayed)) else "",
            f"the retention of {', '.join(unseen)} is not known" if unseen else "",
        ],
        f"all {len(kept_s)} namespaces keep closed runs for {days:g} days; {deletion}",
        {
            "declared_days": days,
            "days_by_tenant": {each: kept_s[each] / _DAY_S for each in sorted(kept_s)},
            "runs_closed_longer_ago": sum(int(op.result["count"]) for op in older),
            "deletion": deletion,
        },
    )


NAMES: Final = ("namespace", "closed-before", "short-retention")


def _outliving(older: Sequence[Operation], probes: Sequence[Operation]) -> Iterator[Broken]:
    for op in older:
        if int(op.result["count"]):
            longer = f"over {op.args['days']:g} days ago"
            text = f"{op.tenant}: {op.result['count']} runs were closed {longer}"
            yield Broken(OUTLIVES, text)
    for op in probes:
        if op.ending is Ending.OK and not op.result["gone"] and not _starved(op):
            text = (
                f"a run is there {op.result['seconds']:g} s after it was closed, with a retention "
                f"of {op.args['retention_s']:g} s"
            )
            yield Broken(OUTLIVES, text)


def _starved(probe: Operation) -> bool:
    """Whether the engine was too slow to be blamed for a late deletion."""
    return float(probe.result["slowest_s"]) > AT_EASE_S


def _deletion(probes: Sequence[Operation]) -> str:
    """What was shown of deletion."""
    shown = [op for op in probes if op.ending is Ending.OK and op.result["gone"]]
    if shown:
        seconds: Any = shown[0].result["seconds"]
        return (
            f"with a retention of {shown[0].args['retention_s']:g} s a closed run was gone "
            f"after {seconds:g} s"
        )
    why = next((f": {op.message}" for op in probes if op.ending is not Ending.OK), "")
    if any(op.ending is Ending.OK and _starved(op) for op in probes):
        why = ": the engine took seconds for its answers"
    return f"that the engine deletes what is older was not shown{why}"
