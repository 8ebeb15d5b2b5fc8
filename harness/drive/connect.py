"""Connecting to the engine and preparing the tenants' namespaces."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetSystemInfoRequest,
    RegisterNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from harness.drive.plan import EnginePlan, TenantPlan
from harness.errors import UnavailableError

RETENTION_DAYS = 90
STARTED_WITHIN_S = 20.0
REACHED_WITHIN_S = 5.0


async def connect_all(engine: EnginePlan, tenants: list[TenantPlan]) -> dict[str, Client]:
    """One client for each tenant, its namespace registered if the engine is ours.

    Raises `UnavailableError` for what cannot be reached.
    """
    ours = engine.register_namespaces  # it may still be starting; any other runs, or does not
    within_s = STARTED_WITHIN_S if ours else REACHED_WITHIN_S
    first = await one_client(engine, tenants[0].namespace, within_s=within_s)
    clients = {tenants[0].name: first}
    for tenant in tenants[1:]:
        clients[tenant.name] = await one_client(engine, tenant.namespace, REACHED_WITHIN_S)
    for tenant in tenants:
        if ours:
            await register(first, tenant.namespace)
        await describe_namespace(
            clients[tenant.name], tenant.namespace, engine.address, attempts=50 if ours else 3
        )
    return clients


async def one_client(engine: EnginePlan, namespace: str, within_s: float) -> Client:
    """A connected client; raises `UnavailableError` if the engine cannot be reached in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        try:
            return await asyncio.wait_for(
                Client.connect(
                    engine.address,
                    namespace=namespace,
                    tls=_tls(engine),
                    rpc_metadata=_token(engine),
                ),
                timeout=max(0.1, deadline - loop.time()),
            )
        except (RuntimeError, TimeoutError) as error:
            if loop.time() >= deadline:
                raise UnavailableError(
                    f"engine {engine.address}: cannot be reached ({_short(error)}); check its "
                    "address, TLS and token in the target file, or that it runs"
                ) from None
            await asyncio.sleep(0.05)


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:160] if str(error) else type(error).__name__


def _tls(engine: EnginePlan) -> TLSConfig | bool:
    if not engine.tls:
        return False
    read = {
        name: Path(path).read_bytes() for name, path in engine.tls.items() if name != "server_name"
    }
    return TLSConfig(
        server_root_ca_cert=read.get("ca"),
        client_cert=read.get("cert"),
        client_private_key=read.get("key"),
        domain=engine.tls.get("server_name"),
    )


def _token(engine: EnginePlan) -> dict[str, str | bytes]:
    if engine.token_file:
        return {"authorization": f"Bearer {Path(engine.token_file).read_text().strip()}"}
    if engine.token_env:
        return {"authorization": f"Bearer {os.environ[engine.token_env].strip()}"}
    return {}


async def register(client: Client, namespace: str) -> None:
    """Register a namespace unless it is there."""
    retention = Duration()
    retention.FromTimedelta(timedelta(days=RETENTION_DAYS))
    request = RegisterNamespaceRequest(
        namespace=namespace, workflow_execution_retention_period=retention
    )
    for attempt in range(50):
        try:
            await client.workflow_service.register_namespace(request)
            return
        except RPCError as error:
            if error.status is RPCStatusCode.ALREADY_EXISTS:
                return
            if attempt == 49:
                raise UnavailableError(
                    f"engine: namespace {namespace} cannot be registered: {error.message}"
                ) from None
            await asyncio.sleep(0.1)


async def server_version(client: Client) -> str:
    """The engine's own version."""
    answer = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    return answer.server_version


async def describe_namespace(
    client: Client, namespace: str, address: str, attempts: int = 50
) -> None:
    """Raises `UnavailableError` unless the namespace is there and may be seen."""
    for attempt in range(attempts):
        try:
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=namespace)
            )
            return
        except RPCError as error:
            if attempt == attempts - 1 or error.status is RPCStatusCode.PERMISSION_DENIED:
                raise UnavailableError(
                    f"engine {address}: namespace {namespace}: {error.message}; create it or "
                    "correct tenants[].namespace in the target file"
                ) from None
            await asyncio.sleep(0.1)
