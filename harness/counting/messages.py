"""What the counting proxy and the supervisor say to each other."""

from __future__ import annotations

from typing import Final

import msgspec

STRETCH: Final = "stretch "  # a line on standard input: what is counted from now on is called so


class Addresses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the proxy listens, by link: the line after HARNESS-READY."""

    links: dict[str, str]
