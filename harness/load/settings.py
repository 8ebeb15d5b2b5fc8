"""The settings of the load process, as it is given them: environment variables.

| variable | meaning |
|---|---|
| `TEMPORAL_ADDRESS`, `TEMPORAL_TLS_*`, `TEMPORAL_TOKEN_FILE` | the engine, as in `CONTRACT.md` §1 |
| `HARNESS_TENANTS` | as in `CONTRACT.md` §1; each may carry a whole `weight`, default 1 |
| `HARNESS_LOAD_SHAPE` | how the rate goes over the run, see `shapes.py`; default `constant` |
| `HARNESS_LOAD_RATE`, `HARNESS_LOAD_DURATION_S` | what the shape needs; any of the three: planned |
| `HARNESS_LOAD_MIX` | weights of the workload's operations, `saga=4,query=2`; default its own |
| `HARNESS_LOAD_VOLUME` | how many runs a namespace holds at least before it is read, default 0 |
| `HARNESS_LOAD_SPACING` | `even` (default) or `poisson` |
| `HARNESS_LOAD_SEED` | of the plan and of retries, default 0 |
| `HARNESS_LOAD_WARMUP_S` | cut from latencies; default a tenth of the duration, at most 10 |
| `HARNESS_LOAD_HORIZON_S` | how long after its intended start a saga may end, default 60 |
| `HARNESS_LOAD_IN_FLIGHT` | arrivals beyond so many unfinished ones are not sent, default 5000 |
| `HARNESS_LOAD_SLI` | the parameter `workflow_start_sli`; first tasks are followed for it alone |
| `HARNESS_LOAD_PER_USER` | interactive mode: arrivals per second of one Locust user, default 1 |
| `HARNESS_LOAD_SESSION` | the number of the first run, where the trial has others, default 1 |
| `HARNESS_LOAD_TRIAL`, `HARNESS_LOAD_TRIAL_ID` | the trial's folder and id; without, no record |
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from harness.errors import UsageError
from harness.load.plan import MOST_WEIGHT, SPACINGS, Plan, Spacing, make_plan
from harness.load.shape_text import shape_of
from harness.load.workload import parse_mix

FIRST_TASK_SLI: Final = "first_task_completed"
SLIS: Final = ("start_rpc_first_attempt", "user_perceived", FIRST_TASK_SLI)
_PLANNED: Final = ("HARNESS_LOAD_SHAPE", "HARNESS_LOAD_RATE", "HARNESS_LOAD_DURATION_S")
MOST_VOLUME: Final = 1_000_000
FILLED_PER_S: Final = 20.0  # rows of a volume, at the least: a start and an end on two shared cores
_TRIAL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Tenant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tenant to start sagas for; `weight` is its part of the arrivals."""

    tenant: str
    namespace: str
    task_queue: str
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Paths of PEM files and of a bearer token, empty where there is none."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""
    token_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the load process is told. `rate_per_s` and `duration_s` are 0 in interactive mode.

    In planned mode they are what the shape says of itself: its `nominal_per_s` and `duration_s`.
    """

    address: str
    tenants: tuple[Tenant, ...]
    security: Security = Security()
    rate_per_s: float = 0.0
    duration_s: float = 0.0
    shape: str = "constant"
    spacing: Spacing = "even"
    seed: int = 0
    warmup_s: float | None = None
    horizon_s: float = 60.0
    in_flight: int = 5000
    sli: str = "user_perceived"
    per_user_per_s: float = 1.0
    mix: Mapping[str, int] = field(default_factory=dict)
    volume: int = 0
    trial: Path | None = None
    trial_id: str = ""
    session: int = 1

    @property
    def planned(self) -> bool:
        """Whether the plan decides, not the number of Locust's users."""
        return self.duration_s > 0

    @property
    def mode(self) -> str:
        """The mode by its name in a `LoadRun` record."""
        return "planned" if self.planned else "interactive"

    @property
    def cut_s(self) -> float:
        """The warm-up: as given, else a tenth of the duration and at most 10 s."""
        return min(10.0, self.duration_s / 10) if self.warmup_s is None else self.warmup_s

    def plan(self, operations: Sequence[int] = (1,)) -> Plan:
        """The plan of arrivals, for operations of these weights.

        Raises `UsageError` for one that cannot be, with the bounds.
        """
        shape = shape_of(self.shape, self.rate_per_s, self.duration_s)
        weights = [tenant.weight for tenant in self.tenants]
        return make_plan(shape, self.spacing, weights, self.seed, operations)

    def described(self) -> dict[str, Any]:
        """The settings that a reader of the samples wants to know."""
        return {
            "address": self.address,
            "rate_per_s": self.rate_per_s,
            "duration_s": self.duration_s,
            "shape": self.shape,
            "spacing": self.spacing,
            "seed": self.seed,
            "warmup_s": self.cut_s,
            "in_flight": self.in_flight,
            "sli": self.sli,
            "mix": dict(self.mix),
            "volume": self.volume,
            "weights": {tenant.tenant: tenant.weight for tenant in self.tenants},
        }


def to_environment(settings: Settings) -> dict[str, str]:
    """The variables from which `from_environment` makes these settings."""
    security = settings.security
    variables = {
        "TEMPORAL_ADDRESS": settings.address,
        "TEMPORAL_TLS_CA": security.ca,
        "TEMPORAL_TLS_CERT": security.certificate,
        "TEMPORAL_TLS_KEY": security.key,
        "TEMPORAL_TLS_SERVER_NAME": security.server_name,
        "TEMPORAL_TOKEN_FILE": security.token_file,
        "HARNESS_TENANTS": msgspec.json.encode(settings.tenants).decode(),
        "HARNESS_LOAD_RATE": repr(settings.rate_per_s) if settings.planned else "",
        "HARNESS_LOAD_DURATION_S": repr(settings.duration_s) if settings.planned else "",
        "HARNESS_LOAD_MIX": ",".join(f"{name}={n}" for name, n in settings.mix.items()),
        "HARNESS_LOAD_SHAPE": settings.shape if settings.planned else "",
        "HARNESS_LOAD_VOLUME": str(settings.volume or ""),
        "HARNESS_LOAD_SPACING": settings.spacing,
        "HARNESS_LOAD_SEED": str(settings.seed),
        "HARNESS_LOAD_WARMUP_S": "" if settings.warmup_s is None else repr(settings.warmup_s),
        "HARNESS_LOAD_HORIZON_S": repr(settings.horizon_s),
        "HARNESS_LOAD_IN_FLIGHT": str(settings.in_flight),
        "HARNESS_LOAD_SLI": settings.sli,
        "HARNESS_LOAD_PER_USER": repr(settings.per_user_per_s),
        "HARNESS_LOAD_SESSION": str(settings.session) if settings.session > 1 else "",
        "HARNESS_LOAD_TRIAL": str(settings.trial or ""),
        "HARNESS_LOAD_TRIAL_ID": settings.trial_id,
    }
    return {name: value for name, value in variables.items() if value}


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings in environment variables; raises `UsageError` with all problems in one line."""
    reader = _Reader(environment)
    trial = environment.get("HARNESS_LOAD_TRIAL", "")
    rate_per_s, duration_s, shape = reader.shape()
    settings = Settings(
        address=reader.required("TEMPORAL_ADDRESS", "host:port of the engine"),
        tenants=reader.tenants(),
        security=Security(
            ca=environment.get("TEMPORAL_TLS_CA", ""),
            certificate=environment.get("TEMPORAL_TLS_CERT", ""),
            key=environment.get("TEMPORAL_TLS_KEY", ""),
            server_name=environment.get("TEMPORAL_TLS_SERVER_NAME", ""),
            token_file=environment.get("TEMPORAL_TOKEN_FILE", ""),
        ),
        rate_per_s=rate_per_s,
        duration_s=duration_s,
        shape=shape,
        spacing=cast("Spacing", reader.choice("HARNESS_LOAD_SPACING", SPACINGS, "even")),
        seed=int(reader.number("HARNESS_LOAD_SEED", 0, low=0, high=2**53, whole=True)),
        warmup_s=reader.optional("HARNESS_LOAD_WARMUP_S"),
        horizon_s=reader.number("HARNESS_LOAD_HORIZON_S", 60.0, low=1, high=86_400),
        in_flight=int(
            reader.number("HARNESS_LOAD_IN_FLIGHT", 5000, low=1, high=20_000, whole=True)
        ),
        sli=reader.choice("HARNESS_LOAD_SLI", SLIS, "user_perceived"),
        per_user_per_s=reader.number("HARNESS_LOAD_PER_USER", 1.0, low=0.01, high=1000),
        mix=reader.mix(),
        volume=int(reader.number("HARNESS_LOAD_VOLUME", 0, low=0, high=MOST_VOLUME, whole=True)),
        trial=Path(trial) if trial else None,
        trial_id=environment.get("HARNESS_LOAD_TRIAL_ID", ""),
        session=int(reader.number("HARNESS_LOAD_SESSION", 1, low=1, high=10_000, whole=True)),
    )
    problems = reader.problems + _contradictions(settings, environment)
    if problems:
        raise UsageError("; ".join(problems))
    return settings


def _contradictions(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    problems = []
    if any(map(environment.get, _PLANNED)) and not settings.trial:
        problems.append("HARNESS_LOAD_TRIAL: a planned run needs a folder for its samples")
    if settings.planned and not 0 <= settings.cut_s < settings.duration_s:
        problems.append(
            f"HARNESS_LOAD_WARMUP_S: {settings.cut_s:g} leaves nothing of a duration of "
            f"{settings.duration_s:g} s"
        )
    if settings.trial and not _TRIAL_ID.fullmatch(settings.trial_id):
        problems.append(
            f"HARNESS_LOAD_TRIAL_ID: {settings.trial_id!r} is no id of letters, digits, . _ and -"
        )
    names = [tenant.tenant for tenant in settings.tenants]
    problems += [f"HARNESS_TENANTS: {n!r} twice" for n in sorted({*names}) if names.count(n) > 1]
    problems += [
        f"HARNESS_TENANTS: weight {t.weight} of {t.tenant}: give a whole number from 1 to "
        f"{MOST_WEIGHT}"
        for t in settings.tenants
        if not 1 <= t.weight <= MOST_WEIGHT
    ]
    return problems


class _Reader:
    """Reads variables one by one and keeps the problems."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def required(self, name: str, what: str) -> str:
        value = self._environment.get(name, "")
        if not value:
            self.problems.append(f"set {name} ({what})")
        return value

    def tenants(self) -> tuple[Tenant, ...]:
        raw = self.required("HARNESS_TENANTS", 'JSON: [{"tenant", "namespace", "task_queue"}]')
        try:
            tenants = msgspec.json.decode(raw or "[]", type=tuple[Tenant, ...])
        except msgspec.MsgspecError as error:
            self.problems.append(f"HARNESS_TENANTS: {error}")
            return ()
        if raw and not tenants:
            self.problems.append("HARNESS_TENANTS: it names no tenant")
        return tenants

    def mix(self) -> dict[str, int]:
        try:
            return parse_mix(self._environment.get("HARNESS_LOAD_MIX", ""))
        except UsageError as error:
            self.problems.append(f"HARNESS_LOAD_MIX: {error}")
            return {}

    def shape(self) -> tuple[float, float, str]:
        """The shape's nominal rate, its duration and its text; zeros without any of the three."""
        text = self._environment.get("HARNESS_LOAD_SHAPE", "")
        rate_per_s = self.optional("HARNESS_LOAD_RATE")
        duration_s = self.optional("HARNESS_LOAD_DURATION_S")
        if not any(map(self._environment.get, _PLANNED)):
            return 0.0, 0.0, "constant"
        try:
            shape = shape_of(text or "constant", rate_per_s, duration_s)
        except UsageError as error:
            self.problems.append(str(error))
            return 0.0, 0.0, "constant"
        return shape.nominal_per_s, shape.duration_s, str(shape)

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self._environment.get(name) or default
        if value not in choices:
            self.problems.append(f"{name}: {value!r} is none of {', '.join(choices)}")
        return value

    def optional(self, name: str) -> float | None:
        return self.number(name, 0.0) if self._environment.get(name) else None

    def number(
        self,
        name: str,
        default: float,
        low: float = -math.inf,
        high: float = math.inf,
        *,
        whole: bool = False,
    ) -> float:
        raw = self._environment.get(name) or str(default)
        try:
            value: float = int(raw) if whole else float(raw)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and low <= value <= high:
            return value
        bounds = f" from {low:g} to {high:g}" if math.isfinite(low) else ""
        self.problems.append(f"{name}: {raw!r} is no {'whole ' if whole else ''}number{bounds}")
        return default
