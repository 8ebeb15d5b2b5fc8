"""A build that removes a patch too early."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from scenarios.reference.versioned import ReferenceVersioned


@workflow.defn(name="ReferenceVersioned")
class PatchRemoved(ReferenceVersioned):
    """Notifies every customer, though open runs hold the marker."""

    @workflow.run
    async def run(self, order: dict[str, Any]) -> dict[str, Any]:
        return await super().run(order)

    def notified(self) -> bool:
        return True
