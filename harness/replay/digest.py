"""What a command is, in a few characters, so that replays in different processes can be compared.

Everything that a command says counts, its timeouts and order too, decoded and not as bytes. What
is left out is written for people (messages, stack traces) or by the SDK (headers).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload

from harness.replay.capture import Command
from harness.replay.decoded import value

_FREE: Final = frozenset({"message", "stack_trace", "encoded_attributes", "headers", "header"})
DIGITS: Final = 10


def digests(commands: Iterable[Command]) -> list[str]:
    """One `kind:digest` for each command, in order; answers to queries are none."""
    return [f"{kind}:{_digest(given)}" for kind, given in commands if kind != "respond_to_query"]


def _digest(message: Message) -> str:
    text = json.dumps(plain(message), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def plain(message: Any) -> Any:
    """A message as plain values: the fields that are set, by name."""
    if isinstance(message, Payload):
        return value(message)
    if not isinstance(message, Message):
        return message.hex() if isinstance(message, bytes) else message
    return {
        field.name: _field(field, given)
        for field, given in message.ListFields()
        if field.name not in _FREE
    }


def _field(field: Any, given: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {str(key): plain(each) for key, each in given.items()}
    if hasattr(given, "__len__") and not isinstance(given, str | bytes | Message):
        return [plain(each) for each in given]
    return plain(given)
