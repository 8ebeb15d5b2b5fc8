"""Reads the catalogue's files; a key that they misspell is an error, not an omission."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from harness.catalogue.model import Assertion, Catalogue, Gap, Parameter

_FOLDER = Path(__file__).parent
# libyaml where the wheel brings it: five times as fast as the parser in Python
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Record = TypeVar("Record")


@cache
def load_catalogue() -> Catalogue:
    """The catalogue as shipped; read once for each process."""
    return Catalogue(
        assertions=_records("catalogue.yaml", Assertion),
        parameters=_records("parameters.yaml", Parameter),
        gaps=_records("gaps.yaml", Gap),
    )


def _records(name: str, record: type[Record]) -> tuple[Record, ...]:
    with (_FOLDER / name).open("rb") as file:
        return parse(file.read(), record)


def parse(text: bytes, record: type[Record]) -> tuple[Record, ...]:
    """A YAML list as records; msgspec.ValidationError names the entry and field at fault."""
    return msgspec.convert(yaml.load(text, Loader=_LOADER), tuple[record, ...])  # type: ignore[valid-type]
