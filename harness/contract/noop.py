"""No-op activities: what `CONTRACT.md` §10 describes, for those who ask for them."""

from __future__ import annotations

from typing import Any, Final

from harness.contract.program import CONTRACT_VERSION

CAPABILITY: Final = "noop"
WORKFLOW_TYPE: Final = "ReferenceNoop"
ACTIVITY_TYPE: Final = "noop"
ORDINARY: Final = "ordinary"
LOCAL: Final = "local"
EAGER: Final = "eager"
# what local activities leave in a history: the names that Temporal's SDKs give their markers
LOCAL_MARKERS: Final = frozenset({"core_local_activity", "LocalActivity"})


def noops(tenant: str, saga_id: str, count: int, how: str) -> dict[str, Any]:
    """The argument of a run of so many no-op activities, one after the other."""
    return {
        "contract": CONTRACT_VERSION,
        "tenant": tenant,
        "saga_id": saga_id,
        "count": count,
        "how": how,
    }
