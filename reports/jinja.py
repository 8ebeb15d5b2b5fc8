"""The only module that knows Jinja2: templates filled with escaping always on."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

_FOLDER = Path(__file__).parent / "templates"
_SCRIPT = "filter.js"
_STYLE = "style.css"


def fill(template: str, **context: Any) -> str:
    """The template with its context.

    Every string is escaped as HTML, and characters that could hide or reorder text are shown by
    their number: control characters, lone surrogates, and the marks that turn the direction of
    writing. A name that is not in the context is an error, not an empty place.
    """
    script = _asset(_SCRIPT)
    return (
        _environment()
        .get_template(template)
        .render(**context, style=_asset(_STYLE), script=script, script_digest=_csp_digest(script))
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"name": _name, "ticked": _ticked}
    return environment


def _name(standing: str) -> str:
    """A standing as a class of the style sheet."""
    return standing.replace(" ", "-")


def _ticked(text: str) -> Markup:
    """Text of the catalogue, with what stands between backticks as code."""
    parts = [escape(visible(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part
        for index, part in enumerate(parts)
    )


def _finalize(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def visible(text: str) -> str:
    """The text with every invisible or reordering character shown as its number."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if character == "\n" or category not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    return " " if character == "\t" else f"\\u{ord(character):04x}"


def _asset(name: str) -> Markup:
    """A file that is inlined as it stands."""
    return Markup((_FOLDER / name).read_text(encoding="utf-8").strip())


def _csp_digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
