"""Track the child processes of one run, so that ending the run ends all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STOP_SECONDS = 12.0


class Processes:
    """The leaders of running process groups; thread-safe."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._changed = threading.Condition()
        self._ending = False

    @contextmanager
    def watched(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Track the process until the context ends: later its id may belong to another process."""
        with self._changed:
            self._groups.add(process.pid)
            if self._ending:
                signal_group(process.pid, signal.SIGTERM)
        try:
            yield
        finally:
            with self._changed:
                self._groups.discard(process.pid)
                self._changed.notify_all()

    @property
    def ending(self) -> bool:
        """Whether the run is being ended."""
        with self._changed:
            return self._ending

    def end(self) -> None:
        """End all process groups: SIGTERM, then SIGKILL after 12 s."""
        with self._changed:
            self._ending = True
            self._tell(signal.SIGTERM)
            if not self._changed.wait_for(lambda: not self._groups, timeout=_STOP_SECONDS):
                self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for group in self._groups:
            signal_group(group, number)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send the signal to the process group, if it still exists."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
