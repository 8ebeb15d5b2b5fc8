"""Mutants that only load or chaos brings out."""

from __future__ import annotations

from typing import Any, Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import broken_worker

# a limit of a start that leaves the generator room to be late, beside two other mutants
_ROOM: Final[dict[str, Any]] = {"start_p95_limit_ms": 800}
_SHORT_LOAD: Final = ("--rate", "4", "--duration", "20", "--idle", "0")
_SHORTER_LOAD: Final = ("--rate", "4", "--duration", "10", "--idle", "5")
_BEYOND: Final = {
    "SLO-START-1": "a search goes to rates that are not carried",
    "SLO-REL-1": "and does not wait for all that is left then",
}


def _throttled(name: str, mix: str, engine: dict[str, Any]) -> Mutant:
    """Reads of some kinds, six times as many as the engine lets through."""
    return Mutant(
        name=f"{name}-throttled",
        expected=("SLO-VIS-1",),
        defect=f"The engine answers few {name} a second in each namespace, and refuses the others.",
        breakage=Breakage(engine=engine),
        parameters={"visibility_volume": 0, **_ROOM},
        arm="load",
        profile="load",
        options=(
            *("--workload", "visibility", "--mix", mix),
            *("--rate", "40", "--duration", "10", "--idle", "0"),
        ),
    )


def _noop(name: str, defect: str) -> Mutant:
    """No-op activities, under a limit that two other mutants beside it do not break."""
    return Mutant(
        name=name,
        expected=("SLO-ACT-1",),
        defect=defect,
        breakage=broken_worker(name),
        parameters={**_ROOM, "activity_p95_limit_ms": 500},
        arm="load",
        profile="load",
        options=(
            *("--workload", "noop", "--mix", "noop=1"),
            *("--rate", "10", "--duration", "10", "--idle", "0"),
        ),
    )


MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="first-task-slow",
        expected=("SLO-START-1",),
        defect="The worker thinks for 1.5 s in the first workflow task of each saga.",
        breakage=broken_worker("first-task-slow"),
        parameters={"workflow_start_sli": "first_task_completed", **_ROOM},
        arm="load",
        profile="load",
        options=_SHORT_LOAD,
    ),
    Mutant(
        name="one-in-five-lost",
        expected=("SLO-REL-1",),
        defect="The worker gives one saga in five up, for no reason of the business.",
        breakage=broken_worker("one-in-five-lost"),
        parameters=_ROOM,
        arm="load",
        profile="load",
        options=_SHORT_LOAD,
    ),
    _throttled("reads", "describe=1,query=1", {"frontend.namespaceRPS": 10}),
    _throttled("histories", "history=1", {"frontend.namespaceRPS": 10}),
    _throttled("lists", "list=1,count=1", {"frontend.namespaceRPS.visibility": 3}),
    _noop("noop-slow", "The worker takes 1 s longer for each activity than it needs."),
    _noop("noop-slow-tail", "The worker takes 1 s longer for one activity in ten."),
    Mutant(
        name="one-in-five-probes-lost",
        expected=("SLO-AVL-1",),
        defect="The worker gives one probe in five up, for no reason of the business.",
        breakage=broken_worker("one-in-five-lost"),
        parameters=_ROOM,
        arm="load",
        profile="load",
        options=("--workload", "probe", "--rate", "1", "--duration", "30", "--idle", "0"),
        collateral={"SLO-REL-1": "a probe is a saga"},
    ),
    Mutant(
        name="records-fill-the-store",
        expected=("CAP-3",),
        defect="Each activity answers with the whole business record, which histories keep.",
        breakage=broken_worker("record-kept"),
        parameters=_ROOM,
        arm="load",
        profile="load",
        options=_SHORTER_LOAD,
    ),
    Mutant(
        name="records-fill-the-link",
        expected=("CAP-5",),
        defect="Each activity heartbeats with the whole business record, which no history keeps.",
        breakage=broken_worker("beats-its-record"),
        parameters=_ROOM,
        arm="load",
        profile="load",
        options=_SHORTER_LOAD,
    ),
    Mutant(
        name="spins",
        expected=("CAP-7",),
        defect="The worker keeps a core busy for 80 ms before each step, with nothing.",
        breakage=broken_worker("spins"),
        parameters={**_ROOM, "worker_cpu_most_ms": 200},
        arm="load",
        profile="load",
        options=("--rate", "2", "--duration", "18", "--idle", "0"),
    ),
    Mutant(
        name="carries-little",
        expected=("CAP-1",),
        defect="Steps wait for their turn, 0.05 s each, so that five sagas a second are carried.",
        breakage=broken_worker("one-at-a-time"),
        parameters={**_ROOM, "workflows_per_day": 75_000, "cpu_full_share": 1.0},
        arm="capacity",
        profile="load",
        options=("--start", "8", "--max-rate", "8", "--budget", "160"),
        collateral=_BEYOND,
    ),
    Mutant(
        name="two-carry-no-more",
        expected=("DUR-10",),
        defect="Steps wait for their turn, in whichever process, so that two carry no more.",
        breakage=broken_worker("one-at-a-time-anywhere"),
        parameters={**_ROOM, "cpu_full_share": 1.0},
        arm="capacity",
        profile="load",
        options=("--start", "4", "--max-rate", "4", "--budget", "300", "--workers", "1,2"),
        collateral=_BEYOND,
    ),
    Mutant(
        name="asks-without-pause",
        expected=("CAP-5",),
        defect="The worker asks the engine for all namespaces again and again, also while idle.",
        breakage=broken_worker("asks-without-pause"),
        parameters={**_ROOM, "grpc_gb_per_day": 0.3},
        arm="load",
        profile="load",
        options=_SHORTER_LOAD,
    ),
    Mutant(
        name="dies-with-the-link",
        expected=("DUR-2",),
        defect="The worker ends when it loses its link to the engine, and nobody starts it again.",
        breakage=broken_worker("dies-with-the-link"),
        parameters={"horizon_s": 20},
        arm="chaos",
        profile="chaos",
    ),
)
