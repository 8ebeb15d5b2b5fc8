"""A worker that does not survive the loss of its link to the engine."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from scenarios.reference import activities
from scenarios.reference.activities import Outside, Perform

LOOKS_EVERY_S = 0.3


def dying_with_the_link(outside: Outside, perform: Perform) -> Sequence[Callable[..., Any]]:
    """The activities as they are, in a process that ends when the engine cannot be reached."""
    threading.Thread(target=_watch, daemon=True).start()
    return activities.build(outside, perform)


def _watch() -> None:
    host, _, port = os.environ["TEMPORAL_ADDRESS"].rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError:
            os._exit(1)
        time.sleep(LOOKS_EVERY_S)
