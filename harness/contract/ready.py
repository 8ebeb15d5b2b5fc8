"""The line by which a process says that it is ready: CONTRACT.md §1."""

from __future__ import annotations

from typing import Final

READY: Final = "HARNESS-READY "
