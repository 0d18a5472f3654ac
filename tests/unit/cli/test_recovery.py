"""`ucontact recovery show` and `ucontact adopt`: what is printed, asked and refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.unit.cli.test_cli import Command, ucontact
from ucontact_appliance.checks.model import Finding
from ucontact_appliance.cli import adopt as adopting
from ucontact_appliance.operate.recovery import collect_state
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.recovery_key import RecoveryKey, kept_recovery_key
from ucontact_appliance.state import state_paths

__all__ = ["ucontact"]

SITE = """\
# ours
site: demo
fqdn: contact.example.com
agents: 10
hosts:
  - {name: one, address: 192.0.2.10, key: /root/.ssh/old}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "site.yml"
    made.write_text(SITE)
    return made


def test_a_site_without_a_key_says_how_to_get_one(ucontact: Command, path: Path) -> None:
    done = ucontact("recovery", "show")
    assert done.code == 2
    assert f"ucontact install --site {path}" in done.err


def test_the_key_is_printed_and_that_is_recorded(ucontact: Command, path: Path) -> None:
    paths = state_paths("demo")
    key = kept_recovery_key(paths.recovery_key)
    assert not paths.recovery_shown.exists()
    assert ucontact("recovery", "show").out == f"{key.text}\n"
    assert paths.recovery_shown.exists()
    assert "█" in ucontact("recovery", "show", "--qr").out


@pytest.fixture
def sealed(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, ucontact: Command
) -> RecoveryKey:
    """State of a lost machine, as a server gives it out; this machine has none of it."""
    paths = state_paths("demo")
    key = kept_recovery_key(paths.recovery_key)
    paths.secrets.write_text("a: b\n")
    state = collect_state(load_site(path), path, paths)
    for one in (paths.secrets, paths.recovery_key, path):
        one.unlink()
    paths.etc.rmdir()
    monkeypatch.setattr(adopting, "fetch_state", lambda *_: state)
    monkeypatch.setattr(adopting, "load_installed", lambda path: path)
    return key


def test_a_site_is_continued_with_its_key(
    ucontact: Command, sealed: RecoveryKey, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Path] = []

    def examined(here: Path, **_: object) -> tuple[Finding, ...]:
        judged.append(here)
        return ()

    monkeypatch.setattr(adopting, "examine", examined)
    monkeypatch.setattr("sys.stdin", io.StringIO(sealed.text.lower() + "\n"))
    done = ucontact("adopt", "192.0.2.10", "--key", "/root/.ssh/new")
    assert done.code == 0, done.err
    assert path.read_text() == SITE.replace("/root/.ssh/old", "/root/.ssh/new")
    assert judged == [path]
    assert state_paths("demo").secrets.read_text() == "a: b\n"
    assert sealed.text not in done.out + done.err
    again = ucontact("adopt", "192.0.2.10")
    assert again.code == 2


def test_a_wrong_key_is_refused_before_the_server_is_asked(
    ucontact: Command, sealed: RecoveryKey, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("AAAAA-BBBBB\n"))
    done = ucontact("adopt", "192.0.2.10")
    assert done.code == 2
    assert "not a recovery key" in done.err
    assert not path.exists()
