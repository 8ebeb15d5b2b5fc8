"""The doubles as the process that the supervisor starts."""

from __future__ import annotations

import hashlib
import http.client
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness.doubles.client import addresses
from harness.errors import EXIT_BUG, EXIT_USAGE

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness.doubles", "--journal", str(folder), "--trial", "t-1"]
    return subprocess.Popen(
        [*command, *more], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@contextmanager
def started(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    with start(folder, *more) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_says_where_it_listens_and_sigterm_closes_the_segment(tmp_path: Path) -> None:
    with started(tmp_path, "--defect", "services-no-dedupe") as process:
        assert process.stdout is not None
        where = addresses(process.stdout.readline())
        assert where.audit.endswith("/events")
        connection = http.client.HTTPConnection(where.pdp.removeprefix("http://"))
        connection.request("POST", "/access/v1/evaluation", body=b"{}")
        assert connection.getresponse().status == 400
        process.terminate()
        assert process.wait(10) == 0
    *lines, footer = (tmp_path / "doubles.jsonl").read_bytes().splitlines(keepends=True)
    end = msgspec.json.decode(footer)
    assert end["kind"] == "footer"
    assert end["records"] == len(lines) - 1 == 1
    assert end["sha256"] == hashlib.sha256(b"".join(lines)).hexdigest()
    assert b'"subject: missing"' in lines[1]


def test_a_journal_that_cannot_be_written_ends_it_without_a_footer(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        assert process.stdout is not None
        where = addresses(process.stdout.readline())
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (300, 300))
        connection = http.client.HTTPConnection(where.pdp.removeprefix("http://"))
        connection.request("POST", "/access/v1/evaluation", body=b"{}")
        assert process.wait(10) == EXIT_BUG
        assert process.stderr is not None
        assert "the journal cannot be written" in process.stderr.read()
    assert b'"footer"' not in (tmp_path / "doubles.jsonl").read_bytes()


def test_a_segment_that_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "doubles.jsonl").write_text("evidence\n")
    with started(tmp_path) as process:
        assert process.wait(10) == EXIT_USAGE
    assert (tmp_path / "doubles.jsonl").read_text() == "evidence\n"
