"""`harness verify` on real parts: a sound platform passes, what is not there is told in a line."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import signal
import socket
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.commands import ROOT, Place, Supervisor, kill

pytestmark = pytest.mark.real
INSTALLED = importlib.metadata.entry_points(group="pytest11", name="harness")
PLUGINS = ("-p", "no:cacheprovider", *(() if INSTALLED else ("-p", "harness.pytest_plugin")))
TENANTS = """\
tenants:
  - {name: alpha, namespace: alpha, task_queue: alpha-sagas}
  - {name: beta, namespace: NAMESPACE, task_queue: beta-sagas}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("verify"))
    yield made
    left = made.await_nothing_left(3)
    for each in left:
        kill(int(each.split()[0]))
    assert left == []


@pytest.fixture(scope="module")
def passed(place: Place) -> Path:
    """A trial of one assertion that passed, by the real command line."""
    trial = place.folder / "passed"
    done = place.run("verify", "INV-ISO-6", "--format", "json", "--out", str(trial))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["verdict"], told["exit_code"], told["ended"]) == ("pass", 0, "complete")
    assert [(each["id"], each["outcome"]) for each in told["verdicts"]] == [("INV-ISO-6", "pass")]
    assert (told["folder"], told["report"]) == (str(trial), str(trial / "report.html"))
    return trial


def test_one_assertion_passes_and_leaves_a_report_junit_and_json(passed: Path) -> None:
    assert b"INV-ISO-6" in (passed / "report.html").read_bytes()
    assert json.loads((passed / "report.json").read_bytes())
    (case,) = ET.parse(passed / "junit.xml").iter("testcase")
    assert "INV-ISO-6" in case.attrib["name"]
    assert case.find("failure") is None
    properties = {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
    assert properties["outcome"] == "pass"


def test_judging_again_gives_the_same_verdicts_byte_for_byte(place: Place, passed: Path) -> None:
    first = (passed / "verdicts.json").read_bytes()
    (passed / "verdicts.json").unlink()
    assert place.run("recheck", str(passed)).returncode == 0
    assert (passed / "verdicts.json").read_bytes() == first


@pytest.mark.parametrize("which", ["journal/drive.jsonl", "manifest.json", "histories"])
def test_a_trial_that_was_edited_is_refused(place: Place, passed: Path, which: str) -> None:
    edited = place.folder / f"edited-{which.replace('/', '-')}"
    shutil.copytree(passed, edited)
    path = edited / which if (edited / which).is_file() else next((edited / which).rglob("*.json"))
    raw = path.read_bytes()
    middle = len(raw) // 2
    path.write_bytes(raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :])
    done = place.run("recheck", str(edited))
    assert done.returncode == 64
    assert str(path.relative_to(edited)) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_pytest_asks_for_a_drive_by_itself_and_shows_its_verdict(place: Place) -> None:
    done = place.python("-m", "pytest", "scenarios/conformance", "-k", "INV-ISO-6", *PLUGINS)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 passed" in done.stdout
    finally:
        for made in re.findall(r"^trial: (\S+)$", done.stdout, re.MULTILINE):
            shutil.rmtree(ROOT / made)


def test_pytest_lists_every_assertion_without_a_drive(place: Place) -> None:
    done = place.python("-m", "pytest", "scenarios/conformance", "-q", "--collect-only", *PLUGINS)
    assert done.returncode == 0
    assert "[INV-PDP-3]" in done.stdout


# --- what is not there


def embedded(place: Place, *command: str, ready_within_s: float = 30) -> str:
    """A target of an embedded engine and a worker of one's own."""
    return place.target(
        "engine: {embedded: true}\n"
        + TENANTS.replace("NAMESPACE", "beta")
        + f"worker: {{command: {json.dumps(command)}, ready_within_s: {ready_within_s}}}\n"
    )


@pytest.mark.parametrize(
    ("script", "within_s", "told"),
    [
        ("print('no licence found'); raise SystemExit(3)", 30, ["exited with 3", "no licence"]),
        ("print('connecting', flush=True); import time; time.sleep(99)", 0.5, ["not ready within"]),
        ("print('HARNESS-READY polling', flush=True); input()", 30, ["ready line", "polling"]),
        (
            'print(\'HARNESS-READY {"contract": "9.0"}\', flush=True);import time;time.sleep(99)',
            30,
            ["speaks contract 9.0"],
        ),
    ],
    ids=["exits at once", "never gets ready", "says it wrong", "speaks another contract"],
)
def test_a_worker_that_cannot_begin_is_told_with_its_last_lines(
    place: Place, script: str, within_s: float, told: list[str]
) -> None:
    target = embedded(place, sys.executable, "-c", script, ready_within_s=within_s)
    trial = place.folder / f"worker-{told[0].replace(' ', '-')}"
    done = place.run("verify", "INV-ISO-8", "--target", target, "--out", str(trial))
    assert done.returncode == 69, done.stderr
    assert all(each in done.stderr for each in told), done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in trial.iterdir()} == {"logs"}
    assert place.left() == []


def test_a_worker_command_that_is_not_there_is_told_before_anything_starts(place: Place) -> None:
    target = embedded(place, "./no-such-worker")
    done = place.run("verify", "INV-ISO-8", "--target", target)
    assert done.returncode == 64
    (line,) = done.stderr.splitlines()
    assert "no-such-worker" in line
    assert "line 5" in line


@pytest.fixture(scope="module")
def up(place: Place) -> Iterator[Supervisor]:
    """The reference platform without its worker, as `harness up` starts it."""
    with place.started("up", "--without-worker") as supervisor:
        assert supervisor.popen.stdout is not None
        for line in supervisor.popen.stdout:
            if line.startswith("# end it"):
                break
            supervisor.said[line.partition("=")[0].removeprefix("export ")] = line.partition("=")[2]
        temporary = Path(supervisor.state.folder)
        yield supervisor
        code, _, _ = supervisor.end(signal.SIGINT)
    assert code == 0
    assert not temporary.exists()


def external(place: Place, address: str, namespace: str) -> str:
    return place.target(
        f'engine: {{address: "{address}"}}\n'
        + TENANTS.replace("NAMESPACE", namespace)
        + "worker: {external: true}\n"
    )


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("command", ["verify", "doctor"])
def test_an_engine_that_cannot_be_reached_is_named(place: Place, command: str) -> None:
    address = closed_port()
    done = place.run(command, "--target", external(place, address, "beta"))
    assert done.returncode == 69
    assert address in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert place.left() == []


@pytest.mark.parametrize("command", ["verify", "doctor"])
def test_a_namespace_that_is_not_there_is_named(place: Place, up: Supervisor, command: str) -> None:
    address = up.said["TEMPORAL_ADDRESS"].strip().strip("'")
    done = place.run(command, "--target", external(place, address, "gamma"))
    assert done.returncode == 69
    assert "namespace gamma" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
