"""The commented target file that `harness init` writes."""

from __future__ import annotations

from pathlib import Path


def commented_template() -> str:
    """A target file that explains each of its fields and can be read as it stands."""
    return Path(__file__).with_name("template.yaml").read_text(encoding="utf-8")
