"""What a load starts: the argument of each workflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.contract.program import WORKFLOW_TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload by name: `argument(tenant, saga_id)` is the workflow's one JSON argument."""

    name: str
    argument: Callable[[str, str], dict[str, Any]]
    workflow_type: str = WORKFLOW_TYPE
