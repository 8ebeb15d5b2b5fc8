"""`harness init`."""

from __future__ import annotations

import argparse

from harness.errors import UnavailableError, UsageError
from harness.target.template import commented_template


def run(options: argparse.Namespace) -> int:
    """Write a commented target file where there is none."""
    try:
        with options.file.open("x") as stream:
            stream.write(commented_template())
    except FileExistsError:
        raise UsageError(f"{options.file}: exists already; give another name") from None
    except OSError as error:
        raise UnavailableError(
            f"{options.file}: {error.strerror}; give a place that can be written"
        ) from None
    print(
        f"{options.file}: written; describe your platform in it, then: "
        f"harness doctor --target {options.file}"
    )
    return 0
