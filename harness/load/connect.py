"""The generator's connection to the engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.service import TLSConfig

from harness.load.settings import Security, Settings

CONNECT_WITHIN_S: Final = 10.0


async def connected(settings: Settings) -> Client:
    """A client; tried for a while, as an engine may have been started a moment ago."""
    loop = asyncio.get_running_loop()
    given_up = loop.time() + CONNECT_WITHIN_S
    while True:
        try:
            async with asyncio.timeout_at(given_up):
                return await Client.connect(
                    settings.address,
                    namespace=settings.tenants[0].namespace,
                    tls=_tls(settings.security),
                    rpc_metadata=_token(settings.security),
                    identity="harness-load",
                )
        except RuntimeError:
            if loop.time() + 0.1 > given_up:
                raise
            await asyncio.sleep(0.1)


def _tls(security: Security) -> TLSConfig | bool:
    if not security.ca:
        return False
    return TLSConfig(
        server_root_ca_cert=Path(security.ca).read_bytes(),
        client_cert=Path(security.certificate).read_bytes() if security.certificate else None,
        client_private_key=Path(security.key).read_bytes() if security.key else None,
        domain=security.server_name or None,
    )


def _token(security: Security) -> dict[str, str | bytes]:
    if not security.token_file:
        return {}
    return {"authorization": f"Bearer {Path(security.token_file).read_text().strip()}"}
