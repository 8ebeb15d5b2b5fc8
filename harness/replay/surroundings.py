"""What a replay is perturbed by: surroundings that must not matter to workflow code.

Each row is a process. What is varied: the seed of hashes, time zone, locale, variables, arguments,
working directory, import order, the order of the histories, the number of cores. The machine's
clock is not set back or forth, for that needs privileges; yet every replay has another time than
its recorded run. Addresses (`id()`) differ from process to process by themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import locale
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VARIED: Final = (
    "hash_seed", "time_zone", "locale", "variables", "arguments", "folder", "imports", "order",
    "cores",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """How one process is started: `variables` and `arguments` from outside, the rest by itself.

    `cores` 0 means all there are, and of `locales` the first that the machine has is taken.
    `backwards` imports the project's modules and replays the
    histories in the reverse order; `away` works in another folder.
    """

    name: str
    variables: dict[str, str]
    arguments: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    cores: int = 0
    backwards: bool = False
    away: bool = False


TABLE: Final = (
    Surroundings(
        name="east",
        variables={
            "PYTHONHASHSEED": "1",
            "TZ": "EAST-13:45",
            "LC_ALL": "C.UTF-8",
            "LANG": "C.UTF-8",
            "USER": "east",
            "HOSTNAME": "east.example",
        },
        cores=1,
    ),
    Surroundings(
        name="west",
        variables={
            "PYTHONHASHSEED": "4711",
            "TZ": "WEST11:30",
            "LC_ALL": "C",
            "LANG": "C",
            # files that the code reads when it is imported are still UTF-8
            "PYTHONUTF8": "1",
            "PYTHONCOERCECLOCALE": "0",
            "USER": "west",
            "HOSTNAME": "west.example",
            **{f"SURROUNDINGS_{number}": "west" * number for number in range(20)},
        },
        arguments=("--further", "west"),
        locales=("tr_TR.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8"),
        backwards=True,
        away=True,
    ),
)
BY_NAME: Final = {each.name: each for each in TABLE}


def command(around: Surroundings) -> list[str]:
    """The interpreter, started anew: a forked one would share its parent's seed of hashes.

    Modules of the folder that it is started in do not hide the harness's (`-P`).
    """
    return [sys.executable, "-P", "-X", f"surroundings={around.name}", "-m"]


def enter(around: Surroundings) -> None:
    """Take on what a process can change of itself; before the workflow code is imported."""
    sys.argv[1:] = around.arguments
    for name in around.locales:
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, name)
            break
    if around.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: around.cores])


def import_backwards(modules: Sequence[str]) -> None:
    """Import the project's modules in the reverse order; those that mind are imported later."""
    for name in sorted(modules, reverse=True):
        with contextlib.suppress(Exception, SystemExit):
            importlib.import_module(name)


def seen(around: Surroundings | None, folder: Path) -> dict[str, str]:
    """What this process finds around it, as text: what was varied and not what was asked for."""
    variables = "\n".join(f"{name}={value}" for name, value in sorted(os.environ.items()))
    return {
        "hash_seed": str(hash("surroundings") & 0xFFFFFFFF),
        "time_zone": f"{time.tzname[0]}{-time.timezone:+d}s",
        "locale": f"{locale.setlocale(locale.LC_ALL)} {locale.getpreferredencoding(False)}",
        "variables": f"{len(os.environ)}, {hashlib.sha256(variables.encode()).hexdigest()[:8]}",
        "arguments": str(len(sys.argv) - 1),
        "folder": "another" if Path.cwd() != folder.resolve() else "the project's",
        "imports": "backwards" if around and around.backwards else "as the code says",
        "order": "backwards" if around and around.backwards else "by name",
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0),
    }
