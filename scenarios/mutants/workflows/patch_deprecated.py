"""The next build, as it should be."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from scenarios.reference.versioned import NOTIFY, ReferenceVersioned


@workflow.defn(name="ReferenceVersioned")
class PatchDeprecated(ReferenceVersioned):
    """Deprecates a patch that every open run has the marker of."""

    @workflow.run
    async def run(self, order: dict[str, Any]) -> dict[str, Any]:
        return await super().run(order)

    def notified(self) -> bool:
        workflow.deprecate_patch(NOTIFY)
        return True
