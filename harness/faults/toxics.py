"""Toxics as values, checked before Toxiproxy sees them.

Toxiproxy ignores attributes that it does not know, takes an absent one as 0 and accepts negative
ones: a misspelt toxic is a fault that never bites. `toxicity` is drawn for each connection, so a
toxic here is always of full strength, in an explicit window.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

import msgspec

from harness.errors import UsageError

Stream = Literal["upstream", "downstream"]


class Limit(NamedTuple):
    """The least value of an attribute, and whether it must be given."""

    least: int
    required: bool = True


TOXICS: Final[dict[str, dict[str, Limit]]] = {
    "latency": {"latency": Limit(1), "jitter": Limit(0, required=False)},  # ms
    "bandwidth": {"rate": Limit(1)},  # KB/s; Toxiproxy stalls the link at 0
    "slow_close": {"delay": Limit(1)},  # ms
    "timeout": {"timeout": Limit(0)},  # ms; 0 is a black hole
    "reset_peer": {"timeout": Limit(0)},  # ms
    "slicer": {  # bytes, bytes, microseconds
        "average_size": Limit(1),
        "size_variation": Limit(0, required=False),
        "delay": Limit(0, required=False),
    },
    "limit_data": {"bytes": Limit(1)},
}


class Toxic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A disturbance of one direction of a link.

    `downstream` is what the server sends to the client. Raises `UsageError` with all problems if
    Toxiproxy would not do what is asked.
    """

    type: str
    attributes: dict[str, int]
    stream: Stream = "downstream"

    def __post_init__(self) -> None:
        if problems := _problems(self):
            raise UsageError(f"toxic {self.type!r}: " + "; ".join(problems))

    @property
    def name(self) -> str:
        """What Toxiproxy calls it; a link has at most one of each."""
        return f"{self.type}_{self.stream}"


def _problems(toxic: Toxic) -> list[str]:
    problems = []
    if toxic.stream not in get_args(Stream):
        problems.append(f"no stream {toxic.stream!r}; choose from {', '.join(get_args(Stream))}")
    if toxic.type not in TOXICS:
        return [*problems, f"no such type; choose from {', '.join(TOXICS)}"]
    limits = TOXICS[toxic.type]
    for name, value in toxic.attributes.items():
        problems += _attribute(name, value, limits)
    for name, limit in limits.items():
        if limit.required and name not in toxic.attributes:
            problems.append(f"{name} is missing")
    return problems


def _attribute(name: str, value: object, limits: dict[str, Limit]) -> list[str]:
    if name == "toxicity":
        return ["toxicity is always 1.0 and cannot be chosen"]
    if name not in limits:
        return [f"no attribute {name!r}; choose from {', '.join(limits)}"]
    if isinstance(value, bool) or not isinstance(value, int) or value < limits[name].least:
        return [f"{name} must be a whole number, at least {limits[name].least}, not {value!r}"]
    return []
