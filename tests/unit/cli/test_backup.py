"""`ucontact backup`: what is shown, and the key for an sftp server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_cli import Command, ucontact
from tests.unit.facts.test_backup import row
from tests.unit.site.test_backup import HOST_KEY
from ucontact_appliance.cli import backup
from ucontact_appliance.facts.backup import BackupRun
from ucontact_appliance.facts.backup_runs import parse_runs
from ucontact_appliance.operate.installed import save_plan
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.secrets import load_secrets
from ucontact_appliance.state import state_paths

__all__ = ["ucontact"]

SITE = f"""\
site: demo
fqdn: contact.example.com
agents: 10
hosts:
  - {{name: one, address: 192.0.2.10}}
backup:
  repository: sftp:backup@192.0.2.9:/srv
  host_key: {HOST_KEY}
"""


@pytest.fixture
def path(tmp_path: Path, ucontact: Command) -> Path:
    made = tmp_path / "site.yml"
    made.write_text(SITE)
    site = load_site(made)
    save_plan(state_paths(site.site), make_plan(site, {}))
    return made


def test_the_list_marks_what_is_incomplete(
    ucontact: Command, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = parse_runs({"runs": [row("20261130T023000Z", good=False), row("20261129T023000Z")]})
    monkeypatch.setattr(backup.work, "list_backups", lambda here: runs)
    shown = ucontact("backup", "list", "--site", str(path)).out.splitlines()
    assert "incomplete" in shown[1]
    assert shown[2].split()[:4] == ["2026-11-29", "02:30:00", "one", "good"]
    found = json.loads(ucontact("backup", "list", "--json", "--site", str(path)).out)
    assert [one["good"] for one in found] == [False, True]


def test_progress_is_printed_once_per_step_and_tenth(
    ucontact: Command, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(here: Any, tell: Any) -> None:
        for percent in (0, 3, 41, 42):
            running = BackupRun(run="r", state="running", step="recordings", percent=percent)
            tell(here.site.hosts[0], running)
        tell(here.site.hosts[0], BackupRun(run="r", state="good", step="manifest"))

    monkeypatch.setattr(backup.work, "create", create)
    done = ucontact("backup", "create", "--site", str(path))
    assert done.err.splitlines() == ["one: recordings", "one: recordings, 41 %"]
    assert done.out == "one: backup r is complete\n"


def test_the_public_key_is_printed_and_its_private_one_kept(ucontact: Command, path: Path) -> None:
    first = ucontact("backup", "key", "--site", str(path)).out
    assert first.startswith("ssh-ed25519 ")
    assert first.rstrip().endswith("ucontact-demo")
    assert ucontact("backup", "key", "--site", str(path)).out == first
    assert "PRIVATE KEY" in load_secrets(state_paths("demo").secrets)["backup.ssh_key"]
    path.write_text(SITE.partition("backup:")[0])
    assert ucontact("backup", "key", "--site", str(path)).code == 2
