"""Declared meanings: what the decision record leaves open and a target file may say."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Protocol

from harness.yaml_lines import Where


class Parameter(Protocol):
    """A meaning that may be declared."""

    def problem(self, value: object) -> str | None:
        """Why a value cannot be declared, with what can; None where it can."""


def validate_declared(
    raw: Mapping[str, Any], parameters: Mapping[str, Parameter]
) -> list[tuple[Where, str]]:
    """What is wrong with declared values, as (place below `declared`, complaint)."""
    return [
        (_place(name), text)
        for name, value in raw.items()
        if (text := _complaint(name, value, parameters))
    ]


def _place(name: str) -> Where:
    return (name,)


def _complaint(name: str, value: Any, parameters: Mapping[str, Parameter]) -> str | None:
    if name in parameters:
        text = parameters[name].problem(value)
        return text.removeprefix(f"{name} ") if text else None
    near = difflib.get_close_matches(name, parameters, n=1)
    hint = f" did you mean {near[0]}?" if near else ""
    return f"unknown parameter;{hint} parameters: {', '.join(parameters)}"
