"""Replaying a trial's histories in processes of their own, in the usual surroundings and others."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.errors import DriveError, UnavailableError
from harness.platform.child import Child, Children
from harness.platform.platform import Platform
from harness.replay.surroundings import TABLE, Surroundings, command
from harness.run.conduct import timed
from harness.run.request import Request
from harness.run.source import module_of
from harness.source.modules import Project
from harness.source.setup import Setup
from harness.target.model import environment
from harness.trial import Trial

DEADLINE_S: Final = 300.0
PARTS: Final = 2  # processes that replay side by side
SAMPLE: Final = 32  # histories that are replayed in each of the other surroundings
STRICT: Final = frozenset({"INV-DET-1", "INV-DET-2"})
PERTURBED: Final = frozenset({"INV-DET-3"})
OLD: Final = frozenset({"INV-VER-2"})
SOWN: Final = frozenset({"INV-DET-8"})
REPLAYED: Final = STRICT | PERTURBED | OLD | SOWN


async def record_replays(
    request: Request, platform: Platform, trial: Trial, children: Children
) -> dict[str, str]:
    """Replay the recorded histories, if an ID asks for it; says what could not be done."""
    asked = REPLAYED & set(request.asked)
    if not asked:
        return {}
    request.progress("replaying histories")
    if not module_of(request):  # what is strict can be had over the wire
        if request.target.worker.language not in (None, "python"):
            return {}  # not applicable, as the check itself says
        why = "the target names no worker.workflows, the Python module to replay"
        return dict.fromkeys(sorted(asked & PERTURBED), why)
    with timed(platform, "replay: stock, strict, perturbed"):
        parts = [_usual(request, trial, children, part) for part in range(PARTS)]
        if asked & (PERTURBED | SOWN):
            parts += [_perturbed(request, trial, children, around) for around in TABLE]
        whys = [why for why in await asyncio.gather(*parts) if why]
    return dict.fromkeys(sorted(asked), whys[0]) if whys else {}


async def _usual(request: Request, trial: Trial, children: Children, part: int) -> str:
    """Replay one part of the histories; says why it could not be done."""
    child = await children.start(
        f"replay-{part}",
        [
            *(sys.executable, "-m"),
            *_options(request, trial),
            *("--part", str(part), "--parts", str(PARTS)),
            *(["--seeds"] if part == 0 and SOWN & set(request.asked) else []),
            *("--blind", *_broken(request, "strict")),
        ],
        env={
            **environment(request.target.worker, os.environ),
            **dict.fromkeys(_broken(request, "surroundings"), "0"),
        },
    )
    return await _ended(child)


async def _perturbed(
    request: Request, trial: Trial, children: Children, around: Surroundings
) -> str:
    """Replay a sample in other surroundings; says why it could not be done."""
    child = await children.start(
        f"replay-{around.name}",
        [
            *command(around),
            *_options(request, trial),
            *("--surroundings", around.name),
            *("--sample", str(SAMPLE if PERTURBED & set(request.asked) else 0)),
            *(["--seeds"] if SOWN & set(request.asked) else []),
            *("--modules", *_modules(request)),
        ],
        env={
            **environment(request.target.worker, os.environ),
            **around.variables,
            **dict.fromkeys(_broken(request, "surroundings"), "0"),
        },
    )
    return await _ended(child)


def _broken(request: Request, detector: str) -> list[str]:
    """What of a detector is broken on purpose."""
    named = (each.partition(":") for each in request.breakage.detectors)
    return [what for name, _, what in named if name == detector]


def _modes(request: Request) -> list[str]:
    asked = set(request.asked)
    modes = ["strict"] if asked & (STRICT | PERTURBED) else []
    return modes + (["open", "kept"] if asked & OLD else [])


def _options(request: Request, trial: Trial) -> Sequence[str]:
    return (
        "harness.replay",
        "--trial",
        str(trial.folder.resolve()),
        "--trial-id",
        trial.id,
        "--workflows",
        module_of(request),
        "--folder",
        request.target.worker.cwd or ".",
        "--modes",
        *_modes(request),
    )


def _modules(request: Request) -> list[str]:
    """The project's own modules that the workflow code imports."""
    project = Project(Path(request.target.worker.cwd or ".").absolute())
    return [module.name for module in Setup(project, module_of(request)).modules]


async def _ended(child: Child) -> str:
    code = await child.wait(DEADLINE_S)
    if code == UnavailableError.exit_code:
        return child.lines[-1] if child.lines else "no replay"
    if code is None:
        raise DriveError(f"{child.role} did not end within {DEADLINE_S:g} s{child.tail()}")
    if code:
        raise DriveError(f"{child.role} ended with {code}{child.tail()}")
    return ""
