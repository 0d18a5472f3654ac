"""A site's state goes sealed to its servers, and from there to another machine."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.recovery import recovery_state
from ucontact_appliance.facts.runner import Completed, SshSettings
from ucontact_appliance.operate import recovery
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Host
from ucontact_appliance.site.recovery_key import generate_recovery_key, load_recovery_key
from ucontact_appliance.state import StatePaths

SITE = """\
# ours
site: demo
fqdn: contact.example.com
agents: 10
hosts: [{name: one, address: 192.0.2.10}]
telephony:
  announcements: [{name: closed, file: sounds/closed.wav}]
"""
HOST = Host(name="one", address="192.0.2.10")


class Server:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.sealed = b""
        self.status = 0

    def run(self, argv: Sequence[str], *, stdin: str | None = None, **_: object) -> Completed:
        if self.status:
            return Completed(tuple(argv), self.status, "", "No space left on device", 0.1)
        if stdin is not None:
            self.sealed = base64.b64decode(stdin)
        text = base64.b64encode(self.sealed).decode()
        return Completed(tuple(argv), 0, "" if stdin is not None else text, "", 0.1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()

    @contextmanager
    def runner_for(*_: object) -> Iterator[Server]:
        yield made

    monkeypatch.setattr(recovery, "runner_for", runner_for)
    return made


@pytest.fixture
def old(tmp_path: Path) -> tuple[Path, StatePaths]:
    """The machine that is lost."""
    folder = tmp_path / "old"
    paths = StatePaths(folder / "etc/demo", folder / "var/demo")
    for name, content in {
        "site.yml": SITE,
        "sounds/closed.wav": "RIFF",
        "etc/demo/secrets.yml": "a: secret-of-a\n",
        "etc/demo/pki/ca.key": "key",
        "var/demo/journal.json": "{}",
        "var/demo/logs/install.log": "much",
        "var/demo/install.lock": "",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o600)
    return folder / "site.yml", paths


def test_another_machine_gets_all_that_it_needs(
    server: Server, old: tuple[Path, StatePaths], tmp_path: Path
) -> None:
    site_file, paths = old
    recovery.keep_sealed(load_site(site_file), site_file, paths, SshSettings(tmp_path / "known"))
    assert b"secret-of-a" not in server.sealed
    key = load_recovery_key(paths.recovery_key)
    assert key is not None
    here = recovery_state(str(paths.etc), str(paths.sealed), str(paths.recovery_shown))
    assert here.record is not None
    assert here.record.own == here.own

    state = recovery.fetch_state(HOST, server, key)  # type: ignore[arg-type]
    new = StatePaths(tmp_path / "new/etc/demo", tmp_path / "new/var/demo")
    target = tmp_path / "new/site.yml"
    recovery.refuse_to_overwrite(state, new, target)
    beside = recovery.write_state(state, new, target, state.site_yml, key)
    assert target.read_text() == SITE
    assert beside == (tmp_path / "new/sounds/closed.wav",)
    assert beside[0].read_text() == "RIFF"
    assert new.secrets.read_text() == "a: secret-of-a\n"
    assert (new.pki / "ca.key").read_text() == "key"
    assert (new.pki / "ca.key").stat().st_mode & 0o777 == 0o600
    assert load_recovery_key(new.recovery_key) == key
    assert new.journal.read_text() == "{}"
    assert not new.logs.exists()
    assert not new.lock.exists()

    with pytest.raises(UsageError, match="already has state"):
        recovery.refuse_to_overwrite(state, new, target)


def test_other_files_are_not_overwritten(
    server: Server, old: tuple[Path, StatePaths], tmp_path: Path
) -> None:
    site_file, paths = old
    state = recovery.collect_state(load_site(site_file), site_file, paths)
    new = StatePaths(tmp_path / "new/etc/demo", tmp_path / "new/var/demo")
    target = tmp_path / "new/site.yml"
    target.parent.mkdir()
    target.write_text("site: other\n")
    with pytest.raises(UsageError) as refused:
        recovery.refuse_to_overwrite(state, new, target)
    assert str(target) in refused.value.evidence
    assert not new.etc.exists()


def test_a_server_without_state_and_a_full_one_are_told(
    server: Server, old: tuple[Path, StatePaths], tmp_path: Path
) -> None:
    site_file, paths = old
    with pytest.raises(UnreachableError, match="keeps no sealed state"):
        recovery.fetch_state(HOST, server, generate_recovery_key())  # type: ignore[arg-type]
    server.status = 1
    with pytest.raises(UnreachableError) as caught:
        recovery.keep_sealed(load_site(site_file), site_file, paths, SshSettings(tmp_path / "k"))
    assert "No space left" in caught.value.evidence
    assert not paths.sealed.exists()
