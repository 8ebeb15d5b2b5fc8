"""Mutants of determinism."""

from __future__ import annotations

from typing import Any, Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import STUCK, broken_worker, replayed

RECORDED_OTHERWISE: Final = {"INV-DET-2": "the recorded runs had another input"}


def _read(name: str, module: str, clause: str, defect: str, **fields: Any) -> Mutant:
    """Code that breaks a static rule: it is read, and nothing is started."""
    return Mutant(
        name=name,
        expected=("INV-DET-5",),
        clause=clause,
        defect=defect,
        breakage=replayed(module),
        **fields,
    )


def _deaf(
    name: str, detector: str, defect: str, clause: str = "a sown defect was missed"
) -> Mutant:
    """A detector of our own that fails: only what is sown for it can show that."""
    return Mutant(
        name=name,
        expected=("INV-DET-8",),
        clause=clause,
        defect=defect,
        breakage=Breakage(detectors=(detector,)),
        forked=False,
    )


MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="hash-in-input",
        expected=("INV-DET-3",),
        defect="The deployed code gives activities a hash, which each process makes anew.",
        breakage=replayed("hash_in_input"),
        cases=("plain",),
        collateral=RECORDED_OTHERWISE,
    ),
    Mutant(
        name="local-time-in-input",
        expected=("INV-DET-3",),
        defect="The deployed code gives activities the local hour of an instant.",
        breakage=replayed("zone_in_input"),
        cases=("plain",),
        collateral=RECORDED_OTHERWISE,
    ),
    Mutant(
        name="taken-over",
        expected=("INV-DET-4", "INV-DET-7"),
        defect="Workflow code looks at whether another process began it.",
        breakage=broken_worker("taken-over"),
        cases=("restarted-*",),
        parameters=STUCK,
    ),
    Mutant(
        name="problems-reported",
        expected=("INV-DET-7",),
        clause="a run reports problems",
        defect="Workflow code fails again and again, and the engine says so in visibility.",
        breakage=Breakage(
            worker=broken_worker("hash-seed").worker,
            engine={"system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": 2},
        ),
        forked=False,
        cases=("restarted-*",),
        parameters=STUCK,
        collateral={"INV-DET-4": "a run that is stuck does not go on after a restart"},
    ),
    Mutant(
        name="hash-seed",
        expected=("INV-DET-4",),
        defect="Workflow code looks at a hash that differs from process to process.",
        breakage=broken_worker("hash-seed"),
        forked=False,
        cases=("plain", "timers", "signals"),
        parameters=STUCK,
    ),
    _read(
        "chance-in-a-helper", "by_chance", "chance",
        "A helper of the workflow code throws dice.",
    ),
    _read(
        "clock-read", "by_clock", "the machine's clock",
        "The workflow code asks what time it is.",
    ),
    _read(
        "variable-read", "by_environment", "the process's environment",
        "The workflow code asks for a variable of its process.",
    ),
    _read("file-read", "by_file", "files or programs", "The workflow code reads a file."),
    _read(
        "thread-started", "by_thread", "threads or processes",
        "The workflow code has a thread work for it.",
    ),
    _read(
        "network-used", "asks_itself", "the network",
        "The workflow code opens a connection.",
        collateral={
            "INV-PDP-13": "by such a connection a PDP is asked",
            "INV-DET-6": "the client passes through the sandbox",
        },
    ),
    _read(
        "client-imported",
        "client_beside",
        "a client of the network beside the workflow",
        "The module of the workflow imports a client of the network that nothing in it needs.",
    ),
    _read(
        "first-task-taken", "by_first_done", "asyncio that is not deterministic",
        "The workflow code takes tasks in the order in which asyncio finds them done.",
    ),
    _read(
        "set-iterated", "by_set_order", "the order of a set",
        "The workflow code walks through a set of words.",
    ),
    _read(
        "hash-taken", "by_hash", "a hash or an address",
        "The workflow code looks at the hash of a word.",
    ),
    _read(
        "module-counts", "by_count", "state of a module",
        "The workflow code counts in a dict of its module.",
    ),
    _read(
        "timer-not-awaited", "not_awaited", "a coroutine that is not awaited",
        "The workflow code makes a timer and does not await it.",
    ),
    Mutant(
        name="runner-without-sandbox",
        expected=("INV-DET-6",),
        clause="a worker without sandbox",
        defect="The worker runs its workflows outside the sandbox.",
        breakage=Breakage(setup="scenarios.mutants.setups.unsandboxed"),
    ),
    Mutant(
        name="workflow-opts-out",
        expected=("INV-DET-6",),
        clause="a workflow outside the sandbox",
        defect="The workflow is declared to run outside the sandbox.",
        breakage=replayed("unsandboxed"),
    ),
    Mutant(
        name="section-unrestricted",
        expected=("INV-DET-6",),
        clause="a section without restrictions",
        defect="The workflow code lifts the restrictions for a section.",
        breakage=replayed("unrestricted"),
    ),
    Mutant(
        name="module-passes-unreviewed",
        expected=("INV-DET-6",),
        clause="a module that passes through unreviewed",
        defect="The workflow code lets a module through the sandbox that nobody has reviewed.",
        breakage=replayed("passes_through"),
    ),
    _deaf("rule-forgotten", "source:set-order", "The scan does not look for sets."),
    _deaf("attribute-forgotten", "strict:result", "Strict replay does not compare results."),
    _deaf(
        "hash-seed-not-varied", "surroundings:PYTHONHASHSEED",
        "All surroundings have the same seed of hashes.",
    ),
    _deaf(
        "sound-code-forbidden", "source:+temporalio.workflow.now",
        "The scan takes the workflow's own clock for the machine's.",
        clause="something sound raised an alarm",
    ),
    Mutant(
        name="open-runs-stranded",
        expected=("INV-VER-2",),
        defect="The new build takes steps in another order than runs that are open, and kept ones.",
        breakage=replayed("steps_swapped"),
        cases=("open",),
    ),
    Mutant(
        name="patch-removed-early",
        expected=("INV-VER-3",),
        defect="The new build has removed a patch whose marker an open run holds.",
        breakage=replayed("patch_removed"),
    ),
    Mutant(
        name="patch-used-twice",
        expected=("INV-VER-3",),
        clause="a patch id stands for two things",
        defect="The new build uses the id of a patch for another change.",
        breakage=replayed("patch_doubled"),
    ),
)  # fmt: skip
