"""The guard of one child process: it ends the child's whole group when the supervisor is gone.

Run as a script (`python -I -S guard.py LIFELINE REPORT -- COMMAND ...`) so that it starts in
milliseconds. LIFELINE is the read end of a pipe whose write end only the supervisor holds: when
it closes, for whatever reason, SIGKILL included, the group gets SIGKILL. REPORT is a descriptor to
which the child's pid is written once. The guard exits with the child's exit code (128 + n for
signal n). SIGINT and SIGTERM are the supervisor's business and ignored here.
"""

import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # it starts in milliseconds because it imports next to nothing
    from collections.abc import Callable
    from typing import NoReturn


def main(argv: list[str]) -> int:
    return guarded(lambda: _become(argv[4:]), int(argv[1]), int(argv[2]))


def guarded(become: "Callable[[], NoReturn]", lifeline: int, report: int) -> int:
    """Fork a child that goes on as `become`, and watch it to its end; its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wakeup, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = os.fork()
    if child == 0:
        _begin(lifeline, report)
        become()
    _lead_a_group(child)
    _report(child, report)
    _drop_standard_streams()
    return _watch(child, lifeline, wakeup)


def _lead_a_group(child: int) -> None:
    """Done by guard and child alike: whoever is first, the group is there when it is reported."""
    try:
        os.setpgid(child, child)
    except OSError:  # it has done so itself, and more
        return


def _report(child: int, report: int) -> None:
    try:
        os.write(report, f"{child}\n".encode())
    except OSError:
        return  # nobody listens: the supervisor is gone, which the lifeline will say
    os.close(report)


def _begin(lifeline: int, report: int) -> None:
    """In the child: a group of its own, and nothing of the guard's."""
    _lead_a_group(0)
    os.close(lifeline)
    os.close(report)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def _become(command: list[str]) -> "NoReturn":
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127)


def _drop_standard_streams() -> None:
    """So that the supervisor reads end of file as soon as the child and its group are gone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def _watch(child: int, lifeline: int, wakeup: int) -> int:
    while True:
        ready, _, _ = select.select([lifeline, wakeup], [], [])
        if lifeline in ready:
            _end_group(child)
            os.waitpid(child, 0)
            return 137
        os.read(wakeup, 512)
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            _end_group(child)  # what the child left behind in its group
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _end_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


if __name__ == "__main__":
    os._exit(main(sys.argv))
