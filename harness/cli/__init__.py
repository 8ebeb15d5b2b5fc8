"""The command line. Composes everything; each command imports what it needs when it runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from harness.errors import EXIT_BUG, HarnessError
from harness.outcome import EXIT_INCONCLUSIVE


def run(argv: Sequence[str]) -> int:
    """Parse and carry out one command; returns its exit code.

    This is the outer border: an error of ours is one line, a bug keeps its traceback.
    """
    from harness.cli.parser import parse

    try:
        options = parse(argv)
        module = importlib.import_module(f"harness.cli.{options.module}")
        return int(module.run(options))
    except HarnessError as error:
        print("\n".join([f"harness: {error}", *_notes(error)]), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("harness: interrupted", file=sys.stderr)
        return EXIT_INCONCLUSIVE
    except BrokenPipeError:  # of `harness catalogue | head`; nothing can be said any more
        sys.stdout = None
        return EXIT_INCONCLUSIVE
    except Exception:  # noqa: BLE001 - the outer border
        import traceback

        traceback.print_exc()
        print(
            "harness: this is a bug of the harness; nothing that was recorded is lost",
            file=sys.stderr,
        )
        return EXIT_BUG


def _notes(error: BaseException) -> list[str]:
    """What was added to an error on its way."""
    return [f"harness: {note}" for note in getattr(error, "__notes__", ())]
