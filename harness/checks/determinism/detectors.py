"""INV-DET-8: whether the detectors named what was sown for them in this trial."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.determinism.code import other_language
from harness.checks.determinism.surroundings import disagreement
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Replay, Seed

MISSED: Final = "a sown defect was missed"
FALSE_ALARM: Final = "something sound raised an alarm"
PERTURBED: Final = "surroundings"
# how many defects each detector must have been tried on, and how many sound things
LEAST: Final = {"source": (16, 5), "stock": (2, 0), "strict": (4, 2), PERTURBED: (5, 1)}


def detectors_are_proven(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    In this trial one defect was sown for each static rule, each kind of difference of a replay and
    each thing that surroundings vary, and sound code beside them: the detectors named every defect
    and nothing sound.
    """
    return other_language(evidence) or _judged(evidence)


def _judged(evidence: Evidence) -> Finding:
    seeds = [*evidence.of(Seed), *_around(evidence)]
    broken = [
        Broken(MISSED, f"{each.detector}: {each.name}")
        for each in seeds
        if not each.sound and not each.alarmed
    ]
    broken += [
        Broken(FALSE_ALARM, f"{each.detector}: {each.name}: {each.said}")
        for each in seeds
        if each.sound and each.alarmed
    ]
    sown = Counter((each.detector, each.sound) for each in seeds)
    lacks = [
        f"{detector} was tried on {sown[detector, False]} defects and {sown[detector, True]} "
        f"sound things, {defects} and {sound} are the least"
        for detector, (defects, sound) in LEAST.items()
        if sown[detector, False] < defects or sown[detector, True] < sound
    ]
    caught = sum(each.alarmed for each in seeds if not each.sound)
    defects = sum(not each.sound for each in seeds)
    figures = {
        "defects_sown": defects,
        "defects_named": caught,
        "sound_sown": len(seeds) - defects,
        "by_detector": {name: sown[name, False] for name in LEAST},
    }
    kept = f"all {defects} sown defects were named, and none of {len(seeds) - defects} sound things"
    return conclude((MISSED, FALSE_ALARM), broken, lacks, kept, figures)


def _around(evidence: Evidence) -> Iterator[Seed]:
    """What the comparison between surroundings says of the versions that depend on them."""
    by_name: dict[tuple[str, bool], list[Replay]] = defaultdict(list)
    for each in evidence.of(Replay):
        if each.mode in ("seed", "sound"):
            by_name[each.workflow_id, each.mode == "sound"].append(each)
    for (name, sound), replays in by_name.items():
        if len(replays) > 1:
            said = disagreement(replays)
            yield Seed(
                at_ns=replays[0].at_ns,
                wall_ns=replays[0].wall_ns,
                detector=PERTURBED,
                name=name,
                sound=sound,
                alarmed=bool(said),
                said=said,
            )
