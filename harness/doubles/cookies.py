"""The cookie that PDP and services set for each tenant; what keeps it for another has leaked."""

from __future__ import annotations

from harness.contract.canaries import canary


class Cookies:
    """Makes the `Set-Cookie` line of a tenant, from the trial's id."""

    def __init__(self, trial_id: str) -> None:
        self._trial_id = trial_id
        self._lines: dict[str, tuple[tuple[str, str], ...]] = {"": ()}

    def of(self, tenant: str) -> tuple[tuple[str, str], ...]:
        """The header lines of an answer to this tenant; none for nobody."""
        if tenant not in self._lines:
            word = canary(self._trial_id, tenant, "cookie")
            self._lines[tenant] = (("Set-Cookie", f"tenant={word}; Path=/"),)
        return self._lines[tenant]
