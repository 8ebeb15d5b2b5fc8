"""What workflow code has others do that must not throw dice itself."""

from __future__ import annotations

import random


def waits() -> bool:
    """Whether to wait this time."""
    return random.random() < 0.5


def number() -> str:
    """A number that nobody knows beforehand."""
    return str(random.randrange(10**6))
