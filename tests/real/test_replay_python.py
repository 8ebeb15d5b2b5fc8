"""`harness replay --workflows`: a platform's own Python code against a folder, in its own CI."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.unit.recorded import Recorded
from tests.unit.test_source_sarif import check_sarif

pytestmark = pytest.mark.real

FLOWS = """
    from datetime import timedelta
    from temporalio import workflow
    {imports}

    @workflow.defn
    class Saga:
        @workflow.run
        async def run(self, argument: dict) -> dict:
            await workflow.execute_activity(
                "rms.reserve", {given}, start_to_close_timeout=timedelta(seconds=10)
            )
            await workflow.sleep(10)
            {more}
            return {{"done": True}}
"""
AS_RECORDED = '{"resource": "item", "amount": 1, "urgent": True}'


def flows(folder: Path, given: str = AS_RECORDED, imports: str = "", more: str = "") -> None:
    """The module `flows`, as it recorded the histories but for these lines."""
    source = textwrap.dedent(FLOWS).format(given=given, imports=imports, more=more)
    (folder / "flows.py").write_text(source)


def write(folder: Path, name: str, recorded: Recorded) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"events": recorded.events}))
    return path


def plain(number: int = 0) -> Recorded:
    run_id = f"01a2069a-fc4b-7883-a955-1051a869d2{number:02}"
    return Recorded(run_id).activity().timer().completed({"done": True})


def histories(folder: Path, count: int = 2) -> Path:
    for number in range(count):
        write(folder / "histories", f"saga-{number}", plain(number))
    return folder / "histories"


def replay(folder: Path, *options: str, module: str = "flows") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "harness", "replay", "--workflows", module, "--cwd", str(folder),
            "--histories", str(folder / "histories"), *options,
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def judged(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = replay(folder, "--format", "json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def modes(told: dict[str, Any], outcome: str) -> set[str]:
    return {each["mode"] for each in told["verdicts"] if each["outcome"] == outcome}


def test_the_code_that_recorded_them_passes(tmp_path: Path) -> None:
    flows(tmp_path)
    histories(tmp_path)
    code, told = judged(tmp_path)
    assert (code, told["counts"]) == (0, {"pass": 2})
    assert modes(told, "pass") == {"stock", "strict", "perturbed"}
    assert {"hash_seed", "time_zone", "locale", "folder", "order"} <= set(told["varied"])
    assert [each["outcome"] for each in told["static"]] == ["pass", "pass"]


def test_another_input_fails_and_is_shown(tmp_path: Path) -> None:
    flows(tmp_path, given='{"resource": "item", "amount": 2, "urgent": True}')
    histories(tmp_path)
    done = replay(tmp_path)
    assert done.returncode == 1
    assert 'recorded [{"amount": 1' in done.stdout
    assert 'answered [{"amount": 2' in done.stdout


def test_a_hash_is_found_three_times_over(tmp_path: Path) -> None:
    """By reading, against the record, and between the surroundings; the stock replayer passes."""
    flows(tmp_path, given='{"resource": "item", "amount": hash("x"), "urgent": True}')
    histories(tmp_path)
    code, told = judged(tmp_path)
    assert code == 1
    assert modes(told, "fail") == {"strict", "perturbed"}
    assert [each["outcome"] for each in told["static"]] == ["fail", "pass"]
    document = json.loads(replay(tmp_path, "--format", "sarif").stdout)
    check_sarif(document)
    assert {each["ruleId"] for each in document["runs"][0]["results"]} == {
        "hash-or-id", "replay-strict", "replay-perturbed",
    }  # fmt: skip


def test_state_that_outlives_a_run_is_found_by_the_order_of_the_histories(tmp_path: Path) -> None:
    """Three histories, replayed forwards and backwards: a counter gives them other numbers."""
    (tmp_path / "counter.py").write_text("from itertools import count\nNUMBERS = count(1)\n")
    block = "with workflow.unsafe.imports_passed_through():\n        import counter"
    flows(
        tmp_path,
        imports=block.replace("        import", "    import"),
        given='{"resource": "item", "amount": next(counter.NUMBERS), "urgent": True}',
    )
    histories(tmp_path, 3)
    code, told = judged(tmp_path, "--reviewed", "counter")
    assert code == 1
    assert "perturbed" in modes(told, "fail")
    assert [each["outcome"] for each in told["static"]] == ["fail", "pass"]


def test_files_that_cannot_be_judged_are_named_and_the_others_judged(tmp_path: Path) -> None:
    flows(tmp_path)
    folder = histories(tmp_path)
    other = plain(2)
    other.events[0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"] = "Other"
    write(folder, "unknown-type", other)
    newer = plain(3)
    newer.add("WORKFLOW_TELEPORTED")
    write(folder, "newer-server", newer)
    begun = Recorded()
    del begun.events[1:]
    write(folder, "not-begun", begun)
    (folder / "no-json.json").write_text("to be or not to be")
    (folder / "cut-off.json").write_bytes(write(folder, "whole", plain(4)).read_bytes()[:900])
    code, told = judged(tmp_path)
    assert code == 2
    assert told["counts"] == {"pass": 3, "inconclusive": 4, "not applicable": 1}
    said = {each["file"]: each["message"] for each in told["verdicts"] if each["mode"] == "read"}
    assert "no workflow 'Other' (it has: Saga)" in said["unknown-type.json"]
    assert "WORKFLOW_TELEPORTED" in said["newer-server.json"]
    assert "not JSON" in said["no-json.json"]
    assert "cut off" in said["cut-off.json"]
    assert "no workflow task of it has begun" in said["not-begun.json"]


def test_code_that_ends_the_process_is_no_crash_of_ours_and_no_pass(tmp_path: Path) -> None:
    flows(
        tmp_path,
        imports="import sys",
        more='sys._clear_type_cache(); __import__("ctypes").string_at(0)',
    )
    histories(tmp_path)
    code, told = judged(tmp_path)
    assert code in (1, 2)
    assert "pass" not in modes(told, "pass")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "module flows does not import"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "has no workflow class"),
        (
            "import sys\nfrom temporalio import workflow\n"
            "if workflow.unsafe.in_sandbox():\n    raise ValueError('not here')\n"
            "@workflow.defn\nclass Saga:\n    @workflow.run\n    async def run(self): ...\n",
            "not here",
        ),
    ],
)
def test_a_module_that_cannot_be_replayed_is_told_in_one_line(
    tmp_path: Path, source: str | None, said: str
) -> None:
    histories(tmp_path)
    if source is not None:
        (tmp_path / "flows.py").write_text(source)
    done = replay(tmp_path)
    assert (done.returncode, done.stdout) == (69, "")
    (line,) = done.stderr.splitlines()
    assert said in line


def test_an_empty_folder_and_wrong_options_are_told_in_one_line(tmp_path: Path) -> None:
    flows(tmp_path)
    (tmp_path / "histories").mkdir()
    for options, code, said in (
        ((), 64, "no history"),
        (("--perturbed", "-1"), 64, "no history"),
    ):
        done = replay(tmp_path, *options)
        assert done.returncode == code
        assert said in done.stderr
    histories(tmp_path)
    for options, code, said in (
        (("--perturbed", "-1"), 64, "--perturbed -1"),
        (("--setup", "nowhere"), 69, "--setup nowhere"),
        (("--replayer", "nowhere:x"), 69, "--replayer nowhere:x"),
    ):
        done = replay(tmp_path, *options)
        assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
        assert said in done.stderr


def test_the_platforms_own_converter_is_used(tmp_path: Path) -> None:
    flows(tmp_path)
    histories(tmp_path)
    (tmp_path / "ours.py").write_text(
        "from temporalio.converter import DataConverter\n"
        "from temporalio.worker import UnsandboxedWorkflowRunner\n"
        "def settings():\n"
        "    return {'data_converter': DataConverter.default,\n"
        "            'workflow_runner': UnsandboxedWorkflowRunner()}\n"
    )
    code, _ = judged(tmp_path, "--replayer", "ours:settings")
    assert code == 0
