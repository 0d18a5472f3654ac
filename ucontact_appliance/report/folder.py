"""Read a report's folder from an untrusted source, without following or opening links.

The folder can contain anything: a symbolic link to a file of this machine, a FIFO that nobody
writes to, an endless file. Only regular files directly in the folder are opened, and read only up
to the size that a report can have.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.resources import load_data

_CHUNK = 1 << 20
# A link that replaces a file after the listing is not followed, and a FIFO does not block.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS = (
    (stat.S_ISLNK, "symbolic link"),
    (stat.S_ISFIFO, "FIFO"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "character device"),
    (stat.S_ISBLK, "block device"),
)


@dataclass(frozen=True)
class Limits:
    """The limits of a report's folder: entries in total, bytes per file, bytes in total."""

    entries: int
    file_bytes: int
    bytes: int


def limits() -> Limits:
    """Return the limits of data/report.yml."""
    return Limits(**load_data("report")["folder"])


@dataclass(frozen=True)
class Listing:
    """The entries of a folder, by their paths relative to it.

    `files` are the regular files that may be read, `folders` its subfolders. `refused` has the
    reason for each path that is not opened; the key "" stands for the whole folder.
    """

    files: frozenset[str]
    folders: tuple[str, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True)
class ReportFolder:
    """An open folder with its listing; `opened` returns one."""

    path: Path
    listing: Listing
    _descriptor: int
    _limits: Limits

    def read(self, name: str) -> bytes:
        """Return the content of a listed file. Raises OSError for a name that is not listed."""
        with self._open(name) as stream:
            data = stream.read(self._limits.file_bytes + 1)
        if len(data) > self._limits.file_bytes:
            raise OSError(f"{name} grew while it was read")
        return data

    def sha256(self, name: str) -> str:
        """Return the hexadecimal hash of a listed file. Raises OSError for an unlisted name."""
        digest, left = hashlib.sha256(), self._limits.file_bytes
        with self._open(name) as stream:
            while chunk := stream.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise OSError(f"{name} grew while it was read")
                digest.update(chunk)
        return digest.hexdigest()

    def _open(self, name: str) -> IO[bytes]:
        # Only listed names: a manifest could name a path outside the folder.
        if name not in self.listing.files:
            raise FileNotFoundError(f"{self.path / name} is not there, or is not a regular file")
        descriptor = os.open(name, _FLAGS, dir_fd=self._descriptor)
        stream = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            stream.close()
            raise OSError(f"{self.path / name} is no longer a regular file")
        return stream


@contextmanager
def opened(path: Path) -> Iterator[ReportFolder]:
    """Open and list the folder. Raises UnreachableError if it can't be read or is no folder."""
    bounds = limits()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _no_folder(error) from error
    try:
        try:
            listing = _listing(descriptor, bounds)
        except OSError as error:
            raise _no_folder(error) from error
        yield ReportFolder(path, listing, descriptor, bounds)
    finally:
        os.close(descriptor)


def demand_regular(folder: ReportFolder, names: tuple[str, ...]) -> None:
    """Raise UsageError if the whole folder or one of those files is refused."""
    refused = folder.listing.refused
    for name in ("", *names):
        if name in refused:
            where = folder.path / name
            raise UsageError(
                _("{where} is refused: {refused}", where=where, refused=refused[name]),
                evidence=_("a report folder contains only regular files"),
                helps=f"ls -la {folder.path}",
            )


def _no_folder(error: OSError) -> UnreachableError:
    return UnreachableError(
        _("that is not a report folder"), evidence=str(error), helps="ucontact report --out DIR"
    )


def _listing(descriptor: int, bounds: Limits) -> Listing:
    files: set[str] = set()
    folders: list[str] = []
    refused: dict[str, str] = {}
    total = 0
    for count, (name, found) in enumerate(_walk(descriptor, "")):
        if count >= bounds.entries:
            refused[""] = _(
                "more than {count} files and folders: the others were not read",
                count=bounds.entries,
            )
            break
        if stat.S_ISDIR(found.st_mode):
            folders.append(name)
        elif not stat.S_ISREG(found.st_mode):
            refused[name] = _kind(found.st_mode)
        elif found.st_size > bounds.file_bytes:
            refused[name] = _(
                "{size} bytes; the limit is {most}",
                size=found.st_size,
                most=bounds.file_bytes,
            )
        elif "/" not in name:
            total += found.st_size
            files.add(name)
    if total > bounds.bytes:
        refused[""] = _("{size} bytes in total; the limit is {most}", size=total, most=bounds.bytes)
        files.clear()
    return Listing(frozenset(files), tuple(sorted(folders)), dict(sorted(refused.items())))


def _walk(descriptor: int, above: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every entry below the open folder; only folders are opened, no link is followed."""
    with os.scandir(descriptor) as entries:
        for entry in entries:
            name, found = f"{above}{entry.name}", entry.stat(follow_symlinks=False)
            yield name, found
            if stat.S_ISDIR(found.st_mode):
                below = os.open(entry.name, _FLAGS | os.O_DIRECTORY, dir_fd=descriptor)
                try:
                    yield from _walk(below, f"{name}/")
                finally:
                    os.close(below)


def _kind(mode: int) -> str:
    return next((name for is_one, name in _KINDS if is_one(mode)), "special file")
