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

from harness.drive.plan import DrivePlan, EnginePlan
from harness.errors import UnavailableError

RETENTION_DAYS = 90
CONNECT_WITHIN_S = 20.0


async def connect(plan: DrivePlan) -> dict[str, Client]:
    """One client for each tenant; raises `UnavailableError` for what cannot be reached."""
    first = await _client(plan.engine, plan.tenants[0].namespace, within_s=CONNECT_WITHIN_S)
    clients = {plan.tenants[0].name: first}
    for tenant in plan.tenants[1:]:
        clients[tenant.name] = await _client(plan.engine, tenant.namespace, within_s=5)
    for tenant in plan.tenants:
        if plan.engine.register_namespaces:
            await _register(first, tenant.namespace)
        await _describe(clients[tenant.name], tenant.namespace, plan.engine.address)
    return clients


async def _client(engine: EnginePlan, namespace: str, within_s: float) -> Client:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        try:
            return await asyncio.wait_for(
                Client.connect(engine.address, namespace=namespace, tls=_tls(engine),
                               rpc_metadata=_token(engine)),
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
    read = {name: Path(path).read_bytes() for name, path in engine.tls.items()
            if name != "server_name"}
    return TLSConfig(server_root_ca_cert=read.get("ca"), client_cert=read.get("cert"),
                     client_private_key=read.get("key"), domain=engine.tls.get("server_name"))


def _token(engine: EnginePlan) -> dict[str, str | bytes]:
    if engine.token_file:
        return {"authorization": f"Bearer {Path(engine.token_file).read_text().strip()}"}
    if engine.token_env:
        return {"authorization": f"Bearer {os.environ[engine.token_env].strip()}"}
    return {}


async def _register(client: Client, namespace: str) -> None:
    retention = Duration()
    retention.FromTimedelta(timedelta(days=RETENTION_DAYS))
    request = RegisterNamespaceRequest(namespace=namespace,
                                       workflow_execution_retention_period=retention)
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


async def _describe(client: Client, namespace: str, address: str) -> None:
    for attempt in range(50):
        try:
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=namespace)
            )
            return
        except RPCError as error:
            if attempt == 49 or error.status is RPCStatusCode.PERMISSION_DENIED:
                raise UnavailableError(
                    f"engine {address}: namespace {namespace}: {error.message}; create it or "
                    "correct tenants[].namespace in the target file"
                ) from None
            await asyncio.sleep(0.1)
