"""Runs one command, and ends all that it started when the program that asked for it is gone.

    python -m ucontact_appliance.install.supervisor LIFELINE FOLDER COMMAND...

LIFELINE is a descriptor whose other end the asking program holds: it ends with that program,
however that one ends. FOLDER is then removed with the secrets in it. The command inherits the
standard input and every other descriptor that this process was given, so that a lock is held until
the last of it has ended.
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

_TERM_SECONDS = 5.0  # less than the asking program gives this one
_KILL_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_CHILD_SUBREAPER = 36


class _EndedError(Exception):
    """The asking program is gone, or has asked for an end."""


def main(words: Sequence[str]) -> int:
    """The command's exit status, as a shell gives it."""
    lifeline, folder, *command = words
    # Whatever is left without its parent becomes a child of this process: nothing gets out of hand.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        process = subprocess.Popen(
            command,
            pass_fds=_others(int(lifeline)),
            # This process has one thread: no lock is held between fork and exec.
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
    """The descriptors that this process was given beside the standard ones and the lifeline."""
    return [
        number
        for number in (int(path.name) for path in Path("/proc/self/fd").iterdir())
        if number > 2 and number != lifeline and _is_inherited(number)
    ]


def _is_inherited(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # the one that listed them
        return False


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _wait(process: subprocess.Popen[bytes], lifeline: int) -> None:
    """Until the command ends. Raises _EndedError when the asking program does first."""
    ended = os.pidfd_open(process.pid)
    try:
        ready, _, _ = select.select([ended, lifeline], [], [])
    finally:
        os.close(ended)
    if ended not in ready:
        raise _EndedError
    process.wait()


def _end_descendants() -> None:
    """End every process below this one: politely, then for good."""
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
    """The living ones; those that have ended are taken note of."""
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
