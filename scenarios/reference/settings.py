"""What the reference processes read from their environment (contract §1), all problems at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client
from temporalio.service import TLSConfig

CONNECT_EVERY_S: Final = 0.5
TOKEN_REREAD_S: Final = 5.0


class BadEnvironment(ValueError):
    """The environment does not describe a platform; one line for each problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant and where its runs live."""

    tenant: str
    namespace: str
    task_queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How the Temporal frontend is reached."""

    address: str
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_server_name: str = ""
    token_file: str = ""

    def tls(self) -> TLSConfig | bool:
        """The SDK's TLS configuration; plaintext without a CA."""
        if not self.tls_ca:
            return False
        return TLSConfig(
            server_root_ca_cert=Path(self.tls_ca).read_bytes(),
            client_cert=Path(self.tls_cert).read_bytes() if self.tls_cert else None,
            client_private_key=Path(self.tls_key).read_bytes() if self.tls_key else None,
            domain=self.tls_server_name or None,
        )

    def metadata(self) -> dict[str, str]:
        """The RPC metadata: the bearer token as it stands in its file now."""
        if not self.token_file:
            return {}
        return {"authorization": f"Bearer {Path(self.token_file).read_text().strip()}"}

    async def connect(self, namespace: str, identity: str) -> Client:
        """A client with a connection of its own: no tenant waits behind another's bytes.

        Tries until the frontend answers; it may be down when the process starts.
        """
        while True:
            try:
                return await Client.connect(
                    self.address,
                    namespace=namespace,
                    identity=identity,
                    tls=self.tls(),
                    rpc_metadata=self.metadata(),
                )
            except RuntimeError as error:
                print(f"{namespace}: {self.address}: {error}", file=sys.stderr, flush=True)
            await asyncio.sleep(CONNECT_EVERY_S)

    async def connect_all(self, tenants: Sequence[Tenant], identity: str) -> list[Client]:
        """A client for each tenant."""
        return await asyncio.gather(*(self.connect(t.namespace, identity) for t in tenants))

    async def keep_token(self, clients: Sequence[Client]) -> None:
        """Take up a token that was exchanged in its file; never returns."""
        while True:
            await asyncio.sleep(TOKEN_REREAD_S)
            with contextlib.suppress(OSError):  # being replaced
                for client in clients:
                    client.rpc_metadata = self.metadata()


class Environment:
    """Reads variables and collects what is wrong with them; `check` raises."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """A variable, or its default; without a default it must be there."""
        value = self._variables.get(name, default or "")
        if not value and default is None:
            self._problems.append(f"{name} is not set")
        return value

    def integer(self, name: str, default: int) -> int:
        """A whole number above 0."""
        value = self._variables.get(name) or str(default)
        if not value.isdecimal() or int(value) == 0:
            self._problems.append(f"{name}: {value!r} is not a whole number above 0")
            return default
        return int(value)

    def engine(self) -> Engine:
        """The variables `TEMPORAL_…`."""
        return Engine(
            address=self.text("TEMPORAL_ADDRESS"),
            tls_ca=self.text("TEMPORAL_TLS_CA", ""),
            tls_cert=self.text("TEMPORAL_TLS_CERT", ""),
            tls_key=self.text("TEMPORAL_TLS_KEY", ""),
            tls_server_name=self.text("TEMPORAL_TLS_SERVER_NAME", ""),
            token_file=self.text("TEMPORAL_TOKEN_FILE", ""),
        )

    def tenants(self) -> tuple[Tenant, ...]:
        """The variable `HARNESS_TENANTS`."""
        value = self.text("HARNESS_TENANTS")
        try:
            listed: Any = json.loads(value or "[]")
            tenants = tuple(_tenant(entry) for entry in listed)
        except (ValueError, TypeError, KeyError) as error:
            self._problems.append(f"HARNESS_TENANTS: not an array of tenants: {error!r}")
            return ()
        if value and not tenants:
            self._problems.append("HARNESS_TENANTS: no tenant")
        return tenants

    def wrong(self, problem: str) -> None:
        """Add a problem."""
        self._problems.append(problem)

    def check(self) -> None:
        """Raise `BadEnvironment` if anything was wrong."""
        if self._problems:
            raise BadEnvironment("\n".join(self._problems))


def _tenant(entry: Any) -> Tenant:
    names = {name: entry[name] for name in ("tenant", "namespace", "task_queue")}
    if not all(isinstance(value, str) and value for value in names.values()):
        raise ValueError(f"{entry!r}")
    return Tenant(**names)
