"""What the supervisor tells the frontend's process, and what it hears: no SDK is needed here."""

from __future__ import annotations

from typing import Final

import msgspec

DONE: Final = "replayed"  # the last line of the frontend's output, once all verdicts are written

RESTART: Final = "start the worker again"  # a line of the frontend's output: it is stuck


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that should hold a history; see `harness.replay.corpus.Entry`."""

    path: str
    name: str
    tenant: str = ""
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay and how long to wait; `out` is where the verdicts go, one JSON line each.

    With a `segment` (a trial's journal folder and id) they are records of that trial instead, and
    only runs of `workflow_type` are replayed. `cold_histories` and `cold_tasks` bound what is
    replayed cold (0: no bound): so many histories, evenly drawn, and so many tasks of each.
    """

    wanted: list[Wanted]
    modes: list[str]
    namespace: str
    at_once: int
    ready_within_s: float
    task_within_s: float
    out: str = ""
    segment: tuple[str, str] | None = None
    workflow_type: str = ""
    cold_histories: int = 0
    cold_tasks: int = 64


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the frontend listens, and where calls of the worker are recorded and refused.

    `queues` are the recorded (tenant, namespace, task queue); a tenant or namespace that is not
    known is empty.
    """

    engine: str
    outside: str
    queues: list[tuple[str, str, str]]


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A line that the supervisor writes: the worker was `started`, or ended (`gone`: how).

    `last` says that it will not be started again.
    """

    started: bool = False
    gone: str = ""
    last: bool = False


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What the last line says: why nothing at all could be judged, and what the worker did besides.

    `calls` counts client calls of the worker by method, `outside` its HTTP requests; `seconds` is
    what the `histories` took once it polled.
    """

    trouble: str = ""
    calls: dict[str, int] = {}
    outside: dict[str, int] = {}
    histories: int = 0
    seconds: float = 0.0
