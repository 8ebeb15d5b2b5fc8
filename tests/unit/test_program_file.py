"""Program files: what is drawn can be written and read again, and a misfit is one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run
from harness.errors import UsageError
from harness.program_file import file_of, read_program_file
from scenarios.conformance.generated import draw

ALL = frozenset({"service-faults", "kill-worker", "rpc-faults"})
STEP = {
    "kind": "step",
    "service": "rms",
    "operation": "reserve",
    "compensation": "release",
    "resource": "r",
}
PLAIN: dict[str, Any] = {"name": "n", "feeds": ["INV-IDEM-10"], "program": {"nodes": [STEP]}}


def read(folder: Path, plain: Any, allowed: frozenset[str] = ALL) -> Any:
    path = folder / "case.json"
    path.write_text(plain if isinstance(plain, str) else json.dumps(plain))
    return read_program_file(path, 2, allowed)


@pytest.mark.parametrize("seed", range(1, 6))
def test_what_is_drawn_is_the_same_when_read_again(seed: int, tmp_path: Path) -> None:
    for case in draw(seed, ALL, frozenset()):
        path = tmp_path / f"{case.name}.json"
        path.write_bytes(file_of(case, seed=str(seed)).to_json())
        again = read_program_file(path, 2, ALL).case
        assert (again.nodes, again.script, again.rpc) == (case.nodes, case.script, case.rpc)
        assert (again.name, again.tenants, again.group) == (case.name, case.tenants, case.group)
        assert again.needs == case.needs


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ("{", "not JSON"),
        ("[]", "Expected `object`"),
        ({**PLAIN, "groop": "calm"}, "groop"),
        ({"name": "n", "feeds": ["X"]}, "program"),
        ({**PLAIN, "name": "a b"}, r"\$.name"),
        ({**PLAIN, "feeds": []}, r"\$.feeds"),
        ({**PLAIN, "program": {"nodes": []}}, r"\$.program.nodes"),
        ({**PLAIN, "program": {"nodes": [{**STEP, "operation": "charge"}]}}, r"nodes\[0\]"),
        ({**PLAIN, "program": {"nodes": [{**STEP, "extra": 1}]}}, "extra"),
        ({**PLAIN, "program": {"nodes": [{**STEP, "start_to_close_ms": 0}]}}, "minimum|nodes"),
        ({**PLAIN, "program": {"nodes": [{"kind": "wait", "signal": "go"}]}}, "nobody sends 'go'"),
        ({**PLAIN, "script": [{"kind": "cancel", "after_step": 1}]}, "node 1 is no step"),
        ({**PLAIN, "script": [{"kind": "explode"}]}, "explode"),
        ({**PLAIN, "tenants": 2}, "the target has 2"),
        ({**PLAIN, "group": "clam"}, "'clam' is no group"),
        ({**PLAIN, "rpc": [{"action": "refuse"}]}, "need the group 'wire'"),
        ({**PLAIN, "rpc": [{"action": "refuse", "often": 1}]}, "often"),
        (
            {**PLAIN, "program": {"nodes": [{**STEP, "behaviour": {"hold": "after"}}]}},
            "the group must be 'crash'",
        ),
        (
            {**PLAIN, "program": {"nodes": [{**STEP, "behaviour": {"hold": "during"}}]}},
            "during|nodes",
        ),
    ],
)
def test_a_misfit_is_one_line_with_what_and_where(plain: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        read(tmp_path, plain)
    assert str(caught.value).startswith(str(tmp_path / "case.json"))
    assert "\n" not in str(caught.value)


def test_a_fault_that_the_target_forbids_is_the_users_error(tmp_path: Path) -> None:
    faulty = {**PLAIN, "program": {"nodes": [{**STEP, "behaviour": {"fail": 1}}]}}
    with pytest.raises(UsageError, match=r"service-faults.*allow.faults"):
        read(tmp_path, faulty, frozenset())


@pytest.mark.parametrize("feeds", [["INV-IDEM-99"], ["SLO-REL-1"]])
def test_a_file_feeds_what_its_profile_asks(
    feeds: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps({**PLAIN, "feeds": feeds}))
    assert run(["verify", "--program", str(path)]) == 64
    assert feeds[0] in capsys.readouterr().err


def test_the_command_line_says_it_in_one_line_with_exit_64(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", "--program", str(tmp_path / "none.json")]) == 64
    assert capsys.readouterr().err.count("\n") == 1
    assert run(["verify", "DUR-5", "--program", str(tmp_path / "none.json")]) == 64
