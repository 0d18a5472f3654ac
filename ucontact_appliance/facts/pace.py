"""How long answers take, so that one that was slow by chance is not taken for a slow server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def usual(ask: Callable[[], T], seconds: Callable[[T], float], quick: float) -> T:
    """The first answer where it took at most `quick` seconds, else the middle one of three."""
    first = ask()
    if seconds(first) <= quick:
        return first
    return sorted((first, ask(), ask()), key=seconds)[1]


def usual_seconds(ask: Callable[[], object]) -> float:
    """The middle one of three times that an answer took; raises nothing of its own.

    Asked three times whatever the first one took: who gets too little processor time has saved some
    up, and is quick once.
    """

    def timed() -> float:
        started = time.monotonic()
        # That nothing came is for other probes to tell; how long that took counts here.
        with contextlib.suppress(Exception):
            ask()
        return time.monotonic() - started

    return sorted(timed() for _ in range(3))[1]
