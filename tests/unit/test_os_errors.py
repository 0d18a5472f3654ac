"""What the system refuses is told with its path, its file system and a way out."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from ucontact_appliance import os_errors
from ucontact_appliance.cli.main import _explained
from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.os_errors import first_full, refused, refusing
from ucontact_appliance.site.files import private_dir, write_private


@pytest.mark.parametrize(
    ("number", "helps"),
    [
        (errno.ENOSPC, "df -h"),
        (errno.EDQUOT, "quota -v"),
        (errno.EROFS, "remount,rw"),
        (errno.EACCES, "lsattr -d"),
        (errno.EIO, "dmesg"),
        (errno.ENOTDIR, "something else has this path"),
        (errno.EINVAL, "ls -ld"),
    ],
)
def test_each_refusal_names_path_file_system_and_remedy(
    tmp_path: Path, number: int, helps: str
) -> None:
    path = tmp_path / "no" / "such"
    told = refused("it failed", OSError(number, os.strerror(number)), path)
    first, second = told.evidence.splitlines()
    assert first == f"{path}: {os.strerror(number)}"
    assert second.startswith("file system /")
    assert "MiB free" in second
    assert helps in told.helps
    assert "{" not in told.helps
    assert told.exit_code == 3


def test_the_path_that_the_error_names_wins(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError) as caught, refusing("no", Path("/elsewhere")):
        (tmp_path / "absent").read_bytes()
    assert str(tmp_path / "absent") in caught.value.evidence


def test_of_a_copy_the_target_is_named(full: Path, tmp_path: Path) -> None:
    source = tmp_path / "release"
    source.write_bytes(bytes(100_000))
    with pytest.raises(UnreachableError) as caught, refusing("no", tmp_path):
        shutil.copyfile(source, full / "copy")
    assert f"{full / 'copy'}: No space left" in caught.value.evidence


def test_a_time_out_is_no_refusal() -> None:
    with pytest.raises(TimeoutError), refusing("no", Path("/")):
        raise TimeoutError("late")


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system without any room left."""
    if os.geteuid() != 0:
        pytest.skip("not run: mounting needs root")
    mount = tmp_path / "full"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], check=True)
    try:
        (mount / "state.json").write_text("before")
        filled = subprocess.run(
            ["dd", "if=/dev/zero", f"of={mount / 'filler'}"], capture_output=True, check=False
        )
        assert b"No space left" in filled.stderr
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_leaves_the_old_file_and_no_half_one(full: Path) -> None:
    with pytest.raises(UnreachableError, match=r"state\.json can't be written") as caught:
        write_private(full / "state.json", "x" * 10000)
    assert f"{full / 'state.json'}: No space left on device" in caught.value.evidence
    assert f"file system {full}: 0 of 0 MiB free" in caught.value.evidence
    assert f"df -h {full}" in caught.value.helps
    assert (full / "state.json").read_text() == "before"
    assert sorted(path.name for path in full.iterdir()) == ["filler", "state.json"]


def test_a_write_without_a_name_is_told_with_the_file_system_that_is_full(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert first_full([Path("/proc"), full / "deeper"]) == full
    monkeypatch.setenv("UCONTACT_VAR", str(full))
    told, code = _explained(OSError(errno.ENOSPC, "No space left on device"))
    assert str(full) in told.evidence
    assert f"df -h {full}" in told.helps
    assert code == 3


def test_a_folder_in_whose_place_a_file_lies(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("")
    with pytest.raises(UnreachableError, match="can't be created") as caught:
        private_dir(tmp_path / "etc" / "demo")
    assert str(tmp_path / "etc") in caught.value.helps


def test_nothing_can_be_asked_of_a_path_that_is_none() -> None:
    assert os_errors.refused("no", OSError(errno.ENOSPC, "full"), Path("a\0b")).what == "no"


@pytest.mark.parametrize(
    ("text", "words"), [("{", "Invalid JSON"), ('{"a": "b"}', "a: Input should be a valid integer")]
)
def test_a_damaged_file_is_told_by_place_and_reason(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dict[str, int]).validate_json(text)
    assert words in why(caught.value)
    assert "\n" not in why(caught.value)
