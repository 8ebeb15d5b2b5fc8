"""A target: the platform under test, as typed frozen values.

Paths are absolute once a file was read. Secrets are never held, only where they are: a file, or
the name of an environment variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Meta

from harness.target import forms

Text: TypeAlias = Annotated[str, Meta(min_length=1)]
Address: TypeAlias = Annotated[str, Meta(extra={"form": forms.address})]
Host: TypeAlias = Annotated[str, Meta(extra={"form": forms.host})]
BindAddress: TypeAlias = Annotated[str, Meta(extra={"form": forms.bind_address})]
Url: TypeAlias = Annotated[str, Meta(extra={"form": forms.url})]
File: TypeAlias = Annotated[str, Meta(extra={"form": forms.file})]
Folder: TypeAlias = Annotated[str, Meta(extra={"form": forms.folder})]
NewFolder: TypeAlias = Annotated[str, Meta(extra={"form": forms.path})]
Variable: TypeAlias = Annotated[str, Meta(extra={"form": forms.variable})]
VariableName: TypeAlias = Annotated[str, Meta(extra={"form": forms.variable_name})]
VariableValue: TypeAlias = Annotated[str, Meta(extra={"form": forms.variable_value})]
TenantName: TypeAlias = Annotated[str, Meta(extra={"form": forms.tenant_name})]
EngineName: TypeAlias = Annotated[str, Meta(extra={"form": forms.engine_name})]
DeploymentName: TypeAlias = Annotated[str, Meta(extra={"form": forms.deployment_name})]
BuildId: TypeAlias = Annotated[str, Meta(extra={"form": forms.build_id})]
Module: TypeAlias = Annotated[str, Meta(extra={"form": forms.module})]
Seconds: TypeAlias = Annotated[float, Meta(gt=0, le=3600)]
Rate: TypeAlias = Annotated[float, Meta(gt=0, le=100_000)]
Port: TypeAlias = Annotated[int, Meta(ge=1, le=65535)]

DEFAULT_BUILD: Final = "1.0.0"
Link: TypeAlias = Literal["worker", "starter", "pdp", "services", "audit"]
FaultKind: TypeAlias = Literal[
    "link-cut",
    "kill-worker",
    "kill-exporter",
    "pdp-failure-modes",
    "service-faults",
    "rpc-faults",
    "throwaway-tenants",
]
Breakage: TypeAlias = Literal[
    "link-cut",
    "kill-worker",
    "kill-exporter",
    "pdp-failure-modes",
    "service-faults",
    "rpc-faults",
    "throwaway-tenants",
    "load",
]
Capability: TypeAlias = Literal[
    "children",
    "continue_as_new",
    "updates",
    "versioning",
    "several_tenants",
    "heartbeat",
    "noop",
]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that all parts of a target share; it has no fields."""


class Tls(_Part, frozen=True, kw_only=True):
    """TLS to the engine. Without `ca` the system's roots are trusted; `cert` goes with `key`."""

    ca: File | None = None
    cert: File | None = None
    key: File | None = None
    server_name: Host | None = None


class Engine(_Part, frozen=True, kw_only=True):
    """Where the Temporal frontend is, or `embedded`: the harness starts one.

    The token is the one the harness itself uses where a tenant has none of its own.
    """

    embedded: bool = False
    address: Address | None = None
    tls: Tls | None = None
    token_file: File | None = None
    token_env: Variable | None = None

    @property
    def on_this_machine(self) -> bool:
        """Whether it is embedded or at a loopback address."""
        return self.address is None or forms.is_loopback(self.address.rpartition(":")[0])


class Credentials(_Part, frozen=True, kw_only=True):
    """What a tenant proves itself with, by reference only."""

    token_file: File | None = None
    token_env: Variable | None = None
    cert_file: File | None = None
    key_file: File | None = None


class Tenant(_Part, frozen=True, kw_only=True):
    """One customer of the platform, and where its workflows run."""

    name: TenantName
    namespace: EngineName
    task_queue: EngineName
    credentials: Credentials | None = None


class NextBuild(_Part, frozen=True, kw_only=True):
    """The build of the worker that comes next; without a `command` the same one is started."""

    build_id: BuildId
    command: Annotated[tuple[Text, ...], Meta(min_length=1)] | None = None


class Worker(_Part, frozen=True, kw_only=True):
    """The platform's worker: a `command` that the harness starts, or `external`.

    A value `$NAME` in `env` stands for the harness's own variable. `lacks` is for an external
    worker; one that is started says it itself. `workflows` is the Python module whose workflows can
    be replayed in process, `histories` a folder with those that earlier builds left. `deployment`
    and `build_id` are the Worker Deployment version that a started one is told; `next` is the build
    that is rolled out beside it.
    """

    command: Annotated[tuple[Text, ...], Meta(min_length=1)] | None = None
    external: bool = False
    cwd: Folder | None = None
    env: dict[VariableName, VariableValue] = {}
    ready_within_s: Seconds = 30.0
    lacks: tuple[Capability, ...] = ()
    language: Text | None = None
    workflows: Module | None = None
    histories: Folder | None = None
    deployment: DeploymentName = "harness"
    build_id: BuildId = DEFAULT_BUILD
    next: NextBuild | None = None

    @property
    def following(self) -> NextBuild:
        """The next build; the same command under another build id where none is named."""
        return self.next or NextBuild(build_id=f"{self.build_id}+next")


class Exporter(_Part, frozen=True, kw_only=True):
    """What emits the audit events: a `command` that the harness starts, or `external`.

    `state` is the folder in which a started one keeps its cursor; None: one in the trial's
    temporary folder.
    """

    command: Annotated[tuple[Text, ...], Meta(min_length=1)] | None = None
    external: bool = False
    cwd: Folder | None = None
    env: dict[VariableName, VariableValue] = {}
    ready_within_s: Seconds = 30.0
    state: NewFolder | None = None


class PolicyPoint(_Part, frozen=True, kw_only=True):
    """A PDP of the platform, loaded with the fixture of AuthZEN's certification scenario."""

    url: Url


class DoublePorts(_Part, frozen=True, kw_only=True):
    """Fixed ports of the doubles; None: any free one."""

    pdp: Port | None = None
    services: Port | None = None
    audit: Port | None = None


class Doubles(_Part, frozen=True, kw_only=True):
    """Where the PDP, the services and the audit sink listen, and as what the worker knows them."""

    bind: BindAddress = "127.0.0.1"
    advertise: Host | None = None
    ports: DoublePorts = DoublePorts()

    @property
    def advertised_host(self) -> str:
        """The host in the URLs that the worker is given; IPv6 in brackets."""
        host = self.advertise or self.bind
        return f"[{host}]" if ":" in host else host


class LoadLimit(_Part, frozen=True, kw_only=True):
    """How much load the platform may be put under."""

    max_rate_per_s: Rate


class Allow(_Part, frozen=True, kw_only=True):
    """What may be broken on purpose: nothing, unless it is named."""

    faults: tuple[FaultKind, ...] = ()
    load: LoadLimit | None = None


class Target(_Part, frozen=True, kw_only=True):
    """The platform under test."""

    engine: Engine
    tenants: Annotated[tuple[Tenant, ...], Meta(min_length=2)]
    worker: Worker
    exporter: Exporter | None = None
    doubles: Doubles = Doubles()
    pdp: PolicyPoint | None = None
    links: tuple[Link, ...] = ()
    allow: Allow = Allow()
    declared: dict[str, Any] = {}

    def may(self, breakage: Breakage) -> bool:
        """Whether this may be done to the platform."""
        if breakage == "load":
            return self.allow.load is not None
        return breakage in self.allow.faults

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is accepted but worth a line before the run, in the file's order."""
        return (*_shared_places(self.tenants), *_unguarded(self), *_unreachable(self))


class Launched(Protocol):
    """What a worker and an exporter have in common."""

    @property
    def env(self) -> dict[str, str]: ...


def environment(part: Launched, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables the file gives a part, with each `$NAME` replaced from `environ`.

    Raises KeyError for a name that is not set (reading the file has checked them all).
    """
    return {
        name: environ[value[1:]] if value.startswith("$") else value
        for name, value in part.env.items()
    }


def _shared_places(tenants: tuple[Tenant, ...]) -> list[str]:
    tenants_of: dict[str, list[str]] = {}
    for tenant in tenants:
        tenants_of.setdefault(tenant.namespace, []).append(tenant.name)
    return [
        f"tenants {', '.join(names)} share the namespace {namespace}; the decision record gives "
        "each tenant its own (INV-ISO-1)"
        for namespace, names in tenants_of.items()
        if len(names) > 1
    ]


def _unguarded(target: Target) -> list[str]:
    if target.engine.on_this_machine or target.allow == Allow():
        return []
    return [
        f"the engine at {target.engine.address} is not on this machine, and `allow` lets the "
        "harness break or load it"
    ]


def _unreachable(target: Target) -> list[str]:
    host = target.doubles.advertised_host
    if target.engine.on_this_machine or not target.worker.external or not forms.is_loopback(host):
        return []
    return [
        f"the external worker is told to find the doubles at {host}, which reaches them only from "
        "this machine: set doubles.bind and doubles.advertise"
    ]
