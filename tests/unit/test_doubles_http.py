"""Requests are read the same however the bytes are cut, and nothing malformed gets through."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.doubles.http import HEAD_LIMIT, Request, RequestReader, answer_bytes

PLAIN = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Odd:  v \r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = (
    b"PUT /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nbod\r\n1;ext=1\r\ny\r\n0\r\nTrailer: t\r\n\r\n"
)
OLD = b"GET / HTTP/1.0\r\n\r\n"


def read(*pieces: bytes, limit: int = 1000) -> list[Request]:
    reader, requests = RequestReader(limit), []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.take()) is not None:
            requests.append(request)
    return requests


@settings(deadline=None)
@given(st.data())
def test_cutting_the_bytes_anywhere_gives_the_same_requests(data: st.DataObject) -> None:
    stream = PLAIN + CHUNKED + PLAIN + OLD
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    requests = read(*(stream[a:b] for a, b in itertools.pairwise(edges)))
    assert [(r.method, r.target, r.body, r.reject) for r in requests] == [
        ("POST", "/a?b=c", b"body", 0),
        ("PUT", "/events", b"body", 0),
        ("POST", "/a?b=c", b"body", 0),
        ("GET", "/", b"", 0),
    ]
    assert [request.keep_alive for request in requests] == [True, True, True, False]


def test_header_lines_are_kept_as_they_came() -> None:
    (request,) = read(PLAIN.replace(b"X-Odd:  v ", b"cE-Id: \xc3\xa9\r\nce-id: 2"))
    assert request.headers == [
        ("Host", "x"),
        ("cE-Id", "Ã©"),
        ("ce-id", "2"),
        ("Content-Length", "4"),
    ]
    assert request.fields["ce-id"] == "Ã©"
    assert request.path == "/a"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nName : v\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * HEAD_LIMIT, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400),
    ],
)
def test_what_is_malformed_is_rejected_and_nothing_after_it_is_read(
    data: bytes, status: int
) -> None:
    requests = read(data, PLAIN)
    assert [request.reject for request in requests] == [status]
    assert requests[0].problem
    assert not requests[0].keep_alive


def test_an_incomplete_request_is_not_yet_one() -> None:
    for stream in (PLAIN, CHUNKED):
        for cut in range(len(stream)):
            assert read(stream[:cut]) == []


def test_a_client_may_wait_for_100_continue() -> None:
    head, _, body = PLAIN.replace(b"Host: x", b"Expect: 100-Continue").partition(b"body")
    reader = RequestReader(1000)
    reader.feed(head)
    assert reader.take() is None
    assert reader.expects_continue
    reader.feed(b"body" + body)
    assert reader.take() is not None
    assert not reader.expects_continue


def test_answers_are_framed() -> None:
    assert answer_bytes(200, b"{}", headers=(("A", "b"),)) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nA: b\r\n\r\n{}"
    )
    assert answer_bytes(204, keep_alive=False) == (
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    )
