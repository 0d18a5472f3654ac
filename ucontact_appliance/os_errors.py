"""Turn an OSError into an error that names the path, its file system and a command that helps."""

from __future__ import annotations

import errno
import os
import shlex
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import Message, _, joined, with_note

_MIB = 1 << 20
TEMPORARY = (Path("/run"), Path("/dev/shm"), Path(tempfile.gettempdir()))


def refused(what: str, error: OSError, path: Path | None = None) -> UnreachableError:
    """Return an error that says what happened, on which path and file system, and what to do.

    `path` is used if the error itself names no path, as for a failed write.
    """
    # The error of a copy names source and target, the target second (shutil, rename(2)).
    named = error.filename if error.filename2 is None else error.filename2
    place = Path(os.fsdecode(named)) if named is not None else path
    reason = error.strerror or str(error) or type(error).__name__
    if place is None:
        return UnreachableError(what, evidence=reason, helps=_helps(error.errno, None))
    return UnreachableError(
        what,
        evidence=joined("\n", [f"{place}: {reason}", *_file_system(place)]),
        helps=_helps(error.errno, place),
    )


@contextmanager
def refusing(what: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the block into the error of `refused`, except a TimeoutError."""
    try:
        yield
    except TimeoutError:
        raise
    except OSError as error:
        raise refused(what, error, path) from error


def first_full(paths: Iterable[Path]) -> Path | None:
    """Return the first path on a file system without free space or inodes, or None.

    A write to a full file system fails without naming the path.
    """
    for path in paths:
        try:
            there = _existing(path)
            found = os.statvfs(there)
        except OSError:
            continue
        if (found.f_blocks and not found.f_bavail) or (found.f_files and not found.f_favail):
            return there
    return None


def _existing(path: Path) -> Path:
    """Return the path, or its nearest parent that exists."""
    place = path.absolute()
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    return place


def _mount_point(path: Path) -> Path:
    place = _existing(path)
    while not place.is_mount() and place != place.parent:
        place = place.parent
    return place


def _file_system(path: Path) -> list[str]:
    """Return one line about the path's file system, or nothing if it can't be queried."""
    try:
        mount = _mount_point(path)
        found = os.statvfs(mount)
    except OSError:
        return []
    free, size = (count * found.f_frsize // _MIB for count in (found.f_bavail, found.f_blocks))
    if not found.f_files:
        return [
            _("file system {mount}: {free} of {size} MiB free", mount=mount, free=free, size=size)
        ]
    return [
        _(
            "file system {mount}: {free} of {size} MiB free, {inodes_free} of {inodes} inodes",
            mount=mount,
            free=free,
            size=size,
            inodes_free=found.f_favail,
            inodes=found.f_files,
        )
    ]


# A command and a note. {mount} is the mount point, {path} the path or its nearest existing parent.
_FULL = ("df -h {mount}; df -i {mount}", _("free space or inodes there, then run it again"))
_IN_THE_WAY = ("ls -ld {path}", _("something else has this path: move it, then run it again"))
_NOT_ALLOWED = (
    "ls -ld {path}; lsattr -d {path}",
    _("root must be able to use it; then run it again"),
)
_HELPS: dict[int, tuple[str, Message]] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: (
        "quota -v",
        _("free space on {mount} or raise the quota, then run it again", mount="{mount}"),
    ),
    errno.EROFS: ("mount -o remount,rw {mount}", _("dmesg shows why it became read-only")),
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EIO: ("dmesg | tail", _("the disk of {mount} reports I/O errors", mount="{mount}")),
    errno.EMFILE: ("ulimit -n 65536", _("raises the limit of open files; then run it again")),
    errno.ENFILE: ("sysctl fs.file-nr", _("too many files are open on this machine")),
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ELOOP: _IN_THE_WAY,
}


def _helps(number: int | None, path: Path | None) -> str:
    """Return one command that helps with an error of this number (errno(3))."""
    try:
        place = _existing(path or Path("/"))
        mount = _mount_point(place)
    except OSError:
        return ""
    values = {"path": shlex.quote(str(place)), "mount": shlex.quote(str(mount))}
    command, note = _HELPS.get(number or 0, ("ls -ld {path}; df -h {mount}", None))
    if note is None:
        return command.format(**values)
    if note.values:
        note = note.filled(mount=values["mount"])
    return with_note(command.format(**values), note)
