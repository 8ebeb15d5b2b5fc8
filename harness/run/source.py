"""Reading the platform's workflow code, for the assertions that it decides, alone or not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.journal.records import Part, Subject, now
from harness.platform.platform import Platform
from harness.run.conduct import timed
from harness.run.request import Request
from harness.source import scan
from harness.source.seeds import sown
from harness.source.setup import entry_of

SCANNED: Final = frozenset({"INV-PDP-13", "INV-DET-5", "INV-DET-6", "INV-VER-3"})
SOWN: Final = frozenset({"INV-DET-8"})
# what can be judged without any drive: no platform is started for these
ALONE: Final = SCANNED | SOWN


def suffices(request: Request) -> bool:
    """Whether all that is asked can be judged by reading."""
    return bool(request.asked) and set(request.asked) <= ALONE


def module_of(request: Request) -> str:
    """The module whose workflows are read and replayed; empty where the target names none."""
    return request.breakage.workflows or request.target.worker.workflows or ""


def record_worker(request: Request, platform: Platform) -> None:
    """Say whose code is read, where no worker is started that could say it itself."""
    language = request.target.worker.language or ""
    platform.record(Part(**now(), subject=Subject.WORKER, ours=request.ours, name=language))


def record_scan(request: Request, platform: Platform) -> None:
    """Read the workflow code, if an ID asks for it and the target says where it is."""
    module = module_of(request)
    if module and SCANNED & set(request.asked):
        worker = request.target.worker
        with timed(platform, "source: workflow code read"):
            platform.record(
                scan(
                    module,
                    Path(worker.cwd or "."),
                    setup=request.breakage.setup or entry_of(worker.command or ()),
                )
            )


def record_seeds(request: Request, platform: Platform) -> None:
    """Sow defects for the static rules, if an ID asks for it."""
    if not SOWN & set(request.asked):
        return
    broken = [each.removeprefix("source:") for each in request.breakage.detectors]
    with timed(platform, "source: defects sown"):
        for each in sown(
            without=[name for name in broken if not name.startswith("+")],
            also=[name[1:] for name in broken if name.startswith("+")],
        ):
            platform.record(each)
