"""`python -m scenarios.load.flood`: one tenant floods, in blocks. No Locust file, as nobody's
latency is measured here; `harness load --workload neighbours` starts it.
"""

from __future__ import annotations

from harness.load.flood import Arguments, flood
from scenarios.load.operations import four_steps, nothing, waits

if __name__ == "__main__":
    flood(Arguments(nothing=nothing, waits=waits, steps=four_steps))
