"""What workflow code must not reach: one row for each rule, by the dotted names it forbids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`forbids` are dotted names; each stands for itself and everything below it."""

    id: str
    says: str
    forbids: frozenset[str]

    def match(self, dotted: str) -> str:
        """The forbidden name that a dotted name is, or lies below; empty if none."""
        parts = dotted.split(".")
        names = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        return next((name for name in names if name in self.forbids), "")


PDP_CLIENT: Final = "pdp-client"
DYNAMIC: Final = frozenset(
    {"exec", "eval", "compile", "__import__", "importlib.import_module", "runpy.run_module"}
)

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        id=PDP_CLIENT,
        says="a client of the network, by which a PDP could be asked",
        forbids=frozenset(
            {
                "aiohttp", "asyncio.open_connection", "asyncio.open_unix_connection", "authzen",
                "casbin", "cedarpy", "cerbos", "ftplib", "grpc", "h11", "h2", "http.client",
                "httpcore", "httpx", "opa_client", "openfga_sdk", "oso", "permit", "pycasbin",
                "pycurl", "requests", "socket", "ssl", "temporalio.client", "tornado.httpclient",
                "urllib.request", "urllib3", "websockets", "xmlrpc.client",
            }
        ),
    ),
)  # fmt: skip
