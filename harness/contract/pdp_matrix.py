"""What becomes of each failure of the PDP: 64 numbers, one row each. Here is no I/O.

A row says how its number is shown: `answer` (the bytes of one answer, keyed by resource,
`harness.contract.pdp_modes`), `course` (a course of several answers, by the named cases of the
authorization suite), `link` (before any request, by a worker that knows the PDP by an address of
its own; a name that nobody resolves cannot be allowed first, so it is met forward only), `idle`
(nothing of ours shows it yet, and why), `absent` (the contract has no such thing), `unseen` (it
cannot be told from outside, and why).
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

How = Literal["answer", "course", "link", "idle", "absent", "unseen"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A failure of the PDP. `cases` are patterns of the cases that drive a course, `ids` what they
    feed, `reason` why it is not driven."""

    number: int
    failure: str
    how: How
    ids: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    reason: str = ""

    @property
    def name(self) -> str:
        """As the modes are named."""
        return f"FM-{self.number:02}"


def _answer(number: int, failure: str) -> Row:
    return Row(number=number, failure=failure, how="answer", ids=("INV-PDP-3",))


def _course(number: int, failure: str, check_id: str, *cases: str) -> Row:
    return Row(number=number, failure=failure, how="course", ids=(check_id,), cases=cases)


def _link(number: int, failure: str, case: str) -> Row:
    return Row(number=number, failure=failure, how="link", ids=("INV-PDP-3",), cases=(case,))


def _not(how: How, number: int, failure: str, reason: str) -> Row:
    return Row(number=number, failure=failure, how=how, reason=reason)


_SECURED: Final = "needs a PDP that is reached by TLS: the secured profile"

ROWS: Final[tuple[Row, ...]] = (
    _answer(1, "allow"),
    _answer(2, "deny"),
    _answer(3, "400"),
    _answer(4, "401: the worker's own credentials are bad"),
    _answer(5, "403, with a body that allows"),
    _answer(6, "404"),
    _answer(7, "429 with Retry-After"),
    _answer(8, "500"),
    _answer(9, "502, 503, 504 of a load balancer"),
    _answer(10, "another 2xx than 200"),
    _answer(11, "204"),
    _answer(12, "304"),
    _link(13, "connection refused", "link-refused"),
    _link(14, "name not resolved", "link-unresolved"),
    _link(15, "connection attempts not answered", "link-silent"),
    _answer(16, "accepted, then silence"),
    _answer(17, "first byte too late"),
    _answer(18, "dripping body"),
    _answer(19, "dripping headers"),
    _answer(20, "reset before an answer"),
    _answer(21, "reset within the body"),
    _answer(22, "fewer bytes than announced"),
    _answer(23, "JSON cut off"),
    _answer(24, "body that ends with the connection, cut off"),
    _answer(25, "chunks without an end"),
    _answer(26, "contradicting lengths"),
    _answer(27, "no HTTP/1"),
    _answer(28, "empty body"),
    _answer(29, "text or a login page"),
    _answer(30, "wrong media type"),
    _answer(31, "no decision"),
    _answer(32, "a decision that is a string"),
    _answer(33, "a decision that is a number"),
    _answer(34, "a decision that is zero or null"),
    _answer(35, "a decision that is wrapped"),
    _answer(36, "a top level that is no object"),
    _answer(37, "duplicate members"),
    _answer(38, "trailing garbage, byte order mark, UTF-16"),
    _answer(39, "numbers that JSON has not"),
    _answer(40, "an error and no decision"),
    _answer(41, "an allow with an error"),
    _answer(42, "an allow with an obligation"),
    _answer(43, "one question answered as a batch"),
    _not("absent", 44, "batch with missing or reordered items", "the contract asks no batches"),
    _answer(45, "giant body"),
    _answer(46, "body that unpacks to a giant"),
    _answer(47, "deep nesting"),
    _answer(48, "redirect that changes the method"),
    _answer(49, "redirect to another host"),
    _answer(50, "redirect that never ends"),
    _answer(51, "the answer to another question"),
    _answer(52, "an answer out of a cache"),
    _course(53, "allow revoked, then asked again", "INV-PDP-7", "revoked-between-steps-*"),
    _course(54, "allow, then the PDP is away", "INV-PDP-7", "over-between-attempts-1"),
    _not("idle", 55, "TLS that must not be trusted", _SECURED),
    _not("idle", 56, "a client certificate that is not there", _SECURED),
    _course(57, "some replicas fail", "INV-PDP-5", "outage-survived-0"),
    _course(58, "the PDP comes and goes", "INV-PDP-5", "outage-survived-1"),
    _not(
        "unseen", 59, "a slow PDP takes all places of a worker",
        "how many activities a worker runs at once is its own affair; load shows it",
    ),
    _course(
        60, "the PDP is back", "INV-PDP-5", "outage-survived-*", "rollback-without-pdp-*",
    ),
    _not(
        "unseen", 61, "an allow that was meant for another tenant",
        "an answer names no subject; by its request id a crossed one is told, which is FM-51",
    ),
    _course(
        62, "allow, crash before the effect, then deny", "INV-PDP-7", "over-after-a-crash",
    ),
    _not("absent", 63, "signed decision, expired or forged", "the contract has none"),
    _course(64, "a question that must not be asked", "INV-PDP-6", "sagas-for-nobody"),
)  # fmt: skip
