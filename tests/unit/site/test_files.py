"""A file is replaced in one step or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.site.files import write_atomic, write_private


def test_content_and_mode_arrive_together(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "text", 0o640)
    assert path.read_text() == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(UnreachableError, match="unchanged"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_makes_its_folder_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_private(path, b"bytes")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
