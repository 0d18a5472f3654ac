"""The packages of the vendor's Asterisk in a release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.unit.release.samples import FILES, archive, manifest_of, members
from ucontact_appliance.errors import UsageError
from ucontact_appliance.release.pack import file_entry
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.release.telephony import release_packages, unpack_packages

ASTERISK, MODULES = "asterisk_13.35-1_amd64.deb", "asterisk-modules_13.35-1_amd64.deb"
PACKAGES = {f"telephony/{ASTERISK}": b"one", f"telephony/{MODULES}": b"two"}


def stored(folder: Path, files: Mapping[str, bytes]) -> ReleaseFiles:
    """A release as the store has it."""
    manifest = manifest_of(files)
    beside = folder / "r.manifest.json"
    beside.write_bytes(manifest.document())
    return ReleaseFiles(archive(folder / "r.tar.gz", members(manifest, files)), beside, "0" * 64)


def test_packages_are_unpacked_beside_the_release(tmp_path: Path) -> None:
    release = stored(tmp_path, FILES | PACKAGES)
    assert [package.is_whole for package in release_packages(release)] == [False, False]
    packages = unpack_packages(release)
    assert {one.path.name: one.path.read_bytes() for one in packages} == {
        ASTERISK: b"one",
        MODULES: b"two",
    }
    assert packages[0].path.parent == tmp_path / "r.tar.gz.packages"
    assert {one.sha256 for one in packages} == {file_entry(c).sha256 for c in PACKAGES.values()}


def test_one_that_was_changed_there_is_unpacked_again(tmp_path: Path) -> None:
    release = stored(tmp_path, FILES | PACKAGES)
    first, second = unpack_packages(release)
    first.path.write_bytes(b"altered")
    before = second.path.stat()
    assert not release_packages(release)[0].is_whole
    assert all(package.is_whole for package in unpack_packages(release))
    assert second.path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("files", [{}, {f"telephony/{MODULES}": b"two"}])
def test_a_release_without_asterisk_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(UsageError, match=r"the release acme 5\.1 has no Asterisk"):
        release_packages(stored(tmp_path, FILES | files))


@pytest.mark.parametrize("name", ["telephony/nginx_1_all.deb", f"telephony/below/{ASTERISK}"])
def test_other_files_have_no_place_there(name: str) -> None:
    with pytest.raises(ValidationError, match="is no package of Asterisk"):
        manifest_of(FILES | {name: b""})
