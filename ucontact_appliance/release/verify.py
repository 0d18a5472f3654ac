"""Verify that an archive or folder is exactly the release that its signed manifest lists.

Nothing is unpacked: the archive is read once as a stream, and never more of it is held in memory
than the manifest lists. Both functions raise UsageError with the first problem, and
UnreachableError for what can't be read.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, concatenated, with_note
from ucontact_appliance.release.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    FileEntry,
    ReleaseManifest,
    parse_manifest,
)
from ucontact_appliance.release.trust import TrustedKeys, demand_trust
from ucontact_appliance.resources import load_data

_CHUNK = 1024 * 1024
_TAR_OVERHEAD_PER_FILE = 4096  # a header, its long name, and the padding of the content
_TAR_OVERHEAD = 64 * 1024


class _BoundedReader:
    """Reader of a stream that refuses more than `limit` bytes."""

    def __init__(self, stream: gzip.GzipFile, source: str, limit: int) -> None:
        self._stream = stream
        self._source = source
        self.limit = limit
        self._seen = 0

    def read(self, size: int = -1) -> bytes:
        """Like a file's `read`. Raises UsageError past the limit."""
        left = self.limit - self._seen + 1
        data = self._stream.read(left if size < 0 else min(size, left))
        self._seen += len(data)
        if self._seen > self.limit:
            raise _refused(self._source, _("unpacked, it is larger than its manifest says"))
        return data


def verify_archive(path: Path, trust: TrustedKeys) -> ReleaseManifest:
    """The manifest of a `.tar.gz` if every member matches it."""
    source = str(path)
    try:
        with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as stream:
            return _verify_stream(_BoundedReader(stream, source, MAX_MANIFEST_BYTES), source, trust)
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise _refused(
            source, _("not an intact .tar.gz archive ({error})", error=str(error))
        ) from error
    except OSError as error:
        raise _unreadable(source, error) from error


def _verify_stream(reader: _BoundedReader, source: str, trust: TrustedKeys) -> ReleaseManifest:
    stream: Any = reader  # tarfile needs only `read` in stream mode
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        first = archive.next()
        if first is None or first.name != MANIFEST or not _is_plain(first):
            raise _refused(source, _("its first member is not {name}", name=MANIFEST))
        manifest = parse_manifest(_content(archive, first).read(), source)
        demand_trust(manifest, trust, source)
        demand_tree(manifest, source)
        reader.limit += (
            manifest.total_bytes + _TAR_OVERHEAD_PER_FILE * len(manifest.files) + _TAR_OVERHEAD
        )
        seen: set[str] = set()
        folders = _folders(manifest)
        # Not `for member in archive`: that would start with the first member again.
        while member := archive.next():
            if member.isdir() and member.name in folders:
                continue
            if not _is_plain(member):
                raise _refused(
                    source, _("{name!r} is a link or a device, not a file", name=member.name)
                )
            if member.name in seen:
                raise _refused(source, _("{name!r} occurs twice", name=member.name))
            entry = manifest.files.get(member.name)
            if entry is None:
                raise _refused(source, _("{name!r} is not in the manifest", name=member.name))
            if member.size != entry.size:
                raise _changed(source, member.name)
            seen.add(member.name)
            _demand_content(source, member.name, entry, _content(archive, member))
    while rest := reader.read(_CHUNK):
        if rest.strip(b"\0"):
            raise _refused(source, _("there is data after the end of the archive"))
    _demand_all(source, manifest, seen)
    return manifest


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    assert content is not None  # only links and devices have no content
    return content


def verify_folder(path: Path, trust: TrustedKeys) -> ReleaseManifest:
    """The manifest of a folder if every file matches it."""
    source = str(path)
    try:
        with (path / MANIFEST).open("rb") as stream:
            manifest = parse_manifest(stream.read(MAX_MANIFEST_BYTES + 1), source)
        demand_trust(manifest, trust, source)
        demand_tree(manifest, source)
        seen = {MANIFEST}
        folders = _folders(manifest)
        for name, is_folder in _walk(path, source):
            if is_folder:
                if name not in folders:
                    raise _refused(
                        source, _("the folder {name!r} is not in the manifest", name=name)
                    )
            elif name != MANIFEST:
                _demand_file(path, source, name, manifest)
                seen.add(name)
    except OSError as error:
        raise _unreadable(source, error) from error
    _demand_all(source, manifest, seen - {MANIFEST})
    return manifest


def _demand_file(path: Path, source: str, name: str, manifest: ReleaseManifest) -> None:
    entry = manifest.files.get(name)
    if entry is None:
        raise _refused(source, _("{name!r} is not in the manifest", name=name))
    # O_NOFOLLOW: a file may be replaced by a link after it was listed.
    with os.fdopen(os.open(path / name, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        if os.fstat(stream.fileno()).st_size != entry.size:
            raise _changed(source, name)
        _demand_content(source, name, entry, stream)


def _walk(path: Path, source: str) -> Iterable[tuple[str, bool]]:
    """Every file and folder below, by its path with slashes; rejects links and devices."""

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(path, onerror=fail):
        for entry in sorted(folders + files):
            full = Path(folder) / entry
            mode = full.lstat().st_mode
            name = full.relative_to(path).as_posix()
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _refused(source, _("{name!r} is a link or a device, not a file", name=name))
            yield name, stat.S_ISDIR(mode)


def _folders(manifest: ReleaseManifest) -> set[str]:
    parents = (PurePosixPath(name).parents for name in manifest.files)
    return {str(parent) for above in parents for parent in above} - {"."}


def demand_tree(manifest: ReleaseManifest, source: str) -> None:
    """Raise UsageError if a path of R22 would stay empty. Rows: data/tree.yml."""
    for row in load_data("tree")["paths"]:
        path, kind = row["path"], row["kind"]
        below = [name for name in manifest.files if name.startswith(f"{path}/")]
        missing = (
            (kind == "release" and path not in manifest.files)
            or (kind == "pages" and not below)
            or (kind == "jars" and not any(name.endswith(".jar") for name in below))
        )
        if missing:
            raise _refused(
                source,
                _(
                    "it has no {path}, which every release has ({requirement})",
                    path=path,
                    requirement=row["requirement"],
                ),
            )


def _demand_content(source: str, name: str, entry: FileEntry, stream: IO[bytes]) -> None:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    if digest.hexdigest() != entry.sha256:
        raise _changed(source, name)


def _demand_all(source: str, manifest: ReleaseManifest, seen: set[str]) -> None:
    missing = sorted(manifest.files.keys() - seen)
    if missing:
        name, more = missing[0], len(missing) - 1
        if more:
            raise _refused(
                source, _("{name!r} and {count} more are missing", name=name, count=more)
            )
        raise _refused(source, _("{name!r} is missing", name=name))


def _changed(source: str, name: str) -> UsageError:
    return _refused(source, _("{name!r} does not match the signed manifest", name=name))


def _refused(source: str, why: str) -> UsageError:
    return UsageError(
        _("the release is not what its publisher signed"),
        evidence=concatenated((f"{source}: ", why)),
        helps=with_note(_("ask the publisher for the release again"), _("nothing was changed")),
    )


def _unreadable(source: str, error: OSError) -> UnreachableError:
    return UnreachableError(
        _("the release can't be read"),
        evidence=f"{source}: {error.strerror or error}",
        helps=_("set 'release:' in site.yml to the release's archive or folder"),
    )
