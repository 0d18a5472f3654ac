"""A report's folder: signed, chained, and checked again without the site."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.samples import report
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.report.exhibits import Command, Exhibit, Method, digest
from ucontact_appliance.report.manifest import MANIFEST, SIGNATURE, PreviousReport, ReportManifest
from ucontact_appliance.report.signing import (
    fingerprint,
    generate,
    holds,
    public_half,
    read_key,
    sign,
)
from ucontact_appliance.report.verify import SignatureStatus, verify
from ucontact_appliance.report.write import FILES, forms, write_report

KEY = generate()
PUBLIC = public_half(KEY)
BEFORE = PreviousReport(
    folder="20251123T000000Z", time="2025-11-23T00:00:00+00:00", sha256="ab" * 32
)


def exhibit() -> Exhibit:
    began = datetime(2026, 11, 23, tzinfo=timezone.utc).isoformat()
    made = Exhibit(
        id="one/facts.host.system",
        host="one",
        probe="facts.host.system",
        arguments="[]",
        method=Method.PROBED,
        began=began,
        seconds=0.1,
        commands=(Command(("cat", "/etc/os-release"), 0, "ID=debian\n", "", began, 0.1),),
        answer={"os_id": "debian"},
        problem="",
        sha256="",
    )
    return replace(made, sha256=digest(asdict(made)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = report(exhibits=(exhibit(),))
    write_report(made, forms(made), tmp_path / "r", KEY, BEFORE)
    return tmp_path / "r"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_report_is_private_files_with_a_signed_manifest(folder: Path) -> None:
    assert names(folder) == {*FILES, MANIFEST, SIGNATURE}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_an_untouched_report_is_intact_and_names_the_one_before(folder: Path) -> None:
    found = verify(folder, PUBLIC)
    assert (found.objections, found.seal) == ((), SignatureStatus.GOOD)
    manifest = ReportManifest.model_validate_json((folder / MANIFEST).read_bytes())
    assert manifest.previous == BEFORE
    assert manifest.key == fingerprint(PUBLIC) == found.signed_by


@pytest.mark.parametrize("name", ["report.html", "report.json", "evidence.json"])
def test_an_altered_or_missing_file_is_named(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    assert verify(folder, PUBLIC).altered == (name,)
    path.unlink()
    assert verify(folder, PUBLIC).altered == (name,)


@pytest.mark.parametrize(
    "name", ["report.html", "report.json", "evidence.json", MANIFEST, SIGNATURE]
)
def test_one_changed_byte_anywhere_is_found(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            assert verify(folder, PUBLIC).objections, f"{name}, byte {at}"
        except UsageError:
            assert name == MANIFEST  # no longer to be read as one
    path.write_bytes(whole)
    assert verify(folder, PUBLIC).objections == ()


def test_a_file_that_was_added_is_named(folder: Path) -> None:
    (folder / "letter.txt").write_text("all is well")
    assert verify(folder, PUBLIC).objections == ("not part of the report: letter.txt",)


def refused(folder: Path) -> list[str]:
    return [line for line in verify(folder, PUBLIC).objections if line.startswith("refused: ")]


@pytest.mark.parametrize("name", [*FILES, MANIFEST, SIGNATURE])
def test_a_link_in_the_place_of_a_file_is_refused_with_its_name(
    folder: Path, tmp_path: Path, name: str
) -> None:
    (folder / name).rename(tmp_path / "elsewhere")  # the very content: it would verify
    (folder / name).symlink_to(tmp_path / "elsewhere")
    found = verify(folder, PUBLIC)
    assert f"refused: {name} (symbolic link; not opened)" in found.objections
    assert name not in found.altered


def test_links_are_refused_wherever_they_lie_and_wherever_they_lead(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "deep").mkdir()
    (folder / "sub" / "deep" / "link").symlink_to("/etc/passwd")
    (folder / "dir").symlink_to("/etc")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    assert refused(folder) == [
        f"refused: {name} (symbolic link; not opened)"
        for name in ("dangling", "dir", "loop", "sub/deep/link")
    ]
    assert verify(folder, PUBLIC).strangers == ("sub", "sub/deep")


@pytest.mark.parametrize("name", ["pipe", "report.json", "evidence.json", MANIFEST, SIGNATURE])
def test_a_fifo_is_refused_at_once(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    began = time.monotonic()
    assert refused(folder) == [f"refused: {name} (FIFO; not opened)"]
    assert time.monotonic() - began < 5


def test_a_socket_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("door")
    assert refused(folder) == ["refused: door (socket; not opened)"]


def test_a_file_without_an_end_is_not_read(folder: Path) -> None:
    with (folder / "evidence.json").open("wb") as stream:
        stream.truncate(10**12)  # sparse
    (line,) = refused(folder)
    assert line.startswith("refused: evidence.json (1000000000000 bytes; the limit is ")


def test_many_large_files_are_not_read(folder: Path) -> None:
    for number in range(3):
        with (folder / f"x{number}").open("wb") as stream:
            stream.truncate(200 * 10**6)
    (line,) = refused(folder)
    assert line.startswith("refused: the folder (6")
    assert "bytes in total" in line


def test_a_folder_of_thousands_is_not_read(folder: Path) -> None:
    for number in range(1000):
        (folder / f"n{number}").touch()
    assert refused(folder) == [
        "refused: the folder (more than 100 files and folders: the others were not read; "
        "not opened)"
    ]


def test_a_manifest_that_names_a_file_elsewhere_reads_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    made = report()
    files = forms(made) | {"../secret": b"x"}
    write_report(made, files, folder, KEY)
    assert verify(folder, PUBLIC).altered == ("../secret",)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[]", b'{"exhibits": [1]}', b"\xff"])
def test_evidence_of_any_shape_is_an_altered_file(folder: Path, content: bytes) -> None:
    (folder / "evidence.json").write_bytes(content)
    assert verify(folder, PUBLIC).objections == ("altered: evidence.json",)


def test_a_manifest_made_anew_is_signed_by_another_key(folder: Path) -> None:
    other = generate()
    made = report()
    write_report(made, forms(made), folder, other)
    assert verify(folder, None).objections == ()
    found = verify(folder, PUBLIC)
    assert found.seal is SignatureStatus.OTHER_KEY
    assert found.objections == (f"signed by another key: {fingerprint(public_half(other))}",)


def test_a_signature_that_is_gone_is_missed(folder: Path) -> None:
    (folder / SIGNATURE).unlink()
    assert verify(folder, PUBLIC).objections == (f"missing: {SIGNATURE}",)


def test_an_exhibit_that_does_not_fit_its_hash_is_named(folder: Path) -> None:
    path = folder / "evidence.json"
    document = json.loads(path.read_text())
    document["exhibits"][0]["commands"][0]["stdout"] = "ID=ubuntu\n"
    path.write_text(json.dumps(document))
    assert verify(folder, None).forged == ("one/facts.host.system",)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 1}', "\x00"])
def test_a_damaged_manifest_is_said_so(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)
    with pytest.raises(UsageError, match="damaged"):
        verify(folder, PUBLIC)


def test_another_folder_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="not a report folder"):
        verify(tmp_path, PUBLIC)


@given(st.binary(max_size=500), st.integers(0, 499))
def test_a_signature_holds_for_the_very_octets_alone(data: bytes, at: int) -> None:
    signature = sign(KEY, data).value
    assert holds(PUBLIC, signature, data)
    assert not holds(PUBLIC, signature, data + b"x")
    if data:
        at %= len(data)
        assert not holds(PUBLIC, signature, data[:at] + bytes([data[at] ^ 128]) + data[at + 1 :])


@pytest.mark.parametrize("content", [b"", b"ssh-ed25519 AAAA", b"-----BEGIN PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused_with_a_way_to_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not the public key of a site") as caught:
        read_key(path)
    assert "ucontact report key" in caught.value.helps
    with pytest.raises(UnreachableError):
        read_key(tmp_path / "none")
