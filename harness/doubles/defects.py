"""Deliberate defects of the doubles: the mutants that break the instruments or our services."""

from __future__ import annotations

import enum
from typing import Final

# An answer takes 1 to 5 ms, and a whole attempt about 30; within every deadline of the contract.
SLOW_MS: Final = 150
# The sink is asked for each transition, and by a bounded number of deliveries at once.
SLOW_SINK_MS: Final = 30


class Defect(enum.StrEnum):
    """Each is one thing that a service of a platform might do wrong."""

    FRESH_RESULT = "services-fresh-result"  # a suppressed duplicate gets a different result
    PDP_BLIND = "pdp-blind"  # properties are not looked at
    PDP_STRINGS = "pdp-strings"  # decisions are strings
    PDP_ERRORS_AS_DENY = "pdp-errors-as-deny"  # a malformed question is denied with 200
    PDP_NO_ECHO = "pdp-no-echo"  # the request id does not come back
    PDP_FLAPS = "pdp-flaps"  # every third decision is the other one
    PDP_BATCH_REVERSED = "pdp-batch-reversed"  # a batch is answered in reverse
    PDP_WHOLE_BATCH = "pdp-whole-batch"  # one bad item spoils its batch
    PDP_NEVER_SHORT = "pdp-never-short"  # a batch is never cut short
    PDP_OTHER_METADATA = "pdp-other-metadata"  # its metadata is of another PDP
    AT_ARRIVAL = "services-look-at-arrival"  # whether a key is known is asked when its call arrives
    VOID_APPLIES = "services-void-applies"  # undoing what was never done does something
    LATE_FORWARD = "services-late-forward"  # a step is applied after it was compensated in vain
    SHORT_MEMORY = "services-short-memory"  # only the last three keys are remembered
    SLOW = "slow-answers"  # PDP, services and audit sink take that much longer for each answer
    NO_DEDUPE = "services-no-dedupe"  # every request is applied, whatever its key
