"""`python -m harness.replay.folder PLAN`: replay a folder's histories in these surroundings.

Writes a line for each history as it is done, so that a crash loses only what was not; ends with
`os._exit`, like every process that hosts the SDK.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from temporalio.client import WorkflowHistory

from harness.errors import EXIT_BUG, EXIT_UNAVAILABLE, UnavailableError
from harness.replay.corpus import Entry
from harness.replay.digest import digests
from harness.replay.folder.plan import Line, Plan, Seen, Told
from harness.replay.frontend.plan import Wanted
from harness.replay.inprocess import UNKNOWN, Given, Result, replay, type_name, workflows_of
from harness.replay.recorded import Recorded, Unreadable, read
from harness.replay.surroundings import BY_NAME, enter, import_backwards, seen

AT_ONCE: Final = 200


def main() -> None:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    code = EXIT_BUG
    try:
        with (
            Path(plan.out).open("ab", buffering=0) as out,
            tempfile.TemporaryDirectory() as elsewhere,
        ):
            asyncio.run(_replay(plan, out, elsewhere))
            os.chdir(plan.folder)
        code = 0
    except UnavailableError as error:
        print(error, flush=True)
        code = EXIT_UNAVAILABLE
    except Exception:  # noqa: BLE001 - the outer border
        import traceback

        traceback.print_exc(file=sys.stdout)
    sys.stdout.flush()
    os._exit(code)


async def _replay(plan: Plan, out: IO[bytes], elsewhere: str) -> None:
    around, folder = BY_NAME[plan.surroundings], Path(plan.folder)
    enter(around)
    sys.path.insert(0, plan.folder)
    if around.backwards:
        import_backwards(plan.modules)
    workflows = workflows_of(plan.module, folder, "--workflows")
    settings = _settings(plan.replayer)
    if around.away:
        os.chdir(elsewhere)

    def tell(line: Line) -> None:
        out.write(msgspec.json.encode(line) + b"\n")

    tell(Seen(seen=seen(around, folder)))
    types = {type_name(each) for each in workflows}
    wanted = plan.wanted[::-1] if around.backwards else plan.wanted
    for first in range(0, len(wanted), AT_ONCE):  # so that a large folder needs little memory
        recorded = _readable(plan, wanted[first : first + AT_ONCE], types, tell)
        given = [_given(plan, each) for each in recorded]
        async for result in replay(given, workflows, settings, plan.passthrough):
            tell(_told(recorded[result.number], result))


def _settings(replayer: str) -> Mapping[str, Any]:
    """Further arguments of the SDK's replayer: a mapping, or a function that makes one."""
    if not replayer:
        return {}
    module, _, name = replayer.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
        settings = found() if callable(found) else found
        return dict(settings)
    except Exception as error:  # noqa: BLE001 - the platform's own code may raise anything
        raise UnavailableError(
            f"--replayer {replayer}: {type(error).__name__}: {str(error)[:200]}; name a mapping of "
            "arguments of temporalio.worker.Replayer, or a function that makes one"
        ) from None


def _readable(
    plan: Plan, some: list[Wanted], types: set[str | None], tell: Callable[[Line], None]
) -> list[Recorded]:
    """Those histories that can be replayed; what is wrong with the others is told."""
    found = []
    for wanted in some:
        entry = Entry(
            path=Path(wanted.path), name=wanted.name, tenant=wanted.tenant,
            namespace=wanted.namespace, workflow_id=wanted.workflow_id, run_id=wanted.run_id,
        )  # fmt: skip
        try:
            recorded = read(entry)
        except Unreadable as error:
            tell(Told(file=wanted.name, problem=str(error)))
            continue
        if recorded.workflow_type not in types and None not in types:
            known = ", ".join(sorted(str(each) for each in types))
            why = f"{plan.module} has no workflow {recorded.workflow_type!r} (it has: {known})"
            tell(_about(recorded, problem=why))
        elif not any(
            each.HasField("workflow_task_started_event_attributes") for each in recorded.events
        ):
            tell(_about(recorded, idle="no workflow task of it has begun"))
        else:
            found.append(recorded)
    return found


def _given(plan: Plan, recorded: Recorded) -> Given:
    history = WorkflowHistory(recorded.workflow_id, recorded.events)
    given = plan.namespace if plan.namespace != UNKNOWN else ""
    return Given(namespace=recorded.entry.namespace or given, history=lambda: history)


def _about(recorded: Recorded, **fields: Any) -> Told:
    return Told(
        file=recorded.entry.name,
        workflow_type=recorded.workflow_type,
        workflow_id=recorded.workflow_id,
        run_id=recorded.run_id,
        **fields,
    )


def _told(recorded: Recorded, result: Result) -> Told:
    if result.stuck:
        return _about(recorded, problem=result.stuck)
    ending, message, differences = result.strict
    return _about(
        recorded,
        stock=result.stock[:2],
        strict=(ending, message),
        differences=differences,
        commands=digests(result.captured.commands),
    )


if __name__ == "__main__":
    main()
