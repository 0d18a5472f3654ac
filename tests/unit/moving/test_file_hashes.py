"""Hashes of files in a tar stream, in the form that sha256sum takes."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.moving.file_hashes import FileHashes

NAMES = ("spool/a.gsm", "spool/a name with \\ in it", "spool/line\nbreak", "spool/empty")


def packed(folder: Path) -> bytes:
    """The files of NAMES below the folder as an archive; `empty` has no content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for number, name in enumerate(NAMES):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"" if name.endswith("empty") else bytes([number]) * 100_000)
            archive.add(path, arcname=f"/{name}")
        archive.add(folder / "spool", arcname="/spool", recursive=False)
    return stream.getvalue()


def checked(folder: Path, sums: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sha256sum", "--check", "--quiet", "--strict"],
        cwd=folder,
        input=sums,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_files_are_hashed_as_they_pass(tmp_path: Path, size: int) -> None:
    data = packed(tmp_path)
    hashes = FileHashes()
    for at in range(0, len(data), size):
        hashes.feed(data[at : at + size])
    sums = hashes.sums()
    assert len(sums.splitlines()) == len(NAMES)
    assert checked(tmp_path, sums).returncode == 0
    (tmp_path / NAMES[0]).write_bytes(b"other")
    assert NAMES[0] in checked(tmp_path, sums).stdout


def test_what_is_no_archive_is_said_and_does_not_block() -> None:
    hashes = FileHashes()
    hashes.feed(b"restic: no such snapshot" * 100_000)
    with pytest.raises(PhaseFailedError, match="can't be read"):
        hashes.sums()


def test_nothing_gives_no_hashes() -> None:
    hashes = FileHashes()
    hashes.feed(b"\0" * 10240)  # an archive without files
    assert hashes.sums() == ""
