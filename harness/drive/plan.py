"""What the supervisor tells the drive, and the words the two speak over the drive's pipes."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.program_file import ProgramFile


class TenantPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as the drive must know it; `task_queues` by group."""

    name: str
    namespace: str
    task_queues: dict[str, str]


class EnginePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where the engine is and how to reach it; credentials are file paths."""

    address: str
    register_namespaces: bool
    tls: dict[str, str] = {}
    token_file: str = ""
    token_env: str = ""


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """A steady arrival of sagas, for the arm that breaks things under it."""

    rate_per_s: float
    duration_s: float


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A Worker Deployment version."""

    deployment: str
    build_id: str


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of the platform's workers: of most, and of the two that are rolled out."""

    calm: Version
    old: Version
    new: Version


class DrivePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One drive: which suites, for which IDs, against what.

    `pdp` is the base URL of the PDP that is to be certified. `allowed` is what may be broken on
    purpose, as the target file names it; `audited` are the kinds of history events whose audit
    events are waited for, `audited_twice` those with a second one.
    """

    trial_id: str
    trial: str
    engine: EnginePlan
    tenants: list[TenantPlan]
    control: str
    pdp: str = ""
    suites: list[str]
    asked: list[str]
    cases: list[str] = []
    given: list[ProgramFile] = []
    rounds: bool = False
    lacks: list[str] = []
    allowed: list[str] = []
    seed: int = 0
    horizon_s: float = 60.0
    event_lag_ms: int = 30_000
    removal_s: float = 30.0
    versions: Versions | None = None
    spread_s: float = 1.0
    drained_s: float = 30.0
    ramp_percent: float = 20.0
    retention_days: float = 90.0
    audited: list[str] = []
    audited_twice: list[str] = []
    defects: list[str] = []
    steady: Steady | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the drive: prepared, more, progress, and kill, stop or restart of a worker or
    of the exporter."""

    number: int
    ask: str
    group: str = ""
    text: str = ""
    groups: list[str] = []


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor's answer to the request of that number."""

    number: int
    ok: bool = True
    error: str = ""
    value: dict[str, Any] = {}


ASK = "HARNESS-ASK "
