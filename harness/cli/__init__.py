"""The command line. Composes everything; each command imports what it needs when it runs."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence

from harness.errors import EXIT_BUG, EXIT_UNAVAILABLE, HarnessError
from harness.outcome import EXIT_INCONCLUSIVE

NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def run(argv: Sequence[str]) -> int:
    """Parse and carry out one command; returns its exit code.

    This is the outer border: an error of ours is one line, a bug keeps its traceback.
    """
    from harness.cli.parser import parse

    try:
        options = parse(argv)
        module = importlib.import_module(f"harness.cli.{options.module}")
        code = int(module.run(options))
        sys.stdout.flush()
        return code
    except HarnessError as error:
        print("\n".join([f"harness: {error}", *_notes(error)]), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("harness: interrupted", file=sys.stderr)
        return EXIT_INCONCLUSIVE
    except BrokenPipeError:  # as by `harness catalogue | head`; nothing can be said any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INCONCLUSIVE
    except Exception as error:  # noqa: BLE001 - the outer border
        return _unforeseen(error)


def _unforeseen(error: Exception) -> int:
    """A disk that cannot be written is the user's to mend; anything else is a bug of ours."""
    if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
        print(f"harness: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return EXIT_UNAVAILABLE
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
