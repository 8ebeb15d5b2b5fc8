"""What a replaying process is told, and what it tells, line by line: no SDK is needed here."""

from __future__ import annotations

import msgspec

from harness.journal.records import Difference, Ending
from harness.replay.frontend.plan import Wanted


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay: histories, by the workflows of a `module` that lies in `folder`.

    `replayer` is `module:name` of further arguments of the SDK's replayer, `passthrough` modules
    that pass through its sandbox, `modules` the project's own. `out` is where the lines go.
    """

    wanted: list[Wanted]
    module: str
    folder: str
    namespace: str
    surroundings: str
    out: str
    replayer: str = ""
    passthrough: list[str] = []
    modules: list[str] = []


class Seen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first line: what the process found around it."""

    seen: dict[str, str]


class Told(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What came of one history; `problem` says why it could not be judged, `idle` why it need not.

    Else `stock` and `strict` are how the two ended and what they said.
    """

    file: str
    workflow_type: str = ""
    workflow_id: str = ""
    run_id: str = ""
    problem: str = ""
    idle: str = ""
    stock: tuple[Ending, str] = (Ending.INFO, "")
    strict: tuple[Ending, str] = (Ending.INFO, "")
    differences: list[Difference] = []
    commands: list[str] = []


Line = Seen | Told
