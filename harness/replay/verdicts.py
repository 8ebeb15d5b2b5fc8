"""What a replay says of one history: the line that both kinds of `harness replay` write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from harness.journal.records import Difference
from harness.outcome import Outcome, exit_code, worst

ERROR: Final = "error"
INFO: Final = "info"  # legal evolution: shown, never red


class HistoryVerdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The verdict on one history, replayed in one mode.

    `file` is as it is shown: below the folder of histories. `message` says why it is no pass, in
    one line; `notes` what else is worth knowing. `compared` counts the commands that were
    compared, `tasks` the workflow tasks.
    """

    file: str
    mode: str
    outcome: Outcome
    workflow_type: str = ""
    workflow_id: str = ""
    run_id: str = ""
    message: str = ""
    differences: list[Difference] = []
    notes: list[str] = []
    tasks: int = 0
    compared: int = 0

    @property
    def errors(self) -> list[Difference]:
        """The differences that make it red."""
        return [each for each in self.differences if each.severity == ERROR]


def worst_of(verdicts: Iterable[HistoryVerdict]) -> Outcome:
    """The worst outcome; of nothing it is inconclusive."""
    return worst(each.outcome for each in verdicts)


def of_one(verdicts: Sequence[HistoryVerdict]) -> Outcome:
    """The outcome of one history; one of which nothing was executed is not applicable."""
    if verdicts and all(each.outcome is Outcome.NOT_APPLICABLE for each in verdicts):
        return Outcome.NOT_APPLICABLE
    return worst_of(verdicts)


def exit_code_of(verdicts: Sequence[HistoryVerdict]) -> int:
    """0 if all passed, 1 if any failed, 2 if any could not be judged, or there is none."""
    return exit_code(("M", each.outcome) for each in verdicts)
