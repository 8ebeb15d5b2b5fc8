"""The workflows that the reference worker serves."""

from __future__ import annotations

from scenarios.reference.versioned import ReferenceVersioned
from scenarios.reference.workflow import ReferenceSaga

__all__ = ["ReferenceSaga", "ReferenceVersioned"]
