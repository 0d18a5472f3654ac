"""Locks of the lab: one per lab folder, and one for the bridge that all of them share."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ucontact_appliance.lab import layout
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.files import private_dir

Observer = Callable[[str], None]


@contextmanager
def lab_lock(on_event: Observer) -> Iterator[None]:
    """Hold the lock of this lab folder."""
    private_dir(layout.lab_root())
    waiting = _("waiting for another ucontact process that uses the lab")
    with _held(layout.lab_lock(), waiting, on_event):
        yield


@contextmanager
def bridge_lock(on_event: Observer) -> Iterator[None]:
    """Hold the lock of the bridge; taken after this folder's own."""
    waiting = _("waiting for another lab folder that uses the bridge")
    with _held(layout.bridge_lock(), waiting, on_event):
        yield


@contextmanager
def _held(path: Path, waiting: str, on_event: Observer) -> Iterator[None]:
    """Hold an exclusive flock(2); the kernel releases it when its holder is killed."""
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_event(waiting)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
