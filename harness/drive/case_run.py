"""A case as it runs in one tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from harness.contract.program import SagaProgram
from harness.drive.plan import TenantPlan
from harness.scenario import Case


class About(TypedDict):
    """What every operation on a case records."""

    suite: str
    case: str
    tenant: str
    workflow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A case in one tenant."""

    suite: str
    case: Case
    tenant: TenantPlan
    program: SagaProgram
    workflow_id: str
    group: str

    @property
    def about(self) -> About:
        """What every operation on it records."""
        return {
            "suite": self.suite,
            "case": self.case.name,
            "tenant": self.tenant.name,
            "workflow_id": self.workflow_id,
        }
