"""The command line: what it says of wrong input, and what it does not load to say so."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run
from harness.errors import DriveError, UnavailableError
from harness.journal.manifest import INTERRUPTED
from harness.journal.read import hand_made_manifest
from harness.journal.write import SegmentWriter
from harness.trial import open_trial
from tests.unit.records import ONE_OF_EACH

COMMANDS: dict[str, tuple[str, ...]] = {
    "verify": ("ID", "--profile", "--target", "--out", "--waivers", "--format", "--no-show"),
    "load": (
        "--shape",
        "--rate",
        "--duration",
        "--seed",
        "--target",
        "--out",
        "--waivers",
        "--format",
    ),
    "capacity": (
        *("--workload", "--start", "--max-rate", "--budget", "--resolution", "--repeats"),
        *("--workers", "--seed", "--target", "--out", "--waivers", "--format"),
    ),
    "compare": (
        "TRIAL",
        "--with",
        "--figures",
        "--tolerance",
        "--share-tolerance",
        "--calibrate",
        "--interleave",
        "--target-b",
        "--rate",
        "--format",
    ),
    "chaos": ("SCHEDULE", "--seed", "--target", "--out", "--waivers", "--format"),
    "recheck": ("TRIAL", "--salvage", "--format"),
    "report": ("TRIAL", "--out", "--format"),
    "mutants": ("ID", "--profile", "--jobs", "--out", "--format"),
    "catalogue": ("ID", "--format"),
    "init": ("FILE",),
    "doctor": ("--target", "--format"),
    "up": ("--without-worker",),
}
TARGET = """\
engine: {address: "127.0.0.1:1"}
tenants:
  - {name: alpha, namespace: alpha, task_queue: alpha-sagas}
  - {name: beta, namespace: beta, task_queue: beta-sagas}
worker: {external: true}
"""
WAIVER = "- {id: INV-PDP-3, reason: r, owner: o, expires: 2030-01-01, more: 1}\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of files that are wrong in one way each; the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "target.yaml").write_text(TARGET)
    (tmp_path / "misspelt.yaml").write_text(TARGET.replace("external", "extrenal"))
    (tmp_path / "cut.yaml").write_text("engine: {address: ")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "waivers-bad.yaml").write_text(WAIVER)
    (tmp_path / "schedule.yaml").write_text("name: x\nfaults: []\n")
    (tmp_path / "file").touch()
    (tmp_path / "used" / "journal").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["verfy"], 64, "did you mean verify?"),
        (["--nonsense"], 64, "--help"),
        (["--"], 64, "--help"),
        (["verify", "--nonsense"], 64, "--nonsense"),
        (["verify", "--prof", "core"], 64, "--prof"),
        (["verify", "--format", "xml"], 64, "'text', 'json'"),
        (["verify", "--profile", "cor"], 64, "did you mean core?"),
        (["verify", "INV-PDP-99"], 64, "INV-PDP-99"),
        (["verify", "inv-pdp-3"], 64, "INV-PDP-3"),
        (["verify", "SLO-REL-1"], 64, "in load"),
        (["verify", "--target", "nowhere.yaml"], 64, "nowhere.yaml"),
        (["verify", "--target", "empty"], 64, "empty"),
        (["verify", "--target", "cut.yaml"], 64, "cut.yaml:"),
        (["verify", "--target", "list.yaml"], 64, "list.yaml:"),
        (["verify", "--target", "misspelt.yaml"], 64, "did you mean external?"),
        (["doctor", "--target", "misspelt.yaml"], 64, "did you mean external?"),
        (["verify", "--waivers", "nowhere.yaml"], 64, "nowhere.yaml"),
        (["verify", "--waivers", "waivers-bad.yaml"], 64, "waivers-bad.yaml: line 1: "),
        (["verify", "--out", "used"], 64, "used: holds a trial already"),
        (["verify", "--out", "file"], 69, "file: "),
        (["verify", "--out", "file/below"], 69, "give --out a folder that can be written"),
        (["load", "--rate", "many"], 64, "'many'"),
        (["load", "--rate", "0"], 64, "rate"),
        (["load", "--rate", "-3"], 64, "rate"),
        (["load", "--rate", "nan"], 64, "rate"),
        (["load", "--rate", "inf"], 64, "rate"),
        (["load", "--rate", "1e9"], 64, "max_rate_per_s"),
        (["load", "--duration", "0"], 64, "duration"),
        (["load", "--duration", "nan"], 64, "duration"),
        (["capacity", "--budget", "0"], 64, "--budget 0"),
        (["capacity", "--budget", "nan"], 64, "--budget nan"),
        (["capacity", "--budget", "30"], 64, "one step at 2/s may take"),
        (["capacity", "--start", "0"], 64, "--start 0"),
        (["capacity", "--start", "1e9"], 64, "max_rate_per_s"),
        (["capacity", "--max-rate", "1e9"], 64, "max_rate_per_s"),
        (["capacity", "--start", "9", "--max-rate", "8"], 64, "above --max-rate 8"),
        (["capacity", "--resolution", "0"], 64, "--resolution 0"),
        (["capacity", "--repeats", "0"], 64, "--repeats 0"),
        (["capacity", "--workload", "visibility"], 64, "searched with saga;"),
        (["capacity", "--workload", "saw"], 64, "searched with saga;"),
        (["capacity", "--workers", "2,1"], 64, "ascending"),
        (["capacity", "--workers", "0"], 64, "from 1 to 16"),
        (["capacity", "--workers", "one"], 64, "whole numbers"),
        (["capacity", "--mutant", "nobody"], 64, "nobody"),
        (["load", "--shape", "saw"], 64, "choose from constant, ramp:1-20, "),
        (["load", "--shape", "ramp:1-20", "--rate", "5"], 64, "rate 5 contradicts ramp:1-20"),
        (["load", "--shape", "steps:5x30", "--duration", "60"], 64, "duration 60 contradicts"),
        (
            ["load", "--rate", "0", "--shape", "burst:rate=9,every=5,for=5"],
            64,
            "between two bursts",
        ),
        (
            ["load", "--rate", "400", "--shape", "day:peak=3"],
            64,
            "reaches 1200 arrivals per second",
        ),
        (["load", "--target", "target.yaml"], 64, "does not allow load"),
        (["chaos", "worker-lnk-cut"], 64, "worker-link-cut"),
        (["chaos", "nowhere.yaml"], 64, "nowhere.yaml"),
        (["chaos", "schedule.yaml"], 64, "schedule.yaml:"),
        (["chaos", "--target", "target.yaml"], 64, "link-cut"),
        (["recheck"], 64, "TRIAL"),
        (["recheck", "nowhere"], 64, "nowhere: no such trial folder"),
        (["recheck", "empty"], 64, "--salvage"),
        (["recheck", "--salvage", "empty"], 64, "nothing to salvage"),
        (["recheck", "file"], 64, "file: no such trial folder"),
        (["report", "nowhere"], 64, "nowhere"),
        (["report"], 64, "TRIAL"),
        (["mutants", "no-such-mutant"], 64, "no-such-mutant"),
        (["mutants", "--profile", "cor"], 64, "cor"),
        (["mutants", "--jobs", "-1"], 64, "--jobs"),
        (["mutants", "clock-read", "--resume"], 64, "--out DIR"),
        (["catalogue", "INV-PDP-99"], 64, "INV-PDP-99"),
        (["catalogue", "INV-PDP-3", "--format", "json", "INV-NO-1"], 64, "INV-NO-1"),
        (["init", "target.yaml"], 64, "target.yaml: exists already"),
        (["init", "nowhere/target.yaml"], 69, "nowhere/target.yaml"),
        (["up", "now"], 64, "now"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_for_each_problem_that_says_what_and_where(
    argv: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert run(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    first, *more = err.splitlines()
    assert first.startswith("harness: ")
    assert all(argv[-1] in line for line in more)  # a file with several problems
    assert told in err
    after = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert after == before


def test_all_problems_of_a_target_file_are_told_at_once_each_with_its_line(
    capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    text = TARGET.replace("external", "extrenal").replace("namespace: beta", "namespce: beta")
    (place / "two.yaml").write_text(text)
    assert run(["verify", "--target", "two.yaml"]) == 64
    told = capsys.readouterr().err
    assert "two.yaml: line 4" in told
    assert "two.yaml: line 5" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_names_its_options_and_teaches(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run([command, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert [option for option in COMMANDS[command] if option not in told] == []
    assert f"usage: harness {command}" in told
    assert len(told.splitlines()) > 4


def test_the_help_names_every_command_and_every_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for argv in ([], ["--help"]):
        with pytest.raises(SystemExit) as ended:
            run(argv)
        assert ended.value.code == 0
        told = capsys.readouterr().out
        assert [name for name in COMMANDS if f"\n    {name}" not in told] == []
        assert all(f"  {code} " in told for code in (0, 1, 2, 64))
        assert all(f" {code} " in told for code in (69, 70))


def test_without_a_target_file_init_writes_one_that_can_be_read(
    capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    assert run(["init", "mine.yaml"]) == 0
    assert "harness doctor --target mine.yaml" in capsys.readouterr().out
    assert (place / "mine.yaml").read_text().startswith("#")


def test_the_catalogue_is_a_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["catalogue", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 178
    assert all(
        {"id", "statement", "level", "kinds", "judged_by", "mutants"} <= set(row) for row in rows
    )
    assert {row["judged_by"] for row in rows} == {"check", "attest", "not yet"}


def test_one_assertion_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["catalogue", "INV-PDP-3"]) == 0
    assert "INV-PDP-3" in capsys.readouterr().out


# --- trials


def sealed(folder: Path, **manifest: Any) -> Path:
    trial = open_trial("verify", folder)
    with SegmentWriter(trial.journal, "supervisor", trial.id) as writer:
        writer.write(ONE_OF_EACH[-1])
    trial.seal(hand_made_manifest(trial_id=trial.id, asked=["INV-ISO-6"], **manifest))
    trial.release()
    return folder


def test_recheck_ends_with_the_verdict_and_says_it_on_one_screen(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed(place / "trial")
    assert run(["recheck", "trial"]) == 2
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith("INCONCLUSIVE  verify core, trial ") for line in told)
    assert any("INV-ISO-6" in line and "not enough evidence" in line for line in told)
    assert len(told) < 25


def test_recheck_for_programs_is_json_and_nothing_else(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed(place / "trial", ended=INTERRUPTED)
    assert run(["recheck", "--format", "json", "trial"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["exit_code"], told["ended"]) == ("inconclusive", 2, INTERRUPTED)
    assert [each["id"] for each in told["verdicts"]] == ["INV-ISO-6"]


def test_a_trial_that_was_edited_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = sealed(place / "trial") / "journal" / "supervisor.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b"0.25", b"0.52"))
    assert run(["recheck", "trial"]) == 64
    assert "it was edited" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_no_bug(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed(place / "trial")
    assert run(["report", "trial", "--out", "nowhere/page.html"]) == 69
    assert "nowhere/page.html" in capsys.readouterr().err


def test_a_merged_report_ends_with_the_worst_of_its_trials(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [str(sealed(place / "a")), str(sealed(place / "b"))]
    assert run(["report", *trials, "--format", "json"]) == 2
    assert json.loads(capsys.readouterr().out)["verdict"] == "inconclusive"
    assert (place / "b" / "merged.html").exists()


# --- the outer border


def failing_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def fails(_: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr("harness.cli.recheck.run", fails)
    return run(["recheck", "trial"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnavailableError("no engine"), 69),
        (DriveError("the drive ended with 1"), 70),
        (KeyboardInterrupt(), 2),
        (PermissionError(13, "Permission denied", "out/x"), 69),
        (OSError(28, "No space left on device", "out/x"), 69),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_not_a_bug_is_one_line(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert failing_with(error, monkeypatch) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("harness: ")


def test_what_was_added_to_an_error_on_its_way_is_told_below_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = DriveError("the drive ended with 1")
    error.add_note("what was recorded is kept")
    assert failing_with(error, monkeypatch) == 70
    assert capsys.readouterr().err.splitlines()[1] == "harness: what was recorded is kept"


def test_a_bug_keeps_its_traceback_and_has_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing_with(ZeroDivisionError("oh"), monkeypatch) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "bug of the harness" in told


def python(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


HEAVY = ("temporalio", "locust", "pandas", "gevent", "numpy", "jinja2", "aiohttp", "pytest")


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["verify", "--help"], ["nonsense"]])
def test_help_loads_nothing_heavy(argv: Sequence[str]) -> None:
    script = (
        "import sys\n"
        "from harness.cli import run\n"
        "try:\n"
        f"    run({list(argv)!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules])\n"
    )
    assert python("-c", script).stdout.splitlines()[-1] == "LOADED []"


def test_a_reader_that_has_enough_is_no_bug() -> None:
    """`harness catalogue | head -1`."""
    script = f"{sys.executable} -m harness catalogue --format json | head -c 1"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[", "")
