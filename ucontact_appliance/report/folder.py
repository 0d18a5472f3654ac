"""A report's folder as whoever handed it over left it: listed without following or opening links.

A folder from elsewhere can hold anything: a symbolic link to a file of this machine, a FIFO that
nobody writes to, a file without an end. Only regular files that lie in the folder itself are
opened, and of those only as much as a report can have.
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
# A link put in the place of a file after the listing is not followed, and a FIFO does not block.
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
    """What a report's folder has at most: entries in all, bytes of one file, bytes in all."""

    entries: int
    file_bytes: int
    bytes: int


def limits() -> Limits:
    """The limits of data/report.yml."""
    return Limits(**load_data("report")["folder"])


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, by its path within it.

    `files` are the regular files that may be read, `folders` the folders in it. `refused` has the
    reason for each path that was not opened; the key "" is about the folder as a whole.
    """

    files: frozenset[str]
    folders: tuple[str, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True)
class ReportFolder:
    """An open folder with its listing; get one by `opened`."""

    path: Path
    listing: Listing
    _descriptor: int
    _limits: Limits

    def read(self, name: str) -> bytes:
        """The whole content of a file of the listing. Raises OSError where there is none."""
        with self._open(name) as stream:
            data = stream.read(self._limits.file_bytes + 1)
        if len(data) > self._limits.file_bytes:
            raise OSError(f"{name} grew while it was read")
        return data

    def sha256(self, name: str) -> str:
        """The hash of a file of the listing, in hexadecimal. Raises OSError where there is none."""
        digest, left = hashlib.sha256(), self._limits.file_bytes
        with self._open(name) as stream:
            while chunk := stream.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise OSError(f"{name} grew while it was read")
                digest.update(chunk)
        return digest.hexdigest()

    def _open(self, name: str) -> IO[bytes]:
        # Only names of the listing: a manifest could name a path outside of the folder.
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
    """The folder, listed. Raises UnreachableError where it can't be read or is none."""
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
    """Raises UsageError where the folder is refused as a whole, or one of those files is."""
    refused = folder.listing.refused
    for name in ("", *names):
        if name in refused:
            where = folder.path / name
            raise UsageError(
                _("{where} is refused: {refused}", where=where, refused=refused[name]),
                evidence=_("a report's folder holds regular files only"),
                helps=f"ls -la {folder.path}",
            )


def _no_folder(error: OSError) -> UnreachableError:
    return UnreachableError(
        _("that is no report's folder"), evidence=str(error), helps="ucontact report --out DIR"
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
                "{size} bytes, and at most {most} are read",
                size=found.st_size,
                most=bounds.file_bytes,
            )
        elif "/" not in name:
            total += found.st_size
            files.add(name)
    if total > bounds.bytes:
        refused[""] = _(
            "{size} bytes in all, and at most {most} are read", size=total, most=bounds.bytes
        )
        files.clear()
    return Listing(frozenset(files), tuple(sorted(folders)), dict(sorted(refused.items())))


def _walk(descriptor: int, above: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every entry below the open folder, without following or opening anything but folders."""
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
