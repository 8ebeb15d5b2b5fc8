"""What may be forked, and where our processes leave their bytecode."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import pytest

from harness.platform.child import Children
from harness.platform.forks import Forks
from harness.platform.registry import Registry


@pytest.mark.parametrize(
    ("command", "taken"),
    [
        ([sys.executable, "-m", "scenarios.reference.worker"], True),
        ([sys.executable, "-m", "harness.drive", "plan.json"], True),
        ([sys.executable, "-m", "platform_of_a_company.worker"], False),
        ([sys.executable, "-m", "harnessed.worker"], False),
        ([sys.executable, "-P", "-m", "harness.replay"], False),
        ([sys.executable, "worker.py", "-m", "harness.drive"], False),
        (["/usr/bin/worker", "-m", "harness.drive"], False),
        (["rust/start"], False),
        ([sys.executable], False),
        ([sys.executable, "-m"], False),
    ],
)
def test_only_our_own_modules_are_forked(command: list[str], taken: bool) -> None:
    assert Forks(Path("nowhere")).takes(command) is taken


@pytest.mark.parametrize(
    ("variables", "kept"),
    [
        ({"PYTHONDONTWRITEBYTECODE": "1"}, True),
        ({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "elsewhere"}, False),
        ({}, False),
    ],
)
def test_bytecode_that_must_not_lie_beside_the_sources_lies_in_the_cache(
    variables: dict[str, str], kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"):
        monkeypatch.delenv(name, raising=False)
    env = {k: str(tmp_path / v) if v == "elsewhere" else v for k, v in variables.items()}
    assert asyncio.run(_run(tmp_path, env)) == 0
    compiled = list((tmp_path / "cache/bytecode").rglob("harness/**/*.pyc"))
    assert bool(compiled) is kept


async def _run(folder: Path, env: dict[str, str]) -> int | None:
    with contextlib.closing(Registry(folder / "running")) as registry:
        async with Children(registry, folder) as children:
            child = await children.start(
                "double", [sys.executable, "-m", "harness.doubles", "--help"], env=env
            )
            return await child.wait(30)
