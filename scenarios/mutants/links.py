"""A worker's link to the engine: one that does not survive its loss, ones that fill it."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity
from temporalio.api.workflowservice.v1 import ListNamespacesRequest
from temporalio.client import Client

from scenarios.reference import activities
from scenarios.reference.activities import Outside, Perform, perform
from scenarios.reference.call import Call

LOOKS_EVERY_S = 0.3
ASKS_EVERY_S = 0.005
RECORD_BYTES = 200 << 10
SENT_WITHIN_S = 0.1
_BESIDE: list[asyncio.Task[None]] = []


def dying_with_the_link(outside: Outside, perform: Perform) -> Sequence[Callable[..., Any]]:
    """The activities as they are, in a process that ends when the engine cannot be reached."""
    threading.Thread(target=_watch, daemon=True).start()
    return activities.build(outside, perform)


def _watch() -> None:
    host, _, port = os.environ["TEMPORAL_ADDRESS"].rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError:
            os._exit(1)
        time.sleep(LOOKS_EVERY_S)


def asking_without_pause(outside: Outside, perform: Perform) -> Sequence[Callable[..., Any]]:
    """The activities as they are, beside a look at all namespaces that never rests."""
    _BESIDE.append(asyncio.get_running_loop().create_task(_ask()))
    return activities.build(outside, perform)


async def _ask() -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    while True:
        await client.workflow_service.list_namespaces(ListNamespacesRequest())
        await asyncio.sleep(ASKS_EVERY_S)


async def beating_its_record(outside: Outside, call: Call) -> dict[str, Any]:
    """Heartbeats with the whole business record: on the wire each time, in no history."""
    activity.heartbeat(secrets.token_urlsafe(RECORD_BYTES))  # the SDK compresses what repeats
    await asyncio.sleep(SENT_WITHIN_S)  # one that has completed beats no more
    return await perform(outside, call)
