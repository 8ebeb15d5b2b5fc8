"""The Rust worker: the whole core profile passes on it, and defects seeded in it are found.

Run by `make test-languages`, which builds it first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "scenarios" / "reference" / "rust.yaml"
PATIENCE_S = 300.0

pytestmark = pytest.mark.languages

# what only Python's code can be asked: it is listed, neither passed nor failed
ONLY_PYTHON = {
    "INV-PDP-13", "INV-DET-3", "INV-DET-5", "INV-DET-6", "INV-DET-8", "INV-VER-2", "INV-VER-3",
}  # fmt: skip

# what is broken in the worker, and what must fail for it
SEEDED = {
    "any-context": ("INV-PDP-3", "INV-PDP-8"),
    "ask-once": ("INV-PDP-2",),
    "attempt-in-key": ("INV-IDEM-4",),
    "forward-compensation": ("DUR-5",),
    "changed-result": ("INV-IDEM-8",),
}

# builds that replay what the sound one recorded, and what must differ
REPLAYED = {
    "changed-result": "WORKFLOW_EXECUTION_COMPLETED.result",
    "changed-input": "ACTIVITY_TASK_SCHEDULED.input",
    "longer-timer": "TIMER_STARTED.start_to_fire_timeout",
    "timer-before": "command",
    "forward-compensation": "command",
}


def verify(target: Path, out: Path, *ids: str) -> tuple[int, dict[str, Any]]:
    """One run of the command line: its exit code and what it says as JSON."""
    command = [sys.executable, "-m", "harness", "verify", *ids, "--target", str(target)]
    done = subprocess.run(
        [*command, "--format", "json", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def outcomes(told: dict[str, Any]) -> dict[str, str]:
    return {each["id"]: each["outcome"] for each in told["verdicts"]}


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    return verify(TARGET, tmp_path_factory.mktemp("rust") / "core")


def test_the_whole_core_profile_passes_on_it(core: tuple[int, dict[str, Any]]) -> None:
    code, told = core
    others = {id_: outcome for id_, outcome in outcomes(told).items() if outcome != "pass"}
    assert others == dict.fromkeys(ONLY_PYTHON, "not applicable")
    assert code == 0


def seeded(defect: str, folder: Path) -> Path:
    """The target with the build that has defects, and this one chosen."""
    target = msgspec.yaml.decode(TARGET.read_bytes())
    target["worker"] |= {
        "command": ["rust/start", "worker-seeded"],
        "cwd": str(TARGET.parent),
        "env": {"SEEDED_DEFECT": defect},
    }
    target["exporter"]["cwd"] = str(ROOT)
    path = folder / "seeded.yaml"
    path.write_bytes(msgspec.yaml.encode(target))
    return path


@pytest.mark.parametrize(("defect", "ids"), SEEDED.items())
def test_a_seeded_defect_fails_the_checks_that_exist_for_it(
    defect: str, ids: tuple[str, ...], tmp_path: Path
) -> None:
    code, told = verify(seeded(defect, tmp_path), tmp_path / "out", *ids)
    assert code == 1
    assert {id_: outcomes(told)[id_] for id_ in ids} == dict.fromkeys(ids, "fail")


def replayed(trial: Path, build: str, *options: str) -> tuple[int, dict[str, Any]]:
    """The histories of a trial before a build of the worker, over the wire."""
    command = [sys.executable, "-m", "harness", "replay", "--histories", str(trial)]
    done = subprocess.run(
        [*command, "--worker", build, "--format", "json", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_it_answers_the_histories_of_the_whole_profile_as_recorded(
    core: tuple[int, dict[str, Any]],
) -> None:
    code, told = replayed(Path(core[1]["folder"]), "scenarios/reference/rust/start")
    assert [each for each in told["verdicts"] if each["outcome"] in ("fail", "inconclusive")] == []
    assert code == 0
    assert told["counts"]["pass"] > 100


@pytest.mark.parametrize(("defect", "attribute"), REPLAYED.items())
def test_another_build_differs_in_what_was_changed(
    core: tuple[int, dict[str, Any]], defect: str, attribute: str
) -> None:
    start = "scenarios/reference/rust/start worker-seeded"
    build = f"sh -c 'SEEDED_DEFECT={defect} exec {start}'"
    code, told = replayed(Path(core[1]["folder"]), build, "--mode", "warm")
    assert code == 1
    red = [
        d for v in told["verdicts"] for d in v.get("differences", []) if d["severity"] == "error"
    ]
    assert attribute in {each["attribute"] for each in red}
