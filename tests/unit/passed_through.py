"""What a workflow lets through the sandbox: here nothing is restricted, and state is kept."""

from __future__ import annotations

import random
from itertools import count

NUMBERS = count(100)
CHANCE = random.Random()


def chance() -> float:
    """Another number each time."""
    return CHANCE.random()
