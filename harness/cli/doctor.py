"""`harness doctor`."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.cli.settle import given_target
from harness.drive.plan import TenantPlan
from harness.errors import EXIT_UNAVAILABLE, HarnessError, UnavailableError
from harness.run.prepare import engine_plan
from harness.target.model import Target
from harness.tools.cache import cache_folder

PROBE_WITHIN_S = 60
Line = dict[str, str | bool]


def run(options: argparse.Namespace) -> int:
    """Look at everything a run would need; 69 if something needed is not there."""
    target, _ = given_target(options.target)
    lines = [*_programs(target), _disk(Path.cwd(), "trials"), _disk(_cache(), "tool cache")]
    lines += _embedded() if target.engine.embedded else _engine(target)
    if options.format == "json":
        print(json.dumps(lines, indent=1))
    else:
        print("\n".join(_text(line) for line in lines))
    return 0 if all(line["ok"] or line.get("optional") for line in lines) else EXIT_UNAVAILABLE


def _text(line: Line) -> str:
    mark = "ok     " if line["ok"] else ("absent " if line.get("optional") else "MISSING")
    advice = "" if line["ok"] or not line.get("advice") else f"\n          {line['advice']}"
    return f"{mark} {line['what']}: {line['found']}{advice}"


def _programs(target: Target) -> list[Line]:
    return [*([_toxiproxy()] if "worker" in target.links else []), _time_skipping()]


def _time_skipping() -> Line:
    from harness.tools.temporal import find_time_skipping

    what = "server that skips time"
    try:
        return _line(what, True, str(find_time_skipping()))
    except UnavailableError as error:
        return {**_line(what, False, "needed by DUR-4 alone", str(error)), "optional": True}


def _toxiproxy() -> Line:
    from harness.tools.toxiproxy import known_toxiproxy

    path = known_toxiproxy()
    if path:
        return _line("toxiproxy", True, str(path))
    go = shutil.which("go")
    found = f"not built yet; Go is at {go}" if go else "not built yet, and no Go on PATH"
    return {
        **_line(
            "toxiproxy",
            False,
            found,
            "needed by `harness chaos` alone, which builds it once (about half a minute); "
            "without Go it brings one by pip",
        ),
        "optional": True,
    }


def _disk(path: Path, what: str) -> Line:
    free = shutil.disk_usage(path).free >> 20
    return _line(
        f"disk for {what}",
        free >= 500,
        f"{free} MiB free in {path}",
        "make room: a trial takes up to 100 MiB",
    )


def _cache() -> Path:
    path = cache_folder()
    return next(each for each in (path, *path.parents) if each.exists())


def _embedded() -> list[Line]:
    from harness.tools.temporal import find_temporal

    return [
        _tried("temporal server (embedded engine)", lambda: str(find_temporal())),
        _tried("reference worker", _reference_worker),
    ]


def _reference_worker() -> str:
    done = subprocess.run(
        [sys.executable, "-c", "import scenarios.reference.worker"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HarnessError(done.stderr.strip().splitlines()[-1])
    return "imports"


def _tried(what: str, look: Callable[[], str]) -> Line:
    try:
        return _line(what, True, look())
    except HarnessError as error:
        return _line(what, False, str(error), "run `make setup` again")


def _line(what: str, ok: bool, found: str, advice: str = "") -> Line:
    return {"what": what, "ok": ok, "found": found, "advice": advice}


def _engine(target: Target) -> list[Line]:
    """What a process that hosts the SDK sees of the engine."""
    ask = {
        "engine": engine_plan(target, target.engine.address or ""),
        "tenants": [
            TenantPlan(
                name=t.name, namespace=t.namespace, task_queues=_queues(target, t.task_queue)
            )
            for t in target.tenants
        ],
    }
    done = subprocess.run(
        [sys.executable, "-m", "harness.drive.probe"],
        check=False,
        input=msgspec.json.encode(ask),
        capture_output=True,
        timeout=PROBE_WITHIN_S,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    if lines:
        return lines
    last = done.stderr.decode(errors="replace").strip().splitlines()
    return [_line("engine", False, last[-1] if last else "the probe said nothing")]


def _queues(target: Target, task_queue: str) -> dict[str, str]:
    """A worker that the harness starts polls only while a run lasts; then there is none to see."""
    return {"calm": task_queue} if target.worker.external else {}
