"""The workflows that the reference worker serves."""

from __future__ import annotations

from scenarios.reference.noop import ReferenceNoop
from scenarios.reference.versioned import ReferenceVersioned
from scenarios.reference.workflow import ReferenceSaga

__all__ = ["ReferenceNoop", "ReferenceSaga", "ReferenceVersioned"]
