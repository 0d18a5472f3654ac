"""Recordings are encrypted for the site's certificate, and nothing plain is left of them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.recordings_database import RecordingsDatabase, write
from tests.unit.roles.services import telephony_service

PATH = "2026/01/02/20260102-100000_6001_43_1767348000.1.gsm"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "monitor"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The site's key, with its certificate beside it."""
    made = tmp_path / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    words += ["-nodes", "-keyout", str(made), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run([*words, "-subj", "/CN=recordings"], check=True, capture_output=True)
    return made


@pytest.fixture
def service(spool: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = telephony_service("recordings-encrypt")
    monkeypatch.setattr(module.recordings, "ROOT", os.fsencode(spool))
    options = ("-recip", str(key.with_name("certificate.pem")), *module.OPTIONS[2:])
    monkeypatch.setattr(module, "OPTIONS", options)
    spool.mkdir()
    return module


@pytest.fixture
def database(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> RecordingsDatabase:
    made = RecordingsDatabase(service)
    monkeypatch.setattr(service.recordings, "execute", made.execute)
    for module in (service, service.recordings):
        monkeypatch.setattr(module, "rows", made.rows)
    return made


def indexed(service: ModuleType, spool: Path, path: str = PATH) -> bytes:
    """A recording that is in the index, written an hour ago; its content."""
    file = write(spool, path)
    os.utime(file, (time.time() - 3600,) * 2)
    service.recordings.add([service.recordings.recording_of(os.fsencode(path))], time.time())
    return file.read_bytes()


def decrypted(key: Path, file: Path) -> bytes:
    words = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", str(key)]
    return subprocess.run([*words, "-in", str(file)], check=True, capture_output=True).stdout


def test_an_indexed_recording_is_encrypted_and_its_file_is_gone(
    service: ModuleType, database: RecordingsDatabase, spool: Path, key: Path
) -> None:
    content, encryptor = indexed(service, spool), service.Encryptor()
    encryptor.round()
    encrypted = spool / f"{PATH}.p7m"
    assert not (spool / PATH).exists()
    assert content not in encrypted.read_bytes()
    assert decrypted(key, encrypted) == content
    assert encrypted.stat().st_mtime == pytest.approx(time.time() - 3600, abs=60)
    assert encrypted.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in encrypted.parent.iterdir()] == [encrypted.name]
    # A settled folder is not listed again.
    for folder in (spool, *spool.rglob("*")):
        if folder.is_dir():
            os.utime(folder, (time.time() - 60,) * 2)
    encryptor.round()
    assert list(service.recordings.changed(b"", encryptor.done, set(), encryptor.tell)) == []
    assert service.recordings.recording_of(os.fsencode(PATH)).path == os.fsencode(PATH)


def test_what_is_not_indexed_or_differs_stays_plain(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unknown = write(spool, "2026/01/02/20260102-100000_6001_43_1767348000.2.gsm")
    indexed(service, spool)
    size = (spool / PATH).stat().st_size
    (spool / PATH).write_bytes(b"x" * size)
    service.Encryptor().round()
    assert unknown.exists()
    assert (spool / PATH).read_bytes() == b"x" * size
    assert list(spool.rglob("*.p7m")) == []
    assert "is not what was indexed" in capsys.readouterr().err
    (spool / PATH).write_bytes(b"x")
    assert "in the index" in service.encrypt(os.fsencode(PATH), size, "")


def test_an_interrupted_run_is_continued(
    service: ModuleType, database: RecordingsDatabase, spool: Path, key: Path
) -> None:
    content = indexed(service, spool)
    hidden = spool / PATH.replace("/2026010", "/.2026010")
    hidden.with_name(f"{hidden.name}.p7m").write_bytes(b"half of it")
    service.Encryptor().round()
    # Killed between the encrypted file and the removal of the plain one, half of which is zeros.
    (spool / PATH).write_bytes(bytes(len(content)))
    service.Encryptor().round()
    assert not (spool / PATH).exists()
    assert decrypted(key, spool / f"{PATH}.p7m") == content
    assert len(list(spool.rglob("*.p7m"))) == len(list(spool.rglob(".*"))) + 1 == 1


def test_a_file_that_is_played_is_removed_later(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    content, encryptor = indexed(service, spool), service.Encryptor()
    with (spool / PATH).open("rb") as played:
        fcntl.flock(played, fcntl.LOCK_SH)
        encryptor.round()
        assert played.read() == content
    encryptor.round()
    assert not (spool / PATH).exists()


def test_the_plain_file_is_overwritten(
    service: ModuleType, database: RecordingsDatabase, spool: Path
) -> None:
    content = indexed(service, spool)
    with (spool / PATH).open("rb") as kept:
        service.Encryptor().round()
        assert kept.read() == bytes(len(content))


def test_without_a_certificate_nothing_is_lost(
    service: ModuleType,
    database: RecordingsDatabase,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = indexed(service, spool)
    monkeypatch.setattr(service, "OPTIONS", ("-recip", "/nonexistent.pem"))
    with pytest.raises(service.TroubleError, match="openssl"):
        service.Encryptor().round()
    assert (spool / PATH).read_bytes() == content
    assert list(spool.rglob("*.p7m")) == []
    assert hashlib.sha256(content).hexdigest() == database.index("sha256")[0]


def test_a_link_is_not_followed(
    service: ModuleType, database: RecordingsDatabase, spool: Path, tmp_path: Path
) -> None:
    content = indexed(service, spool)
    (tmp_path / "elsewhere").write_bytes(content)
    (spool / PATH).unlink()
    (spool / PATH).symlink_to(tmp_path / "elsewhere")
    service.Encryptor().round()
    assert (tmp_path / "elsewhere").read_bytes() == content
    assert list(spool.rglob("*.p7m")) == []
