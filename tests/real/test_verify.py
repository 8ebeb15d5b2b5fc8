"""`harness verify` as a user runs it: passing, refusing what cannot be, judging again."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.runs import ROOT, WITHIN_S, harness, recorded_children, started, wait_for_role

pytestmark = pytest.mark.real

OWN_WORKER = """\
engine: {{embedded: true}}
tenants:
  - {{name: alpha, namespace: alpha, task_queue: alpha-sagas}}
  - {{name: beta, namespace: beta, task_queue: beta-sagas}}
worker:
  command: {command}
  ready_within_s: 3
"""
END_OF_ADDRESSES = "# end it with Ctrl-C\n"
ELSEWHERE = """\
engine: {{address: "{address}"}}
tenants:
  - {{name: alpha, namespace: {namespace}, task_queue: alpha-sagas}}
  - {{name: beta, namespace: beta, task_queue: beta-sagas}}
worker: {{external: true}}
"""


def test_a_trial_is_judged_again_to_the_same_bytes_and_refused_when_edited(tmp_path: Path) -> None:
    cache, out = tmp_path / "cache", tmp_path / "trial"
    done = harness("verify", "INV-ISO-6", "--format", "json", "--out", out, cache=cache)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["verdict"], told["counts"]) == ("pass", {"pass": 1})
    assert (out / "report.html").stat().st_size > 10_000
    assert 'name="test_verdict[INV-ISO-6]"' in (out / "junit.xml").read_text()
    assert not recorded_children(cache)

    first = (out / "verdicts.json").read_bytes()
    assert harness("recheck", out, cache=cache).code == 0
    assert (out / "verdicts.json").read_bytes() == first

    segment = out / "journal" / "drive.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"ending":"fail"', b'"ending":"ok"', 1))
    edited = harness("recheck", out, cache=cache)
    assert edited.code == 64
    assert edited.err.count("\n") == 1
    assert "edited" in edited.err


def test_plain_pytest_asks_for_a_drive_of_what_is_selected(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "scenarios/conformance", "-q", "-k", "INV-ISO-7",
         "-p", "no:cacheprovider", f"--junitxml={tmp_path / 'junit.xml'}"],
        capture_output=True, text=True, cwd=ROOT, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert 'name="commands_across"' in (tmp_path / "junit.xml").read_text()


def test_two_runs_at_once_in_one_folder(tmp_path: Path) -> None:
    """The second is refused, the first goes on."""
    cache, out = tmp_path / "cache", tmp_path / "trial"
    with started("verify", "INV-ISO-6", "--out", out, cache=cache) as first:
        wait_for_role(cache, "engine")
        second = harness("verify", "INV-ISO-6", "--out", out, cache=cache)
        _, err = first.communicate(timeout=WITHIN_S)
    assert second.code == 64
    assert "another run" in second.err
    assert first.returncode == 0, err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('["false"]', "exited with 1 before it was ready"),
        ("[sh, -c, 'echo I lost my keys; exit 3']", "I lost my keys"),
        ("[sleep, '60']", "not ready within 3 s"),
    ],
)
def test_a_worker_that_does_not_come_up(tmp_path: Path, command: str, said: str) -> None:
    """Its last lines are shown, the exit code is 69, and nothing is left."""
    cache, target = tmp_path / "cache", tmp_path / "target.yaml"
    target.write_text(OWN_WORKER.format(command=command))
    done = harness("verify", "--target", target, "--out", tmp_path / "trial", cache=cache)
    assert done.code == 69, done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert not recorded_children(cache)


def test_a_worker_command_that_is_not_there_is_found_before_anything_starts(tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_text(OWN_WORKER.format(command="[no-such-program]"))
    done = harness("verify", "--target", target, cache=tmp_path / "cache")
    assert done.code == 64
    assert "no-such-program" in done.err
    assert not (tmp_path / "cache").exists()


def test_an_engine_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        target = tmp_path / "target.yaml"
        target.write_text(ELSEWHERE.format(address=address, namespace="alpha"))
        cache = tmp_path / "cache"
        done = harness("verify", "--target", target, "--out", tmp_path / "t", cache=cache)
        seen = harness("doctor", "--target", target, cache=cache)
    assert done.code == 69, done.err
    assert address in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert seen.code == 69
    assert "MISSING engine" in seen.out


def test_a_namespace_that_is_not_there(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with started("up", "--without-worker", cache=cache) as platform:
        assert platform.stdout is not None
        told = list(iter(platform.stdout.readline, END_OF_ADDRESSES))
        address = next(each for each in told if "TEMPORAL_ADDRESS" in each).partition("=")[2]
        target = tmp_path / "target.yaml"
        target.write_text(ELSEWHERE.format(address=address.strip(), namespace="nowhere"))
        done = harness("verify", "--target", target, "--out", tmp_path / "t", cache=tmp_path / "c2")
        seen = harness("doctor", "--target", target, cache=tmp_path / "c2")
    assert done.code == 69, done.err
    assert "nowhere" in done.err.splitlines()[-1]
    assert seen.code == 69
    assert "nowhere" in seen.out
    assert "nobody has polled" in seen.out
