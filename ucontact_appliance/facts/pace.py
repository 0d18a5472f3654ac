"""How long answers take, so that one that was slow by chance is not taken for a slow server."""

from __future__ import annotations

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


def usual_seconds(ask: Callable[[], object], quick: float) -> float:
    """What it usually takes until it answers, or until there is none: raises nothing of its own."""

    def timed() -> float:
        started = time.monotonic()
        try:
            ask()
        except Exception:
            # That nothing came is for other probes to tell; how long that took counts here.
            return time.monotonic() - started
        return time.monotonic() - started

    return usual(timed, float, quick)
