"""One installer at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.site.files import private_dir


@contextmanager
def install_lock(path: Path) -> Iterator[None]:
    """Hold the lock; the kernel lets go of it however the holder ends.

    Raises UsageError naming the holder when another installer is at work.
    """
    private_dir(path.parent)
    try:
        stream = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UnreachableError(f"the lock {path} can't be opened", evidence=str(error)) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                "another ucontact install is at work on this site",
                evidence=_holder(path),
                helps="wait until it ends; its progress is in the newest file of the log folder",
            ) from None
        stream.truncate(0)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        stream.write(json.dumps({"pid": os.getpid(), "since": now}))
        stream.flush()
        yield


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']}, since {holder['since']}"
    except (OSError, ValueError, KeyError):
        return f"lock {path}"
