"""`python -m harness.platform.fork_server SOCKET MODULE...`: forks Python programs that start fast.

It imports the modules once, listens on a Unix socket, and forks for each order a guard (`guard`)
and its child, which runs a module as `python -m` would. An order is five descriptors (the guard's
lifeline and report, where it writes the exit code, the child's standard input and output) and an
`Order`. It has no thread and never runs what it imported; what a process makes anew when its
interpreter starts (the seed of hashes) is the same in all that it forks.
"""

from __future__ import annotations

import gc
import importlib
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
import warnings
from typing import Final, NoReturn

import msgspec

from harness.contract.ready import READY
from harness.errors import EXIT_BUG
from harness.platform.guard import guarded

DESCRIPTORS: Final = 5
WAITING: Final = 64


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: a module with its arguments, in this folder and environment."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str


def main() -> None:
    for name in sys.argv[2:]:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guards end unattended
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sys.argv[1])
    listening.listen(WAITING)
    print(f"{READY}{{}}", flush=True)
    while True:
        connection, _ = listening.accept()
        _take(connection, listening)


def _take(connection: socket.socket, listening: socket.socket) -> None:
    """Fork the guard that an order asks for; an order that is cut short is none."""
    with connection:
        _, descriptors, _, _ = socket.recv_fds(connection, 1, DESCRIPTORS)
        body = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        if len(descriptors) == DESCRIPTORS and body and os.fork() == 0:
            listening.close()
            connection.close()
            _guard(msgspec.json.decode(body, type=Order), *descriptors)
    for each in descriptors:
        os.close(each)


def _guard(
    order: Order, lifeline: int, report: int, status: int, stdin: int, stdout: int
) -> NoReturn:
    try:
        os.setsid()
        for given, stream in ((stdin, 0), (stdout, 1), (stdout, 2)):
            os.dup2(given, stream)
        os.close(stdin)
        os.close(stdout)
        code = guarded(lambda: _become(order, status), lifeline, report)
        os.write(status, str(code).encode())
    finally:
        os._exit(0)


def _become(order: Order, status: int) -> NoReturn:
    """Run the module as a program, to the process's end."""
    code: object = EXIT_BUG
    try:
        os.close(status)
        os.chdir(order.folder)
        os.environ.clear()
        os.environ.update(order.environment)
        sys.argv[1:] = order.arguments
        sys.path[0] = order.folder
        # that it was imported already is the point
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
        runpy.run_module(order.module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - the outer border of the process
        traceback.print_exc()
    if isinstance(code, str):
        print(code, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
