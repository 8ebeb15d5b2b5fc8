"""Parts that do what the contract asks in another way: checks must stay green on them."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import broken_exporter, broken_worker, replayed, rolled_out

_WORKER: Final = ("INV-PDP-1", "INV-PDP-2", "INV-PDP-4", "INV-IDEM-4", "DUR-5")
_EXPORTER: Final = (
    *(f"INV-AUD-{number}" for number in (1, 2, 4, 5, 6, 7, 8, 9)),
    *(f"EVT-{number}" for number in range(1, 14)),
)

EQUIVALENTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="every-service-slow",
        expected=(),  # the whole profile
        defect="PDP, services and audit sink take more than five times as long, and are in time.",
        breakage=Breakage(doubles=("slow-answers",)),
        equivalent=True,
        never_red_suffices=True,
    ),
    Mutant(
        name="other-habits",
        expected=(*_WORKER, "INV-PDP-3", "INV-ISO-8"),
        defect="The worker writes headers in lower case and more members, and keeps no connection.",
        breakage=broken_worker("other-habits"),
        equivalent=True,
    ),
    Mutant(
        name="slower-in-time",
        expected=_WORKER,
        defect="The worker takes half a second for each attempt.",
        breakage=broken_worker("slower-in-time"),
        equivalent=True,
    ),
    Mutant(
        name="timer-before-steps",
        expected=("INV-DET-1", "INV-DET-2", "INV-DET-4", "DUR-5"),
        defect="The workflow code has a timer before each step, and always had.",
        breakage=Breakage(
            worker=broken_worker("timer-before-steps").worker,
            rolled_out=broken_worker("timer-before-steps").worker,
            workflows=replayed("step_slept_before").workflows,
        ),
        collateral={"INV-VER-2": "the kept histories are of code that had no timers"},
        equivalent=True,
    ),
    Mutant(
        name="patch-deprecated-in-time",
        expected=("INV-VER-3",),
        defect="The new build deprecates a patch that every open run has the marker of.",
        breakage=replayed("patch_deprecated"),
        equivalent=True,
    ),
    Mutant(
        name="four-partitions",
        expected=("INV-ISO-6", "INV-ISO-7", "INV-ISO-8"),
        defect="The engine has four partitions for each task queue.",
        breakage=Breakage(
            engine={
                "matching.numTaskqueueReadPartitions": 4,
                "matching.numTaskqueueWritePartitions": 4,
            }
        ),
        equivalent=True,
    ),
    Mutant(
        name="other-commands-next-major",
        expected=("CMP-2",),
        defect="The next build takes other commands and has another major number.",
        breakage=Breakage(
            rolled_out=rolled_out("other-commands").rolled_out, build_ids=("1.0.0", "2.0.0")
        ),
        equivalent=True,
    ),
    Mutant(
        name="binary-mode",
        expected=_EXPORTER,
        defect="Events come in binary mode.",
        breakage=broken_exporter("binary-mode"),
        equivalent=True,
    ),
    Mutant(
        name="prefixed-batches",
        expected=_EXPORTER,
        defect="Events come in batches, with the declared prefix and one more attribute.",
        breakage=broken_exporter("prefixed-batches"),
        parameters={"event_type_prefix": "com.example."},
        equivalent=True,
    ),
    Mutant(
        name="twice-in-any-order",
        expected=_EXPORTER,
        defect="Each event is delivered twice, the second time after the next one of its run.",
        breakage=broken_exporter("twice-in-any-order"),
        equivalent=True,
    ),
    Mutant(
        name="sequence-counted-anew",
        expected=_EXPORTER,
        defect="The sequence has steps of seven and no leading zeros.",
        breakage=broken_exporter("sequence-counted-anew"),
        equivalent=True,
    ),
    Mutant(
        name="slow-exporter",
        expected=_EXPORTER,
        defect="Each delivery of an event takes a quarter of a second.",
        breakage=broken_exporter("slower-in-time"),
        equivalent=True,
    ),
)
