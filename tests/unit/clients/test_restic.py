"""restic on the installing machine: how it is called, and what its errors become."""

from __future__ import annotations

from pathlib import Path

import pytest

from ucontact_appliance.clients.restic import Repository, demand_restic
from ucontact_appliance.errors import UnreachableError, UsageError


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "restic"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("version", "told"), [("0.10.0", "too old"), ("0.11.0", ""), ("1.0.0", ""), ("", "too old")]
)
def test_an_old_restic_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, told: str
) -> None:
    program(tmp_path, monkeypatch, f"echo restic {version} compiled with go")
    if told:
        with pytest.raises(UsageError, match=told):
            demand_restic()
    else:
        demand_restic()


def test_a_machine_without_restic_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs the program restic") as caught:
        demand_restic()
    assert caught.value.helps.startswith("apt-get install restic")


def test_the_password_is_in_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, 'echo "$RESTIC_REPOSITORY $RESTIC_PASSWORD $*"')
    text = Repository("/mnt/backup", "the-password").read("dump", "id", "/x").decode()
    address, password, *words = text.split()
    assert (address, password) == ("/mnt/backup", "the-password")
    assert "the-password" not in words
    assert "--no-lock" in words
    assert "the-password" not in repr(Repository("/mnt/backup", "the-password"))


def test_a_wrong_key_and_a_missing_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, "echo 'Fatal: wrong password or no key found' >&2; exit 1")
    with pytest.raises(UsageError, match="recovery key does not open"):
        Repository("/mnt/backup", "x").snapshots("a")
    program(tmp_path, monkeypatch, "echo 'Fatal: unable to open config file' >&2; exit 10")
    with pytest.raises(UnreachableError, match="can't read the repository") as caught:
        Repository("/mnt/backup", "x").snapshots("a")
    assert "unable to open config file" in caught.value.evidence


def test_a_rest_servers_account_comes_from_the_environment_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RESTIC_REST_USERNAME", "acme")
    monkeypatch.setenv("RESTIC_REST_PASSWORD", "p@ss/word")
    repository = Repository("rest:https://192.0.2.9/", "the-password")
    address = repository.environment()["RESTIC_REPOSITORY"]
    assert address == "rest:https://acme:p%40ss%2Fword@192.0.2.9/"
    shown = repository.failure(f"Fatal: {address} the-password p@ss/word")
    for secret in ("p%40ss", "p@ss", "the-password"):
        assert secret not in shown.evidence
    assert "RESTIC_REST_USERNAME" in shown.helps


def test_an_sftp_server_is_reached_with_a_key_and_no_questions() -> None:
    repository = Repository("sftp:a@192.0.2.9:/srv", "x", Path("/keys/a b"))
    option = repository.command("ls")[4]
    assert option.startswith("sftp.command=ssh -i '/keys/a b'")
    assert option.endswith("a@192.0.2.9 -s sftp")
