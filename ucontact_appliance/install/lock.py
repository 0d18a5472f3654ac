"""The lock on this machine that allows one installer per site at a time."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

import psutil
from pydantic import BaseModel, PositiveInt, ValidationError

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.os_errors import refusing
from ucontact_appliance.site.files import private_dir

_ENDING_SECONDS = 20.0  # a supervisor needs at most 10 s to end


@contextmanager
def install_lock(path: Path) -> Iterator[int]:
    """Hold the lock; yield its descriptor, which child processes inherit so that they hold it too.

    The kernel releases the lock when its last holder has ended, by whatever cause. Processes that a
    killed installer started end within seconds, and this function waits for them. Raises UsageError
    with the holder when another installer is running.
    """
    private_dir(path.parent)
    with refusing(_("the lock {path} can't be opened", path=path), path):
        stream = path.open("a+", encoding="utf-8")
    with stream:
        if not _locked(stream, path):
            raise UsageError(
                _("another ucontact install is running for this site"),
                evidence=_told(path),
                helps=_way_out(path),
            )
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with refusing(_("the lock {path} can't be written", path=path), path):
            stream.truncate(0)
            stream.write(json.dumps({"pid": os.getpid(), "since": now}))
            stream.flush()
        yield stream.fileno()


def _locked(stream: TextIO, path: Path) -> bool:
    """Try to acquire the lock, waiting for a killed holder's children; return its success."""
    deadline = time.monotonic() + _ENDING_SECONDS
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(path)
            if holder is None or _lives(holder.pid) or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        else:
            return True


class _Holder(BaseModel):
    """Content of the lock file: the holder's process id, and since when (ISO 8601, UTC)."""

    pid: PositiveInt
    since: str


def _holder(path: Path) -> _Holder | None:
    try:
        return _Holder.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _lives(pid: int) -> bool:
    """Return whether the process is running; a killed one may remain as a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _way_out(path: Path) -> str:
    holder = _holder(path)
    if holder is not None and not _lives(holder.pid) and (left := _holding(path)):
        return with_note(
            f"kill {' '.join(map(str, left))}", _("ends what the killed installation left running")
        )
    return _("wait until it ends; its progress is in the newest file of the log folder")


def _holding(path: Path) -> list[int]:
    """Return the ids of the other processes that have the lock file open."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if any(opened.path == str(path) for opened in process.open_files()):
                found.append(process.pid)
        except psutil.Error:  # it has ended, or belongs to another user
            continue
    return found


def _told(path: Path) -> str:
    holder = _holder(path)
    if holder is None:
        return _("lock {path}", path=path)
    if not _lives(holder.pid):
        return _(
            "process {pid}, since {since}, was killed; processes that it started are still running",
            pid=holder.pid,
            since=holder.since,
        )
    return _("process {pid}, since {since}", pid=holder.pid, since=holder.since)
