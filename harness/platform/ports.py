"""Free ports on the loopback interface."""

from __future__ import annotations

import contextlib
import random
import socket
from typing import Final

from harness.errors import UnavailableError

# below those that systems give to outgoing connections, which else take a port before its server
RANGE: Final = range(20_000, 32_000)
TRIES: Final = 1000


def free_ports(count: int) -> list[int]:
    """That many different ports that nothing listens on at this moment.

    Raises `UnavailableError` if there are not so many.
    """
    found: list[int] = []
    with contextlib.ExitStack() as bound:
        for port in random.SystemRandom().sample(RANGE, TRIES):
            each = bound.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                each.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise UnavailableError(
        f"no {count} free ports between {RANGE.start} and {RANGE.stop}; end what listens there"
    )
