"""What `by_chance` does not do itself."""

from __future__ import annotations

import random


def waits() -> bool:
    """Whether to wait this time."""
    return random.random() < 0.5
