"""The audit exporter: `python -m scenarios.reference.exporter`.

It follows each tenant's namespace (`follow`) and delivers one CloudEvent for each transition
(`audit_event`), and one of the second family where that has a type, at least once: a run's cursor
(`cursors`) is saved after the acknowledgement. The events of a run are chained by their digests.

A mutant is the same process with one part replaced: `main(Parts(event_of=…))`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import aiohttp

from scenarios.reference.answer import new_session
from scenarios.reference.audit_event import (
    GENESIS,
    Event,
    EventOf,
    Transition,
    event_of,
    sealed,
    second_of,
)
from scenarios.reference.cursors import Cursors
from scenarios.reference.follow import Namespace, Pace
from scenarios.reference.process import run, say_ready, unless_stopped
from scenarios.reference.settings import Engine, Environment, Tenant

CONTRACT_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
DELIVERIES: Final = 16
DELIVERY_S: Final = 5.0
BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0)

Deliver = Callable[[aiohttp.ClientSession, str, Mapping[str, Any]], Awaitable[bool]]
"""(http, URL, event) → whether it was acknowledged; it is called again until it is."""


async def deliver(http: aiohttp.ClientSession, url: str, event: Mapping[str, Any]) -> bool:
    """POST one event in structured mode, once."""
    try:
        async with (
            asyncio.timeout(DELIVERY_S),
            http.post(
                url,
                data=json.dumps(event).encode(),
                headers={"Content-Type": CONTENT_TYPE},
                allow_redirects=False,
            ) as answer,
        ):
            await answer.read()
            return 200 <= answer.status < 300
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the exporter is told."""

    engine: Engine
    tenants: tuple[Tenant, ...]
    audit_url: str
    state: Path
    prefix: str = ""
    pace: Pace

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Settings:
        """Raises `BadEnvironment` with all problems."""
        env = Environment(variables)
        settings = cls(
            engine=env.engine(),
            tenants=env.tenants(),
            audit_url=env.text("HARNESS_AUDIT_URL"),
            state=Path(env.text("HARNESS_EXPORTER_STATE")),
            prefix=env.text("HARNESS_AUDIT_PREFIX", ""),
            pace=Pace(
                find_every_s=env.integer("REFERENCE_FIND_EVERY_MS", 500) / 1000,
                read_every_s=env.integer("REFERENCE_READ_EVERY_MS", 750) / 1000,
            ),
        )
        env.check()
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The replaceable parts of the exporter; the defaults are the reference exporter."""

    event_of: EventOf = event_of
    second_of: Callable[[Transition, Event, str], Event | None] = second_of
    sealed: Callable[[Event, str], Event] = sealed
    deliver: Deliver = deliver
    cursors: Callable[[Path], Cursors] = Cursors


DEFAULT: Final = Parts()


class Sink:
    """Where events go: each is delivered until it is acknowledged."""

    def __init__(self, settings: Settings, parts: Parts, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._parts = parts
        self._http = http
        self._at_once = asyncio.Semaphore(DELIVERIES)

    async def put(self, transition: Transition, head: str) -> str:
        """Returns the head of the run's chain when the transition is acknowledged.

        The second family goes first: whoever has seen the first event has both.
        """
        event = self._parts.event_of(transition, self._settings.prefix)
        if event is None:
            return head
        second = self._parts.second_of(transition, event, self._settings.prefix)
        for each in (second, event):
            if each is not None:
                link = self._parts.sealed(each, head or GENESIS)
                await self._delivered(link)
                head = str(link.get("chainhash", ""))
        return head

    async def _delivered(self, event: Event) -> None:
        failures = 0
        while True:
            async with self._at_once:
                if await self._parts.deliver(self._http, self._settings.audit_url, event):
                    return
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1


async def serve(settings: Settings, parts: Parts, stop: asyncio.Event) -> None:
    """Follow all tenants until `stop` is set; says when it does."""
    identity = f"reference-exporter-{os.getpid()}"
    connecting = settings.engine.connect_all(settings.tenants, identity)
    clients = await unless_stopped(stop, connecting)
    if clients is None:
        return
    async with new_session() as http:
        with parts.cursors(settings.state) as cursors:
            sink = Sink(settings, parts, http)
            namespaces = [
                Namespace(
                    tenant=tenant, client=client, cursors=cursors, put=sink.put, pace=settings.pace
                )
                for tenant, client in zip(settings.tenants, clients, strict=True)
            ]
            starting = asyncio.gather(*(namespace.start() for namespace in namespaces))
            finders = await unless_stopped(stop, starting)
            if finders is None:
                return
            say_ready(contract=CONTRACT_VERSION, part="exporter")
            await _first_end(
                stop.wait(), settings.engine.keep_token(clients), *itertools.chain(*finders)
            )
            await asyncio.gather(*(namespace.stop() for namespace in namespaces))


async def _first_end(*ends: Awaitable[Any]) -> None:
    """Wait until one ends, and raise what it ended with."""
    tasks = [asyncio.ensure_future(end) for end in ends]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


def main(parts: Parts = DEFAULT) -> NoReturn:
    """Run the exporter until SIGTERM."""
    run(lambda stop: serve(Settings.from_environment(os.environ), parts, stop))


if __name__ == "__main__":
    main()
