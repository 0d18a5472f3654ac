"""Being told to end: the terminal is gone, or the machine goes down."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_TOLD_TO_END = (signal.SIGTERM, signal.SIGHUP)


class Ended(SystemExit):
    """Told to end by a signal: unwinds as Ctrl-C does, with the exit code that shells give it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn TERM and HUP into `Ended`, once; one that is ignored (as by nohup) stays so."""
    before = {number: signal.getsignal(number) for number in _TOLD_TO_END}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def end(number: int, frame: FrameType | None) -> None:
        for other in heard:  # nothing interrupts the cleaning up
            signal.signal(other, signal.SIG_IGN)
        raise Ended(number)

    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
