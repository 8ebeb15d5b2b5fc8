"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# how long an example takes is the machine's affair: speed is measured in benchmarks
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
