"""What an upgrade and a rollback say before they change anything."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.release.samples import FILES, manifest_of
from ucontact_appliance.cli.main import app
from ucontact_appliance.cli.upgrade_view import show_changes
from ucontact_appliance.install.phases import INSTALL, Phase
from ucontact_appliance.release.manifest import Migration
from ucontact_appliance.state import state_paths
from ucontact_appliance.upgrading.changes import UpgradeChanges
from ucontact_appliance.upgrading.packages import PackageChange, PhaseUpdates
from ucontact_appliance.upgrading.points import RestorePoint, keep_state

OLD = manifest_of(version="5.1")
PHASES = {phase.id: phase for phase in INSTALL}
SITE = """\
site: demo
fqdn: demo.ucontact.test
agents: 10
hosts:
  - {name: one, address: 192.0.2.1}
"""


def changes(*phases: Phase) -> UpgradeChanges:
    return UpgradeChanges(OLD, manifest_of(version="5.2"), phases)


def test_a_release_alone_cuts_no_call(capsys: pytest.CaptureFixture[str]) -> None:
    show_changes(changes(PHASES["backend"]), 300)
    said = capsys.readouterr().err
    assert "release   acme 5.1 -> acme 5.2" in said
    assert "changes   Backend and release" in said
    assert "calls     not interrupted" in said


def test_what_cuts_calls_says_how_long_they_have(capsys: pytest.CaptureFixture[str]) -> None:
    show_changes(changes(PHASES["telephony"]), 60)
    said = capsys.readouterr().err
    assert "new ones are refused, except emergency calls" in said
    assert "60 s to end" in said


def test_packages_and_schemas_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    row = Migration(version="7", file="server/a.sql", database="ccdata")
    new = manifest_of({**FILES, "server/a.sql": b"do 0;"}, version="5.2", migrations=(row,))
    change = PackageChange("nginx", "1.30.1-1", "1.30.2-1")
    updates = (PhaseUpdates("one", "web", ("nginx",), (change,), ("nginx.service",)),)
    show_changes(UpgradeChanges(OLD, new, (), updates, (row,)), 300)
    said = capsys.readouterr().err
    assert "one: nginx 1.30.1-1 -> 1.30.2-1" in said
    assert "schema    ccdata 7" in said
    assert "new ones are refused" in said  # Asterisk writes into ccdata


def test_nothing_to_do_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_changes(UpgradeChanges(OLD, OLD, ()), 300)
    assert "nothing to upgrade: the site has acme 5.1" in capsys.readouterr().err


@pytest.fixture
def site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    path = tmp_path / "site.yml"
    path.write_text(SITE)
    return path


def ucontact(*words: str) -> tuple[int, str, BaseException | None]:
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.stdout, done.exception


def test_restore_points_are_listed(site_file: Path) -> None:
    assert ucontact("rollback", "--list", "--json", "--site", str(site_file))[1].strip() == "[]"
    created = datetime(2026, 11, 30, 20, 45, tzinfo=timezone.utc)
    point = RestorePoint(
        id="20261130T204500Z",
        created=created,
        appliance="1",
        release="acme.tar.gz",
        title="acme 5.1",
        goal="acme 5.2",
        hosts=("one",),
    )
    keep_state(state_paths("demo"), point)
    status, said, _ = ucontact("rollback", "--list", "--json", "--site", str(site_file))
    assert status == 0
    (row,) = json.loads(said)
    assert (row["id"], row["title"], row["goal"]) == (point.id, "acme 5.1", "acme 5.2")
    shown = ucontact("rollback", "--list", "--site", str(site_file))[1]
    assert "20261130T204500Z" in shown
    assert "2026-11-30 20:45" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rollback", "--yes"), "never upgraded"),
        (("rollback", "20250101T000000Z", "--yes"), "there is no restore point"),
    ],
)
def test_what_cant_be_is_refused(site_file: Path, words: tuple[str, ...], told: str) -> None:
    status, _, error = ucontact(*words, "--site", str(site_file))
    assert status != 0
    assert told in str(error)


def test_uninstall_wants_the_sites_name(site_file: Path) -> None:
    _, _, error = ucontact("uninstall", "--site", str(site_file))
    assert "the site's name can't be typed" in str(error)
    _, _, error = ucontact("uninstall", "--yes")
    assert "--yes needs --site" in str(error)
