"""Everything the harness raises on purpose.

    HarnessError
     ├─ UsageError            the user's: a wrong option, ID or file (exit 64)
     │   ├─ TargetFileError       the target file has problems; all are listed
     │   └─ ChaosFileError        the same of a schedule (harness.faults.chaos_file)
     ├─ UnavailableError      something needed is not there before the run begins (exit 69)
     │   └─ ToxiproxyError        Toxiproxy refuses or is gone (harness.faults.toxiproxy)
     ├─ EvidenceError         the recorded evidence cannot be judged (exit 64)
     │   ├─ TruncatedJournal      a footer or the manifest is missing
     │   ├─ TamperedJournal       a digest or a count does not match
     │   └─ UnknownJournalVersion it was written by a newer harness
     ├─ TargetGone            the target went away during a run: sealed and judged as it stands
     └─ DriveError            our own: a process of the harness failed (exit 70)

A message says what, where and what to do, on one line. Anything else that escapes is a bug
and ends with exit 70.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_BUG = 70


class HarnessError(Exception):
    """Base of the tree; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = EXIT_BUG


class UsageError(HarnessError):
    """The user asked for something that cannot be: a wrong option, ID, profile or file."""

    exit_code = EXIT_USAGE


class TargetFileError(UsageError):
    """A target file with problems; the message lists all of them, one a line."""

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))


class UnavailableError(HarnessError):
    """A server, tool, port or disk that the run needs is not there before it begins."""

    exit_code = EXIT_UNAVAILABLE


class EvidenceError(HarnessError):
    """A trial's folder cannot be judged as it stands."""

    exit_code = EXIT_USAGE


class TruncatedJournal(EvidenceError):
    """A segment has no footer, or the trial no manifest."""


class TamperedJournal(EvidenceError):
    """A digest or a count differs from what the manifest or a footer says."""


class UnknownJournalVersion(EvidenceError):
    """The journal was written by a newer harness."""


class TargetGone(HarnessError):
    """The target went away in the middle of a run, which says something about it.

    The trial is sealed as interrupted and judged, so that no command ends with this code: it is
    how the drive tells the supervisor.
    """

    exit_code = 75


class DriveError(HarnessError):
    """A process of the harness itself failed; its last lines are in the message."""
