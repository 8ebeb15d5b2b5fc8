"""Clauses of checks that no mutant can turn red, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

UNKILLED: Final[Mapping[str, Mapping[str, str]]] = {}
