"""Signals that end a command: the terminal is gone (HUP), or the machine shuts down (TERM)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_TOLD_TO_END = (signal.SIGTERM, signal.SIGHUP)


class TerminatedBySignal(SystemExit):
    """Raised by a signal that ends the command: unwinds like Ctrl-C, with a shell's exit code."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn the first TERM or HUP into `Ended`; a signal that is ignored (as by nohup) stays so."""
    before = {number: signal.getsignal(number) for number in _TOLD_TO_END}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def end(number: int, frame: FrameType | None) -> None:
        for other in heard:  # nothing may interrupt the cleanup
            signal.signal(other, signal.SIG_IGN)
        raise TerminatedBySignal(number)

    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
