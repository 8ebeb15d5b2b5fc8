"""Who is connected through a link, and whether it takes new connections.

Both are seen from outside of Toxiproxy's own counters, which move only when a connection ends.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"

_KNOCK_S = 1.0

Peers = Callable[[str], frozenset[str] | None]
"""From a link's listening address to those connected to it (host:port); None if it is unknown."""


def peers_of(pid: int) -> Peers:
    """Who has an established connection to the proxy process `pid`, as the kernel sees it.

    None where that cannot be told: no such process, or not permitted.
    """

    def peers(listen: str) -> frozenset[str] | None:
        try:
            connections = psutil.Process(pid).net_connections("tcp4")
        except psutil.Error:
            return None
        return frozenset(
            _text(each.raddr)
            for each in connections
            if each.status == psutil.CONN_ESTABLISHED and _text(each.laddr) == listen
        )

    return peers


def nobody_knows(listen: str) -> frozenset[str] | None:
    """The `Peers` of a run that has no way to tell."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A link at one moment: established connections (None: unknown), answer to a new one."""

    established: int | None
    answer: str

    def named(self, moment: str) -> dict[str, Any]:
        """As evidence: established_<moment>, answer_<moment>."""
        return {f"established_{moment}": self.established, f"answer_{moment}": self.answer}


@dataclass(slots=True, kw_only=True)
class Witness:
    """Looks at one link from outside; the connections it makes itself are not counted.

    Blocks for up to a second: call it in a thread.
    """

    listen: str
    peers: Peers
    _own: set[str] = field(default_factory=set)

    def look(self) -> Look:
        """The link at this moment."""
        peers = self.peers(self.listen)
        return Look(
            established=None if peers is None else len(peers - self._own), answer=self.knock()
        )

    def knock(self) -> str:
        """Try a new connection, close it at once: accepted, refused, or what else happened."""
        host, _, port = self.listen.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), _KNOCK_S) as connection:
                self._own.add(_text(connection.getsockname()))
        except ConnectionRefusedError:
            return REFUSED
        except TimeoutError:
            return "timed out"
        except OSError as error:
            return error.strerror or repr(error)
        return ACCEPTED


def cut_bit(before: Look, after: Look) -> bool:
    """A cut bit if it dropped a connection, and if a link that took new ones refuses them now."""
    return (
        bool(before.established)
        and after.established == 0
        and before.answer == ACCEPTED
        and after.answer == REFUSED
    )


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}" if address else ""
