"""A defect that only a combination shows: drawn, found, shrunk, and run again from its file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from harness.contract.program import ContinueAsNew, Step
from harness.program_file import read_program_file
from tests.real.commands import Place

pytestmark = pytest.mark.real
MUTANT = ("--mutant", "doubtful-forgotten-once-continued")
ALL = ("service-faults", "kill-worker", "rpc-faults")
WITHIN_S = 180


def test_what_a_seed_finds_is_shrunk_to_a_file_that_fails_again(tmp_path: Path) -> None:
    place, trial = Place(tmp_path), tmp_path / "trial"
    done = place.run(
        "verify", "INV-IDEM-10", "--seed", "59", "--out", str(trial), *MUTANT,
        "--shrink-budget", "20", within_s=WITHIN_S,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "shrunk INV-IDEM-10" in done.stdout
    assert "seed 59" in done.stdout
    shrunk = trial / "shrunk-INV-IDEM-10.json"
    file = read_program_file(shrunk, 2, ALL)
    assert [type(node) for node in file.program.nodes] == [ContinueAsNew, Step]
    assert f"verify --program {shrunk}" in done.stdout

    def again(name: str, *more: str) -> int:
        out = ("--no-show", "--out", str(tmp_path / name))
        return place.run(
            "verify", "--program", str(shrunk), *out, *more, within_s=WITHIN_S
        ).returncode

    with ThreadPoolExecutor() as pool:
        broken, sound = pool.submit(again, "broken", *MUTANT), pool.submit(again, "sound")
    assert (broken.result(), sound.result()) == (1, 0)
    manifest = msgspec.json.decode((trial / "shrink" / "manifest.json").read_bytes())
    assert manifest["ended"] == "complete"
    assert place.left() == []
