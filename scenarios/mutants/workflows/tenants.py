"""Workflow code that does not tell tenants apart, or makes one up."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

SIGNALS: dict[str, dict[str, str]] = {}


@workflow.defn(name="ReferenceSaga")
class SharedSignals(ReferenceSaga):
    """Signals are kept by workflow id, for all tenants. To be run outside the sandbox."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def receive(self, signal_id: str, name: str) -> None:
        received = SIGNALS.setdefault(workflow.info().workflow_id, {})
        received.setdefault(signal_id, name)
        self.signals = dict(received)


@workflow.defn(name="ReferenceSaga")
class MadeUp(ReferenceSaga):
    """A saga without a tenant gets one."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        converter = workflow.payload_converter()
        program = converter.from_payload(raw.payload)
        if not program.get("tenant"):
            raw = RawValue(converter.to_payload({**program, "tenant": "nobody"}))
        return await super().run(raw)
