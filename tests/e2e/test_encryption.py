"""Recordings encrypted on the disk: what is left there, who can read it, and what users get."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.installed import Installed
from tests.e2e.portal import API, FQDN, ROOT, Portal, until
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.sip import SipServer

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

_KEY = "/etc/ucontact-recordings/key.pem"


@pytest.fixture(scope="module")
def portal(installed: Installed, small_site: Snapshot) -> Iterator[Portal]:
    """The site with a recording from before, encrypted from now on."""
    text = small_site.site_file.read_text(encoding="utf-8")
    roots = str(small_site.paths.pki / "portal-ca.pem")
    server = SipServer(FQDN, small_site.machine.address, 8089, "/ws", roots)
    made = Portal(installed, roots, server)
    done = installed.ucontact("install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    asyncio.run(made.echo(3.0))
    small_site.site_file.write_text(f"{text}recordings: {{encryption: true}}\n")
    try:
        done = installed.ucontact("install", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        small_site.site_file.write_text(text)


@pytest.fixture(scope="module")
def token(portal: Portal) -> str:
    return portal.login("supervisor", portal.installed.secret("backend.users.supervisor"))


def rows(portal: Portal) -> list[list[str]]:
    """(id, path, bytes, hash) of the recordings that exist, newest first."""
    query = "select id, path, bytes, sha256 from recordings where deleted is null order by id desc"
    return portal.rows(query)


def encrypted(portal: Portal, path: str) -> bool:
    files = portal.files()
    return f"{path}.p7m" in files and path not in files


def test_calls_before_and_now_are_encrypted_and_played(portal: Portal, token: str) -> None:
    before = {row[1] for row in rows(portal)}
    asyncio.run(portal.echo(4.0))
    until("not indexed", lambda: len(rows(portal)) > len(before) > 0)
    for number, path, size, digest in rows(portal):
        until("not encrypted", partial(encrypted, portal, path))
        answer = portal.ask(f"{API}/recordings/{number}", token)
        assert answer.status == 200
        assert hashlib.sha256(answer.body).hexdigest() == digest
        assert len(answer.body) == int(size)
        part = portal.ask(f"{API}/recordings/{number}", token, Range="bytes=33-98")
        assert (part.status, part.body) == (206, answer.body[33:99])
        stored = portal.installed.sh(f"base64 -w 0 {shlex.quote(f'{ROOT}/{path}.p7m')}")
        assert answer.body[:99].hex() not in stored


def test_asterisk_s_account_reads_neither_key_nor_recordings(portal: Portal) -> None:
    (_, path, _, digest), *_ = rows(portal)
    decrypt = f"openssl cms -decrypt -binary -inform DER -inkey {_KEY} -in {ROOT}/{path}.p7m"
    denied = portal.installed.machine.ssh([f"runuser -u asterisk -- {decrypt}"])
    assert denied.returncode != 0
    assert denied.stdout == ""
    # With the key, and without any program of ours.
    assert portal.installed.sh(f"{decrypt} | sha256sum").split()[0] == digest
    assert portal.installed.sh(f"stat -c '%a %U %G' {_KEY}").split() == [
        "640",
        "root",
        "ucontact-playback",
    ]


def test_operators_verify_hold_and_export_it(portal: Portal, tmp_path: Path) -> None:
    (_, path, _, digest), *_ = rows(portal)
    call = path.removesuffix(".gsm").rpartition("_")[2]
    for words in (("hold", call, "--reason", "case", "--by", "A"), ("verify", call)):
        done = portal.installed.ucontact("recordings", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    done = portal.installed.ucontact("recordings", "export", call, "--to", str(tmp_path / "case"))
    assert done.returncode == 0, done.stderr
    exported = tmp_path / "case" / Path(path).name
    assert hashlib.sha256(exported.read_bytes()).hexdigest() == digest
    # The retention keeps it, encrypted, and deletes it when it may.
    stored = f"{ROOT}/{path}.p7m"
    portal.installed.sh(f"touch -d '200 days ago' {stored} && systemctl start ucontact-retention")
    portal.installed.sh(f"test -e {stored}")
    assert portal.installed.ucontact("recordings", "release", call).returncode == 0
    portal.installed.sh(f"systemctl start ucontact-retention && test ! -e {stored}")


def test_the_doctor_names_what_is_wrong(portal: Portal) -> None:
    checks = ("recordings.encryption", "recordings.index", "recordings.hashes")

    def found() -> dict[str, str]:
        _, findings = portal.installed.doctor("--only", "recordings")
        return {check: findings[check]["verdict"] for check in checks}

    portal.installed.sh(
        f"find {ROOT} -type f ! -name '*.p7m' -mmin +10 -delete; "
        "systemctl start ucontact-encryption.service"
    )
    assert found() == dict.fromkeys(checks, "pass")
    portal.installed.sh(f"chmod 0644 {_KEY}")
    assert found()["recordings.encryption"] == "fail"
    portal.installed.sh(f"chmod 0640 {_KEY} && systemctl stop ucontact-encryption.service")
    assert found()["recordings.encryption"] == "fail"
    done = portal.installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    assert found()["recordings.encryption"] == "pass"
    _, path, _, _ = rows(portal)[0]
    portal.installed.sh(f"truncate -s -20 {ROOT}/{path}.p7m")
    assert found()["recordings.hashes"] == "fail"
    portal.installed.sh(f"rm {ROOT}/{path}.p7m")
    portal.rows(f"delete from recordings where path='{path}'")


def test_a_recording_without_its_key_is_not_reported_missing(portal: Portal, token: str) -> None:
    asyncio.run(portal.echo(3.0))
    until("not indexed", lambda: rows(portal) != [])
    number, path, _, _ = rows(portal)[0]
    until("not encrypted", lambda: encrypted(portal, path))
    portal.installed.sh(f"mv {_KEY} {_KEY}.away")
    try:
        assert portal.ask(f"{API}/recordings/{number}", token).status == 503
    finally:
        portal.installed.sh(f"mv {_KEY}.away {_KEY}")
    assert portal.ask(f"{API}/recordings/{number}", token).status == 200


def test_a_second_installation_changes_nothing_and_the_key_stays(portal: Portal) -> None:
    key = portal.installed.sh(f"sha256sum {_KEY}")
    done = portal.installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert portal.installed.sh(f"sha256sum {_KEY}") == key
    rotated = portal.installed.ucontact("secrets", "rotate", "pki/recordings.key")
    assert rotated.returncode == 2
    assert json.dumps(rotated.stdout) == '""'
