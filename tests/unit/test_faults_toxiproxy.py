"""The adapter against servers that are not, or not quite, Toxiproxy."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from toxiproxy import Proxy

from harness.errors import UsageError
from harness.faults.toxics import Toxic
from harness.faults.toxiproxy import (
    Link,
    LinkState,
    Snapshot,
    Toxiproxy,
    ToxiproxyError,
    toxiproxy_command,
)

SLACK_S = 5.0  # a call that respects no deadline hangs for ever: only that is told from it here


@contextlib.contextmanager
def raw_server(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A TCP server that treats each connection as `talk` does; gives its port."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                talk(connection, stopped)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def http_server(status: int, body: bytes) -> Iterator[int]:
    """An HTTP server that answers everything with the same."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def never_answer(connection: socket.socket, stopped: threading.Event) -> None:
    stopped.wait()


def drip(connection: socket.socket, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not stopped.wait(0.02):
        connection.sendall(b"x")


@pytest.mark.parametrize("talk", [never_answer, drip])
def test_a_call_ends_at_its_deadline_whatever_the_server_does(
    talk: Callable[[socket.socket, threading.Event], None],
) -> None:
    with raw_server(talk) as port:
        began = time.monotonic()
        with pytest.raises(ToxiproxyError, match=r"did not tell its version within 0.2 s"):
            Toxiproxy("127.0.0.1", port, call_s=0.2).version()
        assert time.monotonic() - began < SLACK_S


def test_waiting_for_a_server_that_never_answers_ends_in_time() -> None:
    with raw_server(never_answer) as port:
        began = time.monotonic()
        with pytest.raises(ToxiproxyError, match=r"not ready within 0.2 s"):
            Toxiproxy("127.0.0.1", port).wait_ready(0.2)
        assert time.monotonic() - began < SLACK_S


def test_nothing_listening_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ToxiproxyError, match=r"(?i)refused"):
        Toxiproxy("127.0.0.1", port).version()


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (500, b'{"error":"no luck","status":500}', "HTTP 500.*no luck"),
        (404, b'{"error":"proxy not found"}', "HTTP 404"),
        (302, b"", "HTTP 302"),
        (200, b"<html>", "not Toxiproxy's"),
        (200, b"{}", "not Toxiproxy's"),
        (200, b'{"version": 2}', "not Toxiproxy's"),
    ],
)
def test_an_answer_that_is_no_success_is_an_error(status: int, body: bytes, problem: str) -> None:
    with http_server(status, body) as port, pytest.raises(ToxiproxyError, match=problem):
        Toxiproxy("127.0.0.1", port).version()


def test_two_servers_in_one_process_are_not_mixed_up() -> None:
    with (
        http_server(200, b'{"version":"2.12.0"}') as one,
        http_server(200, b'{"version":"2.13.0"}') as two,
    ):
        first, second = Toxiproxy("127.0.0.1", one), Toxiproxy("127.0.0.1", two)
        assert [first.version(), second.version(), first.version()] == [
            "2.12.0", "2.13.0", "2.12.0",
        ]  # fmt: skip


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with http_server(200, b'{"version":"2.12.0"}') as port:
        assert Toxiproxy("127.0.0.1", port).version() == "2.12.0"


def test_a_link_that_stays_up_after_its_cut_is_an_error() -> None:
    state = {"name": "a", "listen": "127.0.0.1:1", "upstream": "127.0.0.1:2", "enabled": True}
    body = json.dumps({**state, "toxics": []}).encode()
    with http_server(200, body) as port:
        server = Toxiproxy("127.0.0.1", port)
        with pytest.raises(ToxiproxyError, match="still up"):
            Link(server, Proxy(**state)).cut()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../a", "ä", "-a"])
def test_a_link_name_that_would_need_quoting_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="link name"):
        Toxiproxy("127.0.0.1", 1).create(name, "127.0.0.1:2")


@pytest.mark.parametrize("upstream", ["", "7233", "host:", ":7233", "host:0", "host:65536", "a:b"])
def test_an_upstream_that_is_no_address_is_refused(upstream: str) -> None:
    with pytest.raises(UsageError, match="give host:port"):
        Toxiproxy("127.0.0.1", 1).create("a", upstream)


@pytest.mark.parametrize(
    ("type_", "attributes", "stream", "problem"),
    [
        ("latncy", {"latency": 5}, "downstream", "no such type; choose from latency, bandwidth"),
        ("latency", {"latncy": 5}, "downstream", "no attribute 'latncy'; choose from latency, jit"),
        ("latency", {}, "downstream", "latency is missing"),
        ("latency", {"latency": -5}, "downstream", "latency must be a whole number, at least 1"),
        ("latency", {"latency": 5, "jitter": -1}, "downstream", "jitter must be a whole number"),
        ("latency", {"latency": 5.5}, "downstream", "latency must be a whole number"),
        ("latency", {"latency": True}, "downstream", "latency must be a whole number"),
        ("latency", {"latency": 5, "toxicity": 1}, "downstream", "toxicity is always 1.0"),
        ("latency", {"latency": 5}, "sideways", "no stream 'sideways'; choose from upstream"),
        ("bandwidth", {"rate": 0}, "downstream", "rate must be a whole number, at least 1"),
        ("packet_loss", {"loss_rate": 1}, "downstream", "no such type"),
    ],
)
def test_a_toxic_that_would_not_bite_as_meant_is_refused(
    type_: str, attributes: dict[str, Any], stream: Any, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        Toxic(type=type_, attributes=attributes, stream=stream)


def test_all_problems_of_a_toxic_are_reported_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Toxic(type="slicer", attributes={"delay": -1, "size": 2})
    assert str(caught.value).count(";") >= 3
    assert all(word in str(caught.value) for word in ("delay", "'size'", "average_size"))


def test_a_toxic_cannot_be_given_another_toxicity() -> None:
    with pytest.raises(TypeError, match="toxicity"):
        Toxic(type="latency", attributes={"latency": 5}, toxicity=0.5)  # type: ignore[call-arg]


def test_a_snapshot_names_links_that_are_gone() -> None:
    healthy = LinkState(name="a", listen="", upstream="", enabled=True, toxics=())
    assert Snapshot(links={"a": healthy}, expected=frozenset({"a"})).leftovers == ()
    assert Snapshot(links={}, expected=frozenset({"a"})).leftovers == ("a is gone",)


def test_the_command_listens_on_the_loopback_only(tmp_path: Any) -> None:
    assert toxiproxy_command(tmp_path / "x", 8474)[1:] == ["-host", "127.0.0.1", "-port", "8474"]
