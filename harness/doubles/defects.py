"""Deliberate defects of the doubles: the mutants that break the instruments or our services."""

from __future__ import annotations

import enum


class Defect(enum.StrEnum):
    """Each is one thing that a service of a platform might do wrong."""

    FRESH_RESULT = "services-fresh-result"  # a suppressed duplicate gets a different result
    NO_DEDUPE = "services-no-dedupe"  # every request is applied, whatever its key
