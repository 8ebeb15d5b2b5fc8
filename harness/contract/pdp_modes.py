"""The PDP double's failure modes, as facts: which resource asks for which, what it entitles to.

A resource id that is a mode's `resource`, alone or followed by `.` or `/` and anything, makes the
PDP double answer in that mode. Between the mode and the `.` may stand when it does so, each after
a dash: `back` or `forth` (one direction only), `x2` (the first two questions of a step only),
`after1` (not before its second question). What a mode does not answer is decided by policy:
`fm-18-back-x2.alpha` drips twice at the step's compensation.

`answer` is what a reader who follows `CONTRACT.md` §5.2 may conclude. `FM-nn` is broken in one way
each (but FM-01 and FM-02, the plain answers); `ok-…` is unusual but valid, and must be accepted.
How each is written is in `harness.doubles.modes`; here is no I/O.

`LINKS` are what goes wrong before any request: no resource asks for these, a worker is told an
address of its own. What becomes of all the numbers is in `harness.contract.pdp_matrix`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from harness.journal.records import Answer

FAMILIES: Final = (
    "status", "framing", "timing", "connection", "json", "decision-type", "redirect", "size",
    "context", "freshness", "control",
)  # fmt: skip
LINK: Final = "link"
CAP_AMOUNT: Final = "cap-amount"  # an obligation that can be seen to be carried out


class Mode(msgspec.Struct, frozen=True):
    """One way to answer. `obligation` is the id of one that a platform may say it carries out."""

    id: str
    family: str
    description: str
    answer: Answer = Answer.NONE
    obligation: str = ""

    @property
    def resource(self) -> str:
        """The resource id, or its beginning before `.` or `/`, that asks for this mode."""
        return self.id.lower()


MODES: Final[tuple[Mode, ...]] = (
    Mode("FM-01", "control", "200 with decision true", Answer.ALLOW),
    Mode("FM-02", "control", "200 with decision false", Answer.DENY),
    Mode("FM-03", "status", "400 with an error message"),
    Mode("FM-03a", "status", "400 whose body says allow"),
    Mode("FM-04", "status", "401 with WWW-Authenticate"),
    Mode("FM-04a", "status", "401 whose body says allow"),
    Mode("FM-05", "status", "403 whose body says allow"),
    Mode("FM-06", "status", "404 with an HTML page"),
    Mode("FM-06a", "status", "404 whose body says allow"),
    Mode("FM-07", "status", "429 with Retry-After whose body says allow"),
    Mode("FM-08", "status", "500 whose body says allow"),
    Mode("FM-09", "status", "502 whose body says allow"),
    Mode("FM-09a", "status", "503 whose body says allow"),
    Mode("FM-09b", "status", "504 whose body says allow"),
    Mode("FM-09c", "status", "502 with a load balancer's HTML page"),
    Mode("FM-10", "status", "201 whose body says allow"),
    Mode("FM-10a", "status", "202 whose body says allow"),
    Mode("FM-10b", "status", "203 whose body says allow"),
    Mode("FM-10c", "status", "206 whose body says allow"),
    Mode("FM-11", "status", "204 without a body"),
    Mode("FM-12", "status", "304 without a body"),
    Mode("FM-16", "timing", "the connection is accepted and nothing is ever sent"),
    Mode("FM-17", "timing", "an allow whose first byte comes after the deadline"),
    Mode("FM-18", "timing", "the body of an allow drips, byte by byte, beyond the deadline"),
    Mode("FM-18a", "timing", "the same in chunked encoding, one byte a chunk"),
    Mode("FM-19", "timing", "the headers of an allow drip, byte by byte, beyond the deadline"),
    Mode("FM-19a", "timing", "interim answers (102) keep coming, the allow after the deadline"),
    Mode("FM-20", "connection", "reset before any answer"),
    Mode("FM-21", "connection", "reset in the middle of the body"),
    Mode("FM-21a", "connection", "reset after a whole allow, before the announced end of the body"),
    Mode("FM-22", "framing", "a whole allow, but Content-Length announces more; then closed"),
    Mode("FM-23", "json", "an allow cut off before its last brace, framed correctly"),
    Mode("FM-24", "json", "HTTP/1.0 body that ends with the connection, cut off"),
    Mode("FM-25", "framing", "chunked allow without its last chunk; then closed"),
    Mode("FM-26", "framing", "both Content-Length and Transfer-Encoding"),
    Mode("FM-26a", "framing", "two Content-Length that differ"),
    Mode("FM-27", "framing", "bytes that are no HTTP"),
    Mode("FM-27a", "framing", "HTTP/0.9: a bare body that says allow"),
    Mode("FM-27b", "framing", "a TLS alert on the plain port"),
    Mode("FM-27c", "framing", "a status that is no number, with an allow"),
    Mode("FM-28", "json", "200 with an empty body"),
    Mode("FM-29", "json", "200, text/plain: allow"),
    Mode("FM-29a", "json", "200 with the HTML page of a login"),
    Mode("FM-30", "json", "an allow with the media type text/plain"),
    Mode("FM-30a", "json", "an allow without a media type"),
    Mode("FM-30b", "json", "an allow with the media type application/problem+json"),
    Mode("FM-31", "decision-type", "no decision"),
    Mode("FM-31a", "decision-type", "Decision, with a capital"),
    Mode("FM-31b", "decision-type", "decisions, in the plural"),
    Mode("FM-31c", "decision-type", "allow instead of decision"),
    Mode("FM-32", "decision-type", "decision is the string true"),
    Mode("FM-32a", "decision-type", "decision is the string false"),
    Mode("FM-32b", "decision-type", "decision is the string Deny"),
    Mode("FM-33", "decision-type", "decision is 1"),
    Mode("FM-33a", "decision-type", "decision is 1.0"),
    Mode("FM-34", "decision-type", "decision is 0"),
    Mode("FM-34a", "decision-type", "decision is null"),
    Mode("FM-35", "decision-type", "decision is an object that says no"),
    Mode("FM-35a", "decision-type", "decision is a list that says no"),
    Mode("FM-35b", "decision-type", "the answer is wrapped in result"),
    Mode("FM-36", "decision-type", "the top level is true"),
    Mode("FM-36a", "decision-type", "the top level is a list with an allow"),
    Mode("FM-37", "json", "decision twice: false, then true"),
    Mode("FM-37a", "json", "decision twice: true, then false"),
    Mode("FM-37b", "json", "decision twice, once spelled with an escape"),
    Mode("FM-37c", "json", "an allow with a member of its context twice"),
    Mode("FM-38", "json", "an allow and trailing garbage"),
    Mode("FM-38a", "json", "an allow after a byte order mark"),
    Mode("FM-38b", "json", "an allow in UTF-16"),
    Mode("FM-38c", "json", "an allow, then a second JSON text"),
    Mode("FM-38d", "json", "an allow with a byte that is no UTF-8"),
    Mode("FM-39", "json", "an allow with NaN in its context"),
    Mode("FM-39a", "json", "an allow with Infinity in its context"),
    Mode("FM-40", "decision-type", "200 with an error and no decision"),
    Mode("FM-41", "context", "an allow with an error in its context"),
    Mode("FM-41a", "context", "an allow whose context is a string"),
    Mode("FM-42", "context", "an allow with an obligation that nobody knows"),
    Mode("FM-42a", "context", "an allow whose obligations are an object"),
    Mode("FM-42b", "context", "an allow that obliges to an amount of 1", obligation=CAP_AMOUNT),
    Mode("FM-43", "decision-type", "one question answered in the shape of a batch"),
    Mode("FM-45", "size", "an allow of 64 MiB"),
    Mode("FM-46", "size", "an allow that unpacks from 200 KiB to 200 MiB"),
    Mode("FM-47", "size", "an allow with 200,000 nested lists in its context"),
    Mode("FM-48", "redirect", "302 to an address that says allow"),
    Mode("FM-48a", "redirect", "301 to an address that says allow"),
    Mode("FM-48b", "redirect", "303 to an address that says allow"),
    Mode("FM-49", "redirect", "307 to another host that says allow"),
    Mode("FM-49a", "redirect", "308 to another host that says allow"),
    Mode("FM-50", "redirect", "302 to an address that redirects to itself"),
    Mode("FM-51", "freshness", "an allow with the X-Request-ID of another request"),
    Mode("FM-52", "freshness", "an allow from a cache, a day old"),
    Mode("ok-extra", "control", "allow with unknown members, on top and in context", Answer.ALLOW),
    Mode("ok-case", "control", "allow with header names in odd case", Answer.ALLOW),
    Mode("ok-chunked", "control", "allow in several chunks", Answer.ALLOW),
    Mode("ok-context", "control", "allow with reasons and no obligations", Answer.ALLOW),
    Mode("ok-order", "control", "allow with context before decision, and spaces", Answer.ALLOW),
    Mode("ok-slow", "control", "allow after 0.4 of the deadline", Answer.ALLOW),
    Mode("ok-charset", "control", "allow with a charset parameter", Answer.ALLOW),
)

LINKS: Final[tuple[Mode, ...]] = (
    Mode("FM-13", LINK, "the connection is refused"),
    Mode("FM-14", LINK, "the name of the PDP cannot be resolved"),
    Mode("FM-15", LINK, "nobody answers the attempt to connect"),
    Mode("FM-55", LINK, "TLS: a certificate that signed itself"),
    Mode("FM-55a", LINK, "TLS: a trusted certificate with another name"),
    Mode("FM-55b", LINK, "TLS: a trusted certificate that has expired"),
    Mode("FM-55c", LINK, "plain HTTP behind an https address"),
    Mode("FM-56", LINK, "TLS: the PDP asks for a certificate that the worker has not"),
)

_BY_RESOURCE: Final = {mode.resource: mode for mode in MODES}
_END: Final = re.compile(r"[./]")
_USE: Final = re.compile(r"((?:fm|ok)-[a-z0-9]+)((?:-(?:back|forth|x[1-9]\d?|after[1-9]\d?))*)")


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """A mode, and of which questions of a step it is the answer: with `first` 0 of all."""

    mode: Mode
    direction: str = ""
    first: int = 0
    after: int = 0

    @property
    def counts(self) -> bool:
        """Whether it depends on the number of the question."""
        return bool(self.first or self.after)

    def answers(self, direction: str, number: int) -> bool:
        """Whether it answers the question of that number, from 1, in this direction."""
        if self.direction and self.direction != direction:
            return False
        return number > self.after and (not self.first or number <= self.first)


def play_of(resource: str) -> Play | None:
    """What a resource id asks for; None: it is always decided by policy.

    Raises `KeyError` for an id that begins like a mode's (`fm-`) and names none: a misspelt mode
    must not become an ordinary resource.
    """
    if not resource.startswith(("fm-", "ok-")):
        return None
    name = _END.split(resource, maxsplit=1)[0]
    found = _USE.fullmatch(name)
    mode = _BY_RESOURCE.get(found[1]) if found else None
    if found is None or mode is None:
        if name.startswith("fm-"):
            raise KeyError(name)
        return None
    return _play(mode, found[2].split("-")[1:])


def _play(mode: Mode, words: list[str]) -> Play:
    play = Play(mode=mode)
    for word in words:
        if word in ("back", "forth"):
            direction = "compensation" if word == "back" else "forward"
            play = msgspec.structs.replace(play, direction=direction)
        elif word.startswith("x"):
            play = msgspec.structs.replace(play, first=int(word[1:]))
        else:
            play = msgspec.structs.replace(play, after=int(word.removeprefix("after")))
    return play


def mode_of(resource: str) -> Mode | None:
    """The mode that a resource id asks for, whenever that is; raises as `play_of` does."""
    play = play_of(resource)
    return None if play is None else play.mode
