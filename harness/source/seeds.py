"""Defects sown for the static rules, one for each, and sound code beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from harness.journal.records import Seed, now
from harness.source.rules import (
    ASYNCIO,
    CLIENT_IMPORT,
    CLOCK,
    ENVIRONMENT,
    FILES,
    GLOBAL_STATE,
    IDENTITY,
    NOT_AWAITED,
    PASSED_THROUGH,
    PDP_CLIENT,
    RANDOMNESS,
    SET_ORDER,
    THREADS,
    UNRESTRICTED,
    UNSANDBOXED_RUNNER,
    UNSANDBOXED_WORKFLOW,
)
from harness.source.scan import scan

DETECTOR: Final = "source"
_MODULE: Final = """\
import asyncio, os, random, threading, time
from datetime import timedelta
from temporalio import workflow
from temporalio.worker import {runner}, Worker
{top}

@workflow.defn{options}
class Seeded:
    @workflow.run
    async def run(self):
        {line}

def main(client):
    Worker(client, workflow_runner={runner}())
"""
_SANDBOX: Final = "SandboxedWorkflowRunner"
# by rule: what goes into the module, else its lines are sound
DEFECTS: Final[dict[str, dict[str, str]]] = {
    CLIENT_IMPORT: {"top": "import requests"},
    PDP_CLIENT: {"top": "import socket", "line": "socket.create_connection(('pdp', 80))"},
    RANDOMNESS: {"line": "random.random()"},
    CLOCK: {"line": "time.time()"},
    ENVIRONMENT: {"line": "os.environ['HOME']"},
    FILES: {"line": "open('settings')"},
    THREADS: {"line": "threading.Thread(target=print)"},
    ASYNCIO: {"line": "await asyncio.wait([])"},
    SET_ORDER: {"line": "[word for word in {'a', 'b'}]"},
    IDENTITY: {"line": "hash('word')"},
    GLOBAL_STATE: {"top": "SEEN = []", "line": "SEEN.append(1)"},
    NOT_AWAITED: {"line": "workflow.sleep(1)"},
    UNSANDBOXED_RUNNER: {"runner": "UnsandboxedWorkflowRunner"},
    UNSANDBOXED_WORKFLOW: {"options": "(sandboxed=False)"},
    UNRESTRICTED: {"line": "with workflow.unsafe.sandbox_unrestricted(): pass"},
    PASSED_THROUGH: {"top": "with workflow.unsafe.imports_passed_through():\n    import acme"},
}
SOUND: Final[dict[str, str]] = {
    "workflow's own clock and chance": "workflow.now(), workflow.random().random()",
    "a seeded generator": "random.Random(7).random()",
    "a sorted set": "[word for word in sorted({'a', 'b'})]",
    "asyncio's tasks": "await asyncio.gather(asyncio.sleep(1), workflow.sleep(2))",
    "an activity": "await workflow.execute_activity('x', start_to_close_timeout=timedelta(1))",
}


def sown(without: Collection[str] = (), also: Collection[str] = ()) -> Iterator[Seed]:
    """Scan each; `without` are rules that are left out, `also` names forbidden beside them."""
    with tempfile.TemporaryDirectory() as folder:
        for rule, parts in DEFECTS.items():
            found = _rules(Path(folder), parts, without, also)
            yield _seed(rule, found, sound=False, alarmed=rule in found)
        for name, line in SOUND.items():
            found = _rules(Path(folder), {"line": line}, without, also)
            yield _seed(name, found, sound=True, alarmed=bool(found))


def _seed(name: str, found: list[str], *, sound: bool, alarmed: bool) -> Seed:
    return Seed(
        **now(), detector=DETECTOR, name=name, sound=sound, alarmed=alarmed, said=", ".join(found)
    )


def _rules(
    folder: Path, parts: dict[str, str], without: Collection[str], also: Collection[str]
) -> list[str]:
    usual = {"runner": _SANDBOX, "top": "", "options": "", "line": "pass"}
    (folder / "seeded.py").write_text(_MODULE.format(**{**usual, **parts}))
    found = scan("seeded", folder, setup="seeded", without=without, also=also)
    return sorted({each.rule for each in found.findings})
