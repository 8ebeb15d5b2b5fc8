"""Surroundings differ in all that is claimed, and digests of commands tell contents apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_commands import ScheduleActivity, StartTimer
from temporalio.converter import DefaultPayloadConverter

from harness.replay.capture import Command
from harness.replay.digest import digests
from harness.replay.surroundings import TABLE, VARIED, command

SEEN = """
import json, os, sys
from pathlib import Path
from harness.replay.surroundings import BY_NAME, enter, seen
around = BY_NAME[sys.argv[1]]
folder = Path.cwd()
enter(around)
if around.away:
    os.chdir("/")
print(json.dumps(seen(around, folder)))
"""


def test_everything_that_is_said_to_be_varied_is() -> None:
    found = []
    for around in TABLE:
        done = subprocess.run(
            [*command(around)[:-1], "-c", SEEN, around.name],
            env={**os.environ, **around.variables}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    differing = {name for name in found[0] if len({each[name] for each in found}) > 1}
    several_cores = len(os.sched_getaffinity(0)) > 1
    assert differing == set(VARIED) - ({"cores"} if not several_cores else set())
    assert set(found[0]) == set(VARIED)


def test_other_surroundings_are_never_forked() -> None:
    """A forked interpreter has its parent's seed of hashes."""
    from harness.platform.forks import Forks

    assert not Forks(Path("none")).takes([*command(TABLE[0]), "harness.replay"])
    assert command(TABLE[0])[0] == sys.executable


def payload(value: Any) -> Any:
    return DefaultPayloadConverter().to_payload(value)


def activity(value: Any = 1, **fields: Any) -> Command:
    return "schedule_activity", ScheduleActivity(seq=1, arguments=[payload(value)], **fields)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (activity(1), activity(2)),
        (activity(1), activity(True)),
        (activity(), activity(task_queue="other")),
        (activity(), activity(activity_type="x")),
        (activity(), ("start_timer", StartTimer(seq=1))),
    ],
)
def test_commands_with_other_contents_have_other_digests(one: Command, two: Command) -> None:
    assert digests([one]) != digests([two])


def test_values_count_and_bytes_do_not() -> None:
    assert digests([activity({"a": 1, "b": 2})]) == digests([activity({"b": 2, "a": 1})])


def test_headers_and_answers_to_queries_do_not_count() -> None:
    with_header = ScheduleActivity(seq=1, arguments=[payload(1)])
    with_header.headers["trace"].CopyFrom(payload("random"))
    assert digests([("schedule_activity", with_header)]) == digests([activity()])
    assert digests([("respond_to_query", StartTimer())]) == []
