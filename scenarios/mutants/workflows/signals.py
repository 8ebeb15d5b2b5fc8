"""Sagas that count what comes twice as two."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga


@workflow.defn(name="ReferenceSaga")
class EachDeliveryCounts(ReferenceSaga):
    """Keeps each delivery of a signal as one of its own."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def receive(self, signal_id: str, name: str) -> None:
        again = f"#{len(self.signals)}" if signal_id in self.signals else ""
        super().receive(signal_id + again, name)


@workflow.defn(name="ReferenceSaga")
class FirstSignalLeftOut(ReferenceSaga):
    """Leaves the first signal out of its result."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def result(self) -> dict[str, Any]:
        return {**super().result(), "signals": list(self.signals)[1:]}


@workflow.defn(name="ReferenceSaga")
class NotReplayed(ReferenceSaga):
    """Takes a signal only when it sees it come, not when a history is replayed."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def receive(self, signal_id: str, name: str) -> None:
        if not workflow.unsafe.is_replaying():
            super().receive(signal_id, name)


@workflow.defn(name="ReferenceSaga")
class NamesWhatItSawCome(ReferenceSaga):
    """Goes on by every signal, and names those alone that it saw come."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def receive(self, signal_id: str, name: str) -> None:
        super().receive(signal_id, name)
        if not workflow.unsafe.is_replaying():
            self.seen.append(signal_id)

    def result(self) -> dict[str, Any]:
        return {**super().result(), "signals": self.seen}


@workflow.defn(name="ReferenceSaga")
class UndoneTwice(ReferenceSaga):
    """Compensates every step twice, to be sure."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def to_compensate(self, unknown: int | None) -> list[int]:
        return [number for number in super().to_compensate(unknown) for _ in range(2)]
