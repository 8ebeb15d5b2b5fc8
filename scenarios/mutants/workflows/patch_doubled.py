"""A build that uses a patch's id a second time."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from scenarios.reference.versioned import CONFIRM, ReferenceVersioned


@workflow.defn(name="ReferenceVersioned")
class PatchDoubled(ReferenceVersioned):
    """Asks for the id of one patch where the other is meant."""

    @workflow.run
    async def run(self, order: dict[str, Any]) -> dict[str, Any]:
        return await super().run(order)

    def notified(self) -> bool:
        return workflow.patched(CONFIRM)
