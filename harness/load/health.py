"""How well the generator itself is: what it measures is worth no more than that."""

from __future__ import annotations

import gc
import os
import time
from array import array
from collections.abc import Iterable
from typing import Literal

from harness.statistics import percentile


class Stalls:
    """How much later than asked the event loop woke up, each time."""

    def __init__(self) -> None:
        self._all_ns = array("q")
        self._window_ns = 0

    def add(self, stalls_ns: Iterable[int]) -> None:
        """Take what was measured."""
        for each in stalls_ns:
            self._all_ns.append(each)
            self._window_ns = max(self._window_ns, each)

    def worst_ns(self) -> int:
        """The longest one since last asked."""
        worst, self._window_ns = self._window_ns, 0
        return worst

    @property
    def p99_ns(self) -> int:
        """The 99th percentile of all."""
        return percentile(sorted(self._all_ns), 0.99) if self._all_ns else 0

    @property
    def max_ns(self) -> int:
        """The longest of all."""
        return max(self._all_ns, default=0)


class Collections:
    """The pauses of the garbage collector, from when it is made until `close`."""

    def __init__(self) -> None:
        self.max_ns = 0
        self.total_ns = 0
        self._began_ns = 0
        gc.callbacks.append(self._told)

    def close(self) -> None:
        """Listen no more."""
        gc.callbacks.remove(self._told)

    def _told(self, phase: Literal["start", "stop"], _: dict[str, int]) -> None:
        if phase == "start":
            self._began_ns = time.monotonic_ns()
        elif self._began_ns:
            pause_ns = time.monotonic_ns() - self._began_ns
            self.total_ns += pause_ns
            self.max_ns = max(self.max_ns, pause_ns)


class Cpu:
    """The share of one core that this process used, since last asked or from the beginning."""

    def __init__(self) -> None:
        self._begin = self._last = _used_and_passed()

    def share(self, *, whole: bool = False) -> float:
        """1.0 is a whole core."""
        used, passed = _used_and_passed()
        since_used, since_passed = self._begin if whole else self._last
        if not whole:
            self._last = used, passed
        return (used - since_used) / max(passed - since_passed, 1e-9)


def _used_and_passed() -> tuple[float, float]:
    times = os.times()
    return times.user + times.system, time.monotonic()
