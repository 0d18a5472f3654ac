"""Reproducible archives and jars: the same content gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from typing import IO

from ucontact_appliance.release.manifest import MANIFEST, FileEntry, ReleaseManifest

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can record
_FILE_MODE = 0o644


def file_entry(content: bytes) -> FileEntry:
    """The manifest's row for this content."""
    return FileEntry(sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def jar(main_attributes: Mapping[str, str], files: Mapping[str, bytes]) -> bytes:
    """A jar or war with these files and manifest attributes (lines under 72 bytes).

    Nothing is compressed: zlib and its successors compress the same content to different bytes.
    """
    lines = ["Manifest-Version: 1.0", *(f"{key}: {text}" for key, text in main_attributes.items())]
    too_long = [line for line in lines if len(line.encode()) > 70]
    if too_long:
        raise ValueError(f"{too_long[0]!r} is too long for a line of a jar's manifest")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        # The manifest must be the first entry: readers of jars as streams look only there.
        _add(
            archive,
            "META-INF/MANIFEST.MF",
            "".join(f"{line}\r\n" for line in [*lines, ""]).encode(),
        )
        for name in sorted(files):
            _add(archive, name, files[name])
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _ZIP_EPOCH)
    info.external_attr = _FILE_MODE << 16
    info.create_system = 3  # Unix, regardless of the system that packs
    info.compress_type = zipfile.ZIP_STORED
    archive.writestr(info, content)


def write_archive(out: IO[bytes], manifest: ReleaseManifest, read: Callable[[str], bytes]) -> None:
    """Write the release as `.tar.gz`: the manifest first, then its files sorted by name."""
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        _add_member(archive, MANIFEST, manifest.document())
        for name in sorted(manifest.files):
            _add_member(archive, name, read(name))


def _add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = _FILE_MODE
    archive.addfile(info, io.BytesIO(content))
