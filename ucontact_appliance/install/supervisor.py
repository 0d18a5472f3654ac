"""Run one command, and end all its processes when the requesting program has ended.

    python -m ucontact_appliance.install.supervisor LIFELINE FOLDER COMMAND...

LIFELINE is the read end of a pipe whose write end the requesting program holds: it closes when that
program ends for any reason. FOLDER, which has secrets, is then removed. The command inherits
standard input and every other descriptor that this process was given, so that a lock is held until
the last of its processes has ended.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

_TERM_SECONDS = 5.0  # less than the requesting program allows this one
_KILL_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_CHILD_SUBREAPER = 36


class _EndedError(Exception):
    """The requesting program has ended, or has sent a signal to end."""


def main(words: Sequence[str]) -> int:
    """Run the command; return its exit status as a shell would (128 + signal)."""
    lifeline, folder, *command = words
    # A subreaper (prctl(2)) adopts orphaned descendants, so that all of them can be ended.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        process = subprocess.Popen(
            command,
            pass_fds=_others(int(lifeline)),
            # preexec_fn is safe: this process has one thread, so fork copies no held lock.
            preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
        )
        _wait(process, int(lifeline))
    except _EndedError:
        _end_descendants()
        shutil.rmtree(folder, ignore_errors=True)
        return 128 + signal.SIGTERM
    status = process.returncode
    return 128 - status if status < 0 else status


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise _EndedError


def _others(lifeline: int) -> list[int]:
    """Return the inherited descriptors except the standard ones and the lifeline."""
    return [
        number
        for number in (int(path.name) for path in Path("/proc/self/fd").iterdir())
        if number > 2 and number != lifeline and _is_inherited(number)
    ]


def _is_inherited(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # the descriptor that listed the folder is closed by now
        return False


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _wait(process: subprocess.Popen[bytes], lifeline: int) -> None:
    """Wait for the command. Raises _EndedError if the requesting program ends first."""
    ended = os.pidfd_open(process.pid)
    try:
        ready, _, _ = select.select([ended, lifeline], [], [])
    finally:
        os.close(ended)
    if ended not in ready:
        raise _EndedError
    process.wait()


def _end_descendants() -> None:
    """End every descendant of this process: SIGTERM, then SIGKILL after 5 s."""
    for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        deadline = time.monotonic() + seconds
        told: set[int] = set()
        while time.monotonic() < deadline:
            living = _descendants()
            if not living:
                return
            for process in living:
                if process.pid not in told or number == signal.SIGKILL:
                    told.add(process.pid)
                    _signal(process, number)
            time.sleep(0.05)


def _descendants() -> list[psutil.Process]:
    """Reap the children that have ended; return the remaining descendants."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                break
        except ChildProcessError:
            return []
    return psutil.Process().children(recursive=True)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
