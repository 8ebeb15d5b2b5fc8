"""HTTP/1.1 requests out of bytes, strictly and without I/O, and plain answers into bytes."""

from __future__ import annotations

import re
import time
from typing import Final

import msgspec

HEAD_LIMIT: Final = 32 * 1024
_SIZE_LINE_LIMIT: Final = 256
_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([01])")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
REASONS: Final = {
    200: "OK", 204: "No Content", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 409: "Conflict", 413: "Content Too Large",
    422: "Unprocessable Content", 431: "Request Header Fields Too Large", 501: "Not Implemented",
    503: "Service Unavailable", 507: "Insufficient Storage",
}  # fmt: skip


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `reject` is the status that a malformed one deserves (0: well-formed).

    `headers` are the lines as received, in Latin-1 (each byte a character); `fields` has lower-case
    names and the first value of each. `received_ns` is the monotonic time when it was complete.
    """

    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = []
    fields: dict[str, str] = {}
    body: bytes = b""
    received_ns: int
    keep_alive: bool = False
    reject: int = 0
    problem: str = ""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def media_type(self) -> str:
        """The media type of the body, lower case, without parameters."""
        return self.fields.get("content-type", "").partition(";")[0].strip().lower()


class _Malformed(Exception):
    def __init__(self, status: int, problem: str) -> None:
        self.status = status
        self.problem = problem
        super().__init__(problem)


class _Head(msgspec.Struct, kw_only=True):
    """A request whose body is still to come; `length` -1 means chunked."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    fields: dict[str, str]
    keep_alive: bool
    length: int


def _parse_headers(lines: list[bytes]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    headers: list[tuple[str, str]] = []
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise _Malformed(400, f"a header line that is none: {line[:80]!r}")
        text = value.strip(b" \t").decode("latin-1")
        headers.append((name.decode("ascii"), text))
        fields.setdefault(headers[-1][0].lower(), text)
    return headers, fields


def _body_length(headers: list[tuple[str, str]], fields: dict[str, str]) -> int:
    if "transfer-encoding" in fields:
        if "content-length" in fields:
            raise _Malformed(400, "both Content-Length and Transfer-Encoding")
        if fields["transfer-encoding"].lower() != "chunked":
            raise _Malformed(501, f"Transfer-Encoding: {fields['transfer-encoding']}")
        return -1
    if "content-length" not in fields:
        return 0
    given = {value for name, value in headers if name.lower() == "content-length"}
    if len(given) > 1 or not _LENGTH.fullmatch(fields["content-length"]):
        raise _Malformed(400, f"Content-Length: {', '.join(sorted(given))}")
    return int(fields["content-length"])


def _parse_head(head: bytes) -> _Head:
    first, *lines = head.split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise _Malformed(400, f"no request line: {first[:80]!r}")
    headers, fields = _parse_headers(lines)
    connection = fields.get("connection", "").lower()
    return _Head(
        method=line[1].decode("ascii"),
        target=line[2].decode("latin-1"),
        headers=headers,
        fields=fields,
        keep_alive=connection != "close" if line[3] == b"1" else connection == "keep-alive",
        length=_body_length(headers, fields),
    )


class RequestReader:
    """Bytes in by `feed`, requests out by `take`, one after the other.

    After a request with `reject` nothing more comes: what follows it cannot be told apart.
    """

    def __init__(self, body_limit: int) -> None:
        self._body_limit = body_limit
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._body = bytearray()
        self._dead = False

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrived."""
        if not self._dead:
            self._buffer += data

    @property
    def buffered(self) -> int:
        """How many bytes wait."""
        return len(self._buffer)

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for 100 (Continue) before it sends its body."""
        return (
            self._head is not None
            and not self._buffer
            and not self._body
            and self._head.fields.get("expect", "").lower() == "100-continue"
        )

    def take(self) -> Request | None:
        """The next complete request, or None if more bytes are needed."""
        if self._dead:
            return None
        try:
            return self._take()
        except _Malformed as malformed:
            return self._rejected(malformed)

    def _take(self) -> Request | None:
        if self._head is None and not self._take_head():
            return None
        head = self._head
        assert head is not None
        if head.length > self._body_limit:
            raise _Malformed(413, f"a body of {head.length} bytes, over {self._body_limit}")
        if not (self._take_chunks() if head.length < 0 else self._take_body(head.length)):
            return None
        body = bytes(self._body)
        self._head = None
        self._body.clear()
        return Request(
            method=head.method, target=head.target, headers=head.headers, fields=head.fields,
            body=body, received_ns=time.monotonic_ns(), keep_alive=head.keep_alive,
        )  # fmt: skip

    def _take_head(self) -> bool:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end > HEAD_LIMIT or (end < 0 and len(self._buffer) > HEAD_LIMIT):
            raise _Malformed(431, f"a head over {HEAD_LIMIT} bytes")
        if end < 0:
            return False
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        self._head = _parse_head(head)
        return True

    def _take_body(self, length: int) -> bool:
        if len(self._buffer) < length:
            return False
        self._body += self._buffer[:length]
        del self._buffer[:length]
        return True

    def _take_chunks(self) -> bool:
        """Move whole chunks into the body; True when the last one and the trailers are in."""
        while True:
            end = self._buffer.find(b"\r\n", 0, _SIZE_LINE_LIMIT)
            if end < 0:
                if len(self._buffer) >= _SIZE_LINE_LIMIT:
                    raise _Malformed(400, "a chunk's size line without an end")
                return False
            line = _SIZE.fullmatch(bytes(self._buffer[:end]))
            if line is None:
                raise _Malformed(400, f"a chunk's size that is none: {self._buffer[:end][:80]!r}")
            size = int(line[1], 16)
            if size == 0:
                return self._take_trailers(end)
            if len(self._body) + size > self._body_limit:
                raise _Malformed(413, f"a chunked body over {self._body_limit} bytes")
            if len(self._buffer) < end + 2 + size + 2:
                return False
            if self._buffer[end + 2 + size : end + 4 + size] != b"\r\n":
                raise _Malformed(400, "a chunk longer than its size")
            self._body += self._buffer[end + 2 : end + 2 + size]
            del self._buffer[: end + 4 + size]

    def _take_trailers(self, size_line_end: int) -> bool:
        end = self._buffer.find(b"\r\n\r\n", size_line_end)
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise _Malformed(431, f"trailers over {HEAD_LIMIT} bytes")
            return False
        del self._buffer[: end + 4]
        return True

    def _rejected(self, malformed: _Malformed) -> Request:
        head = self._head
        rest = bytes(self._body + self._buffer)[: self._body_limit]
        self._dead = True
        self._buffer.clear()
        request = Request(
            body=rest, received_ns=time.monotonic_ns(), reject=malformed.status,
            problem=malformed.problem,
        )  # fmt: skip
        if head is None:
            return request
        return msgspec.structs.replace(
            request, method=head.method, target=head.target, headers=head.headers,
            fields=head.fields,
        )  # fmt: skip


def answer_bytes(
    status: int,
    body: bytes = b"",
    *,
    content_type: str = "application/json",
    headers: tuple[tuple[str, str], ...] = (),
    keep_alive: bool = True,
) -> bytes:
    """A plain, correctly framed answer."""
    lines = [f"HTTP/1.1 {status} {REASONS[status]}\r\n"]
    if status != 204:
        lines.append(f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n")
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    if not keep_alive:
        lines.append("Connection: close\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1") + body
