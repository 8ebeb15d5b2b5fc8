"""The program `toxiproxy-server`: from PATH, else built once into the tool cache."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from harness.errors import UnavailableError
from harness.tools.cache import cache_folder
from harness.tools.command import Progress, complete
from harness.tools.go import build

VERSION: Final = (2, 12, 0)
PROGRAM: Final = "toxiproxy-server"

_DOTTED = ".".join(map(str, VERSION))
_MODULE = "github.com/Shopify/toxiproxy/v2"
_ANSWER_S = 10.0


def find_toxiproxy(progress: Progress) -> Path:
    """A `toxiproxy-server` of major 2 that is 2.12.0 or newer.

    The one on PATH if there is one; else 2.12.0, built by the Go toolchain on first use. Raises
    `UnavailableError` if the one on PATH is of another version, or if there is none and it
    cannot be built.
    """
    if on_path := shutil.which(PROGRAM):
        return _accepted(Path(on_path).absolute())
    built = _built()
    build(
        f"{_MODULE}/cmd/server@v{_DOTTED}",
        into=built,
        ldflags=f"-X {_MODULE}.Version={_DOTTED}",
        works=lambda path: _version(path) == VERSION,
        progress=progress,
    )
    return built


def known_toxiproxy() -> Path | None:
    """The one that a run would use now without building; None if there is none yet."""
    on_path = shutil.which(PROGRAM)
    if on_path:
        return Path(on_path)
    return _built() if _built().exists() else None


def _built() -> Path:
    return cache_folder() / f"toxiproxy-{_DOTTED}" / PROGRAM


def _accepted(path: Path) -> Path:
    version = _version(path)
    if version is not None and version[0] == VERSION[0] and version >= VERSION:
        return path
    shown = ".".join(map(str, version)) if version else "of a version that it does not tell"
    raise UnavailableError(
        f"{path} is {shown}: install Toxiproxy {_DOTTED} or a newer {VERSION[0]}.x, "
        "or take it off PATH and the harness builds its own"
    )


def _version(path: Path) -> tuple[int, ...] | None:
    """What `-version` says; None if the program is missing, broken or does not say."""
    try:
        text = complete(
            [path, "-version"], doing=f"asking {path} for its version", deadline_s=_ANSWER_S
        )
    except UnavailableError:
        return None
    found = re.search(r"\bversion v?(\d+)\.(\d+)\.(\d+)\b", text)
    return tuple(map(int, found.groups())) if found else None
