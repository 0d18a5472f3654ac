from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.unit.release.samples import (
    FILES,
    KEY,
    STRANGER,
    TRUST,
    Member,
    archive,
    folder,
    manifest_of,
    members,
    plain,
    special,
)
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.release.manifest import MANIFEST
from ucontact_appliance.release.trust import TrustedKeys
from ucontact_appliance.release.verify import verify_archive, verify_folder


def refusal(path: Path, trust: TrustedKeys = TRUST) -> str:
    """What is said of a release that must not be accepted."""
    verify = verify_folder if path.is_dir() else verify_archive
    with pytest.raises(UsageError) as refused:
        verify(path, trust)
    assert refused.value.helps
    return refused.value.evidence


def test_a_good_archive_and_a_good_folder(tmp_path: Path) -> None:
    manifest = manifest_of()
    assert verify_archive(archive(tmp_path / "r.tar.gz", members(manifest)), TRUST) == manifest
    assert verify_folder(folder(tmp_path / "r", manifest), TRUST) == manifest


def test_folders_in_an_archive_are_no_harm(tmp_path: Path) -> None:
    content = members(manifest_of())
    content.insert(1, special("web", tarfile.DIRTYPE))
    assert verify_archive(archive(tmp_path / "r.tar.gz", content), TRUST)


def with_extra(*extra: Member) -> list[Member]:
    return [*members(manifest_of()), *extra]


def without(name: str) -> list[Member]:
    return [member for member in members(manifest_of()) if member[0].name != name]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (with_extra(plain("web/shell.php", b"x")), "'web/shell.php' is not in the manifest"),
        (with_extra(plain("../../etc/cron.d/x", b"x")), "is not in the manifest"),
        (with_extra(plain("/etc/cron.d/x", b"x")), "is not in the manifest"),
        (with_extra(special("web/link", tarfile.SYMTYPE, "/etc")), "is a link or a device"),
        (with_extra(special("web/link", tarfile.LNKTYPE, "/etc/passwd")), "is a link or a device"),
        (with_extra(special("web/null", tarfile.CHRTYPE)), "is a link or a device"),
        (with_extra(special("web/pipe", tarfile.FIFOTYPE)), "is a link or a device"),
        (with_extra(special("other", tarfile.DIRTYPE)), "is a link or a device"),
        (with_extra(plain("web/IntegraPortalWS.war", b"portal")), "occurs twice"),
        (without("web/IntegraPortalWS.war"), "'web/IntegraPortalWS.war' is missing"),
        (without(MANIFEST), "its first member is not manifest.json"),
        (
            members(manifest_of(), {**FILES, "reports/calls.jrxml": b"<jasperRepork/>"}),
            "does not match the signed manifest",
        ),
        (
            members(manifest_of(), {**FILES, "reports/calls.jrxml": b"<longer content/>"}),
            "does not match the signed manifest",
        ),
        ([], "its first member is not manifest.json"),
        ([special(MANIFEST, tarfile.SYMTYPE, "/etc/passwd")], "its first member"),
    ],
)
def test_an_archive_that_is_not_what_was_signed(
    tmp_path: Path, content: list[Member], said: str
) -> None:
    assert said in refusal(archive(tmp_path / "r.tar.gz", content))


@pytest.mark.parametrize("cut", [0, 10, 400, -30])
def test_a_file_that_is_no_whole_archive(tmp_path: Path, cut: int) -> None:
    whole = archive(tmp_path / "r.tar.gz", members(manifest_of())).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[:cut])
    assert "not an intact .tar.gz" in refusal(tmp_path / "cut.tar.gz") or "first member" in refusal(
        tmp_path / "cut.tar.gz"
    )


@pytest.mark.parametrize(
    "content",
    [b"plain text", os.urandom(5000), gzip.compress(b"no tar")],
    ids=["text", "noise", "gzip"],
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert str(tmp_path / "x") in refusal(tmp_path / "x")


def test_something_behind_the_end(tmp_path: Path) -> None:
    path = archive(tmp_path / "r.tar.gz", members(manifest_of()), trailer=b"more")
    assert "data after the end of the archive" in refusal(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """Zeros behind the archive, a hundred thousand times what the manifest promises."""
    path = tmp_path / "r.tar.gz"
    good = io.BytesIO()
    with tarfile.open(fileobj=good, mode="w") as tar:
        for info, data in members(manifest_of()):
            tar.addfile(info, io.BytesIO(data))
    with gzip.open(path, "wb") as out:
        out.write(good.getvalue())
        for _ in range(64):
            out.write(bytes(1024 * 1024))
    assert "larger than its manifest says" in refusal(path)


def test_a_bomb_before_the_manifest_is_not_unpacked(tmp_path: Path) -> None:
    """A member's long name of 64 MB: tar libraries read it into memory."""
    header = tarfile.TarInfo("././@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    header.size = 64 * 1024 * 1024
    path = tmp_path / "r.tar.gz"
    with gzip.open(path, "wb") as out:
        out.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            out.write(b"a" * (1024 * 1024))
    assert "larger than its manifest says" in refusal(path)


def test_an_unsigned_release_is_refused_whatever_it_says(tmp_path: Path) -> None:
    for evaluation in (False, True):
        manifest = manifest_of(key=None, evaluation=evaluation)
        path = archive(tmp_path / f"{evaluation}.tar.gz", members(manifest))
        assert "it is not signed" in refusal(path)


def test_a_strangers_signature_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "r.tar.gz", members(manifest_of(key=STRANGER)))
    assert "was not made with any of the 1 publisher key(s)" in refusal(path)
    assert "was not made with any of the 0 publisher key(s)" in refusal(path, TrustedKeys())


def test_this_machines_key_counts_for_evaluation_releases_alone(tmp_path: Path) -> None:
    here = TrustedKeys(builder=KEY.public_key())
    evaluation = archive(tmp_path / "e.tar.gz", members(manifest_of(evaluation=True)))
    assert verify_archive(evaluation, here).evaluation
    licensed = archive(tmp_path / "l.tar.gz", members(manifest_of()))
    assert "its signature names the key" in refusal(licensed, here)


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("web/IntegraGamification.war", "web/IntegraGamification.war"),
        ("server/IntegraServer.jar", "server/IntegraServer.jar"),
        ("server/ssh/ssh.jar", "server/ssh"),
        ("web/webchatclient/index.html", "web/webchatclient"),
    ],
)
def test_every_place_of_r22_must_be_filled(tmp_path: Path, path: str, missing: str) -> None:
    files = {name: content for name, content in FILES.items() if name != path}
    content = members(manifest_of(files), files)
    said = refusal(archive(tmp_path / "r.tar.gz", content))
    assert f"it has no {missing}, which every release has (R22)" in said


def test_a_folder_that_is_not_what_was_signed(tmp_path: Path) -> None:
    good = folder(tmp_path / "r", manifest_of())
    war = good / "web/IntegraPortalWS.war"
    war.write_bytes(b"Portal")
    assert "'web/IntegraPortalWS.war' does not match the signed manifest" in refusal(good)
    war.unlink()
    assert "'web/IntegraPortalWS.war' is missing" in refusal(good)
    war.symlink_to("/etc/passwd")
    assert "is a link or a device" in refusal(good)
    war.unlink()
    war.write_bytes(b"portal")
    (good / "web/shell.php").write_bytes(b"x")
    assert "'web/shell.php' is not in the manifest" in refusal(good)
    (good / "web/shell.php").unlink()
    (good / "web/more").mkdir()
    assert "the folder 'web/more' is not in the manifest" in refusal(good)
    (good / "web/more").rmdir()
    (good / "link").symlink_to("/etc")
    assert "is a link or a device" in refusal(good)


def test_a_folder_of_links_is_not_followed(tmp_path: Path) -> None:
    good = folder(tmp_path / "r", manifest_of())
    (good / "web").rename(tmp_path / "elsewhere")
    (good / "web").symlink_to(tmp_path / "elsewhere")
    assert "'web' is a link or a device" in refusal(good)


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="can't be read"):
        verify_archive(tmp_path / "none.tar.gz", TRUST)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreachableError, match="can't be read"):
        verify_folder(tmp_path / "empty", TRUST)
