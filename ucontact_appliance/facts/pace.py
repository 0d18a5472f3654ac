"""Response times by median, so that one slow answer by chance does not count as a slow server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def usual(ask: Callable[[], T], seconds: Callable[[T], float], quick: float) -> T:
    """The first answer if it took at most `quick` seconds, else the median of three."""
    first = ask()
    if seconds(first) <= quick:
        return first
    return sorted((first, ask(), ask()), key=seconds)[1]


def usual_seconds(ask: Callable[[], object]) -> float:
    """The median of three response times in seconds; suppresses all errors of `ask`.

    Always asks three times: a process that is short of CPU time may have saved some up, and answer
    quickly once.
    """

    def timed() -> float:
        started = time.monotonic()
        # Other probes report a failed request; here only the time that it took counts.
        with contextlib.suppress(Exception):
            ask()
        return time.monotonic() - started

    return sorted(timed() for _ in range(3))[1]
