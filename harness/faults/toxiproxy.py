"""The adapter to Toxiproxy: the only module that imports the package `toxiproxy`.

The package does the calls; three of its gaps are filled here. It knows one server for each process
(a class attribute), waits for an answer for ever, and takes an HTTP 5xx for success. So the module
that it takes for `requests` is ours: it sends each call to the server of the calling thread,
within that thread's deadline, and refuses every answer that is not a success. Everything here
is synchronous: call it by `asyncio.to_thread`.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import toxiproxy as package
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import ProxyExists

from harness.errors import UnavailableError, UsageError
from harness.faults.toxics import Toxic

# Below the ephemeral ports of Linux and macOS: while a link is cut nothing listens on its port, and
# no outgoing connection may take it meanwhile.
PORTS: Final = range(20_000, 32_000)

_LOOPBACK = "127.0.0.1"
_CALL_S = 5.0
_POLL_S = 0.02
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # the package does not quote it in addresses
_IN_USE = "address already in use"

Result = TypeVar("Result")


class ToxiproxyError(UnavailableError):
    """Toxiproxy did not answer in time, refused, or did not do what it was told."""


class ActiveToxic(msgspec.Struct, frozen=True, kw_only=True):
    """A toxic as Toxiproxy reports it."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: dict[str, int]


class LinkState(msgspec.Struct, frozen=True, kw_only=True):
    """A link as Toxiproxy reports it."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[ActiveToxic, ...]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All links as Toxiproxy reports them, and the names of those it was given."""

    links: dict[str, LinkState]
    expected: frozenset[str]

    @property
    def leftovers(self) -> tuple[str, ...]:
        """What a healed Toxiproxy must not have: links that are gone or down, and toxics."""
        gone = [f"{name} is gone" for name in sorted(self.expected - self.links.keys())]
        for link in self.links.values():
            gone += [] if link.enabled else [f"{link.name} is down"]
            gone += [f"{link.name} still has {toxic.name}" for toxic in link.toxics]
        return tuple(gone)


def toxiproxy_command(path: Path, port: int) -> list[str]:
    """The command line of a server whose API listens on 127.0.0.1:`port`."""
    return [str(path), "-host", _LOOPBACK, "-port", str(port)]


class Toxiproxy:
    """A running server. Each call ends within `call_s`, with a result or a `ToxiproxyError`."""

    def __init__(self, host: str, port: int, *, call_s: float = _CALL_S) -> None:
        self.address = f"{host}:{port}"
        self._call_s = call_s
        self._created: set[str] = set()

    def wait_ready(self, deadline_s: float) -> None:
        """Return once the API answers; raises `ToxiproxyError` if it does not in time."""
        until = time.monotonic() + deadline_s
        while True:
            left = max(until - time.monotonic(), _POLL_S)
            try:
                self._version(min(left, self._call_s))
                return
            except ToxiproxyError as error:
                if time.monotonic() + _POLL_S >= until:
                    raise ToxiproxyError(
                        f"Toxiproxy is not ready within {deadline_s:g} s: {error}"
                    ) from None
            time.sleep(_POLL_S)

    def version(self) -> str:
        """Its version, like 2.12.0."""
        return self._version(self._call_s)

    def create(self, name: str, upstream: str) -> Link:
        """A new link from a free port of 127.0.0.1 to `upstream` (host:port), up and clean.

        Raises `UsageError` for a name or address that cannot be, `ToxiproxyError` if there is a
        link of that name.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"link name {name!r}: only letters, digits, '.', '_' and '-'")
        if not _is_address(upstream):
            raise UsageError(f"upstream {upstream!r} of link {name}: give host:port")
        taken = {link.listen for link in self.snapshot().links.values()}
        for port in _free_ports():
            listen = f"{_LOOPBACK}:{port}"
            if listen not in taken and (link := self._create(name, listen, upstream)):
                self._created.add(name)
                return link
        raise ToxiproxyError(f"link {name}: no free port in {PORTS.start}-{PORTS.stop - 1}")

    def snapshot(self) -> Snapshot:
        """All links at this moment."""
        links = self.call("list the links", lambda: _get("/proxies", dict[str, LinkState]))
        return Snapshot(links=links, expected=frozenset(self._created))

    def call(self, doing: str, work: Callable[[], Result]) -> Result:
        """Run `work`, which uses the package, against this server and within its deadline."""
        return _within(self.address, self._call_s, doing, work)

    def _version(self, within_s: float) -> str:
        def work() -> str:
            return _get("/version", dict[str, str])["version"]

        return _within(self.address, within_s, "tell its version", work)

    def _create(self, name: str, listen: str, upstream: str) -> Link | None:
        """None if another program has taken the port meanwhile."""
        proxy = self.call(
            f"create link {name}",
            lambda: package.Toxiproxy().create(
                name=name, upstream=upstream, listen=listen, enabled=False
            ),
        )
        try:
            self.call(f"enable link {name}", proxy.enable)
        except ToxiproxyError as error:
            self.call(f"remove link {name}", proxy.destroy)
            if _IN_USE in str(error):
                return None
            raise
        return Link(self, proxy)


class Link:
    """One role's way to one server, through Toxiproxy; made by `Toxiproxy.create`.

    Every change is read back: what Toxiproxy did not do raises `ToxiproxyError`.
    """

    def __init__(self, server: Toxiproxy, proxy: Any) -> None:
        self.name: str = proxy.name
        self.listen: str = proxy.listen
        self.upstream: str = proxy.upstream
        self._server = server
        self._proxy = proxy

    def cut(self) -> None:
        """Down both ways: connections are dropped and new ones refused."""
        self._server.call(f"cut link {self.name}", self._proxy.disable)
        if self.state().enabled:
            raise ToxiproxyError(f"link {self.name} was cut and is still up")

    def heal(self) -> None:
        """Up and without any toxic, whatever was done to it; healing twice does nothing."""
        for toxic in self.state().toxics:
            self._remove(toxic.name)
        self._server.call(f"heal link {self.name}", self._proxy.enable)
        state = self.state()
        if not state.enabled or state.toxics or state.listen != self.listen:
            raise ToxiproxyError(f"link {self.name} was healed and is not as before: {state}")

    def add(self, toxic: Toxic) -> None:
        """Disturb the link, at full strength; also connections that are open."""
        self._server.call(
            f"add {toxic.name} to link {self.name}",
            lambda: self._proxy.add_toxic(
                type=toxic.type,
                name=toxic.name,
                stream=toxic.stream,
                toxicity=1.0,
                attributes=toxic.attributes,
            ),
        )
        active = {each.name: each for each in self.state().toxics}.get(toxic.name)
        if active is None or not toxic.attributes.items() <= active.attributes.items():
            raise ToxiproxyError(f"link {self.name}: {toxic} was added and is now {active}")

    def remove(self, toxic: Toxic) -> None:
        """Take one toxic away again."""
        self._remove(toxic.name)

    def state(self) -> LinkState:
        """The link at this moment."""
        return self._server.call(
            f"tell the state of link {self.name}",
            lambda: _get(f"/proxies/{self.name}", LinkState),
        )

    def _remove(self, toxic_name: str) -> None:
        self._server.call(
            f"remove {toxic_name} from link {self.name}",
            lambda: self._proxy.destroy_toxic(toxic_name),
        )


class _Call(threading.local):
    """The server and deadline of the calling thread."""

    address: str
    until: float


_call = _Call()


class _Requests:
    """What the package takes for the module `requests`."""

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._send("GET", url, options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._send("POST", url, options)

    def delete(self, url: str, **options: Any) -> requests.Response:
        return self._send("DELETE", url, options)

    def _send(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        left = _call.until - time.monotonic()
        if left <= 0:  # the caller has given up: a late change would be no one's
            raise ToxiproxyError("the deadline is over")
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the environment is not for the loopback
            answer = session.request(
                method,
                f"http://{_call.address}{urlsplit(url).path}",
                timeout=left,
                allow_redirects=False,
                **options,
            )
        if not 200 <= answer.status_code < 300:
            raise ToxiproxyError(f"HTTP {answer.status_code}: {answer.text.strip()[:300]}")
        return answer


package.api.requests = _Requests()


def _get(path: str, type_: type[Result]) -> Result:
    return msgspec.json.decode(APIConsumer.get(path).content, type=type_)


def _within(address: str, within_s: float, doing: str, work: Callable[[], Result]) -> Result:
    """Run `work` in a thread of its own, which is left alone when the time is over.

    The timeout of `requests` begins again with each byte, so it alone is no deadline.
    """
    where = f"Toxiproxy at {address} did not {doing}"
    future: Future[Result] = Future()
    until = time.monotonic() + within_s

    def run() -> None:
        _call.address, _call.until = address, until
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - it is raised below, in the caller's thread
            future.set_exception(error)

    threading.Thread(target=run, name=doing, daemon=True).start()
    try:
        return future.result(within_s)
    except (TimeoutError, requests.Timeout):
        raise ToxiproxyError(f"{where} within {within_s:g} s") from None
    except (ToxiproxyError, requests.RequestException, ProxyExists) as error:
        raise ToxiproxyError(f"{where}: {error}") from None
    except (ValueError, KeyError, TypeError) as error:  # not JSON, or not Toxiproxy's
        raise ToxiproxyError(f"{where}: its answer is not Toxiproxy's: {error!r}") from None


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65_536


def _free_ports() -> Iterator[int]:
    """Ports that nothing listens on, from a place that differs between processes."""
    first = os.getpid() * 31 % len(PORTS)
    for port in (*PORTS[first:], *PORTS[:first]):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
        yield port
