"""Drills: what stops one before it begins, how its repository is reached, what its result says."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.moving.test_restore import manifest
from tests.unit.operate.test_timer import told
from tests.unit.sites import small_site
from ucontact_appliance.errors import UsageError
from ucontact_appliance.evidence import filing
from ucontact_appliance.facts.backup_runs import Manifest
from ucontact_appliance.facts.drill import drill_history
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.moving.restore_plan import Restore, plan_restore
from ucontact_appliance.operate import drill, drill_copy, drill_network, timer
from ucontact_appliance.operate.drill_source import storage_account, storage_of
from ucontact_appliance.operate.drill_timer import (
    find_drill_timer,
    install_drill_timer,
    remove_drill_timer,
)
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.report.signing import public_half
from ucontact_appliance.report.verify import SignatureStatus, verify
from ucontact_appliance.site.recovery_key import generate_recovery_key
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

KEY = generate_recovery_key()
HOST_KEY = "ssh-ed25519 " + "A" * 68


def installed(
    folder: Path, *, backup: Any = None, secrets: Any = None, **changes: Any
) -> Installed:
    """A small site with backups, installed from here; its state is below the folder."""
    given = {"repository": "/mnt/backup"} if backup is None else backup
    site = small_site(**({"backup": given} if given else {}), **changes)
    paths = StatePaths(etc=folder / "etc", var=folder / "var")
    paths.etc.mkdir(exist_ok=True)
    paths.recovery_key.write_text(f"{KEY.text}\n")
    return Installed(site, folder / "site.yml", make_plan(site, {}), Secrets(secrets or {}), paths)


def restored(**changes: Any) -> Restore:
    """What a drill restores."""
    parts = {
        "recordings": {"snapshot": "4c35f866", "paths": ["/a"], "files": 2, "octets": 7},
        "state": {"snapshot": "4c35f866", "paths": ["/b"], "files": 1, "octets": 9},
    }
    one = Manifest.model_validate({**manifest(2).model_dump(mode="json"), "parts": parts})
    return Restore(repository="/r", manifests=plan_restore([one], None), **changes)


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that can run drills."""
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var-root"))
    monkeypatch.setattr(drill, "require_tools", lambda: None)
    monkeypatch.setattr(drill, "demand_restic", lambda: None)


@pytest.mark.usefixtures("capable")
def test_what_a_drill_needs_is_said_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="has no backups"):
        drill.run_drill(installed(tmp_path, backup={}), keep=False, say=print)
    here = installed(tmp_path)
    little = SimpleNamespace(available=1_000_000_000)
    monkeypatch.setattr(drill.psutil, "virtual_memory", lambda: little)
    with pytest.raises(UsageError, match="too little memory") as caught:
        drill.run_drill(here, keep=False, say=print)
    assert "available: 1000 MB; needed:" in caught.value.evidence
    little.available = 64_000_000_000
    here.paths.recovery_key.unlink()
    with pytest.raises(UsageError, match="recovery key"):
        drill.run_drill(here, keep=False, say=print)
    assert not here.paths.var.exists()


@pytest.mark.usefixtures("capable")
def test_a_disk_without_room_for_the_copy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    free = SimpleNamespace(free=5_000_000_000)
    monkeypatch.setattr(drill.shutil, "disk_usage", lambda path: free)
    with pytest.raises(UsageError, match="too little disk space") as caught:
        drill._demand_space(restored())
    assert str(layout.lab_root()) in caught.value.evidence
    free.free = 7_000_000_000
    drill._demand_space(restored())


def test_a_second_drill_of_the_site_is_refused(tmp_path: Path) -> None:
    paths = installed(tmp_path).paths
    with (
        drill._alone(paths),
        pytest.raises(UsageError, match="another drill") as caught,
        drill._alone(paths),
    ):
        pass
    assert str(os.getpid()) in caught.value.evidence
    with drill._alone(paths):
        pass


def test_a_folder_of_a_server_is_read_through_its_sshd(tmp_path: Path) -> None:
    key = tmp_path / "key"
    host = {"name": "one", "address": "192.0.2.10", "key": str(key)}
    here = installed(tmp_path, hosts=[host])
    assert storage_of(here, tmp_path) == ("sftp:root@192.0.2.10:/mnt/backup", key)
    local = installed(tmp_path, hosts=[{"name": "one", "address": "local"}])
    assert storage_of(local, tmp_path) == ("/mnt/backup", None)
    mounted = installed(tmp_path, backup={"repository": str(tmp_path)}, hosts=[host])
    (tmp_path / "config").write_text("")
    assert storage_of(mounted, tmp_path) == (str(tmp_path), None)
    other = installed(tmp_path, hosts=[{**host, "user": "admin"}])
    with pytest.raises(UsageError, match="can't read the repository"):
        storage_of(other, tmp_path)


def test_the_sites_own_key_opens_an_sftp_repository(tmp_path: Path) -> None:
    backup = {"repository": "sftp:keeper@192.0.2.9:/srv", "host_key": HOST_KEY}
    here = installed(tmp_path, backup=backup, secrets={"backup.ssh_key": "PRIVATE\n"})
    address, key = storage_of(here, tmp_path)
    assert (address, key) == (backup["repository"], tmp_path / "ssh-key")
    assert key is not None
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("PRIVATE\n", 0o600)


def test_an_account_is_in_the_environment_while_the_drill_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-operator")
    backup = {"repository": "s3:https://s3.example.com/bucket", "user": "AKIA"}
    here = installed(tmp_path, backup=backup, secrets={"backup.access": "hidden"})
    with storage_account(here):
        assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIA"
        assert os.environ["AWS_SECRET_ACCESS_KEY"] == "hidden"
    assert "AWS_ACCESS_KEY_ID" not in os.environ
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "of-the-operator"


def test_archives_are_those_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt = tmp_path / "etc/apt"
    (apt / "sources.list.d").mkdir(parents=True)
    (apt / "sources.list").write_text(
        "# deb http://old.example.com/debian sid main\n"
        "deb [signed-by=/k] https://mirror.example.com/debian sid main\n"
    )
    (apt / "sources.list.d/more.sources").write_text("URIs: http://more.example.com:8080/x\n")
    monkeypatch.setattr(drill_network, "_addresses", lambda name: (f"<{name}>",))
    machine = Machine("drill-1", "10.203.17.10", "sid", "running", tmp_path)
    found = drill_network.archives(machine, [small_site()])
    assert found.endpoints == {
        ("<mirror.example.com>", 443),
        ("<more.example.com>", 8080),
    }


def test_addresses_of_the_site_are_blocked_by_number() -> None:
    site = small_site(
        fqdn="no.such.name.invalid",
        hosts=[{"name": "one", "address": "192.0.2.10"}],
    )
    assert drill_network.blocked_addresses([site]) == ("192.0.2.10",)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["a", "error: old", "b", "error: new", "  ccdata.cdr: 3, 4", "try: x"], "error: new\n"),
        (["only", "progress"], "only\nprogress"),
    ],
)
def test_the_last_error_is_what_was_wrong(lines: list[str], wanted: str) -> None:
    assert drill_copy.error_in(lines).startswith(wanted)


def test_what_was_compared_is_what_is_restored() -> None:
    found = drill_copy.compared(restored())
    assert found["rows"] == {"ccdata.cdr": 3}
    assert found["files"] == {"recordings": {"files": 2, "octets": 7, "hash": "sha256"}}
    one = restored().manifests[Role.TELEPHONY]
    assert drill_copy.octets_of(Role.TELEPHONY, one) == 7
    assert drill_copy.octets_of(Role.DATABASE, one) == 100
    assert {row["role"] for row in drill_copy.backups(restored())} == {
        "telephony",
        "backend",
        "database",
    }


def copied(folder: Path) -> drill_copy.Copy:
    lock = (folder / "lock").open("w")
    return drill_copy.Copy(folder / "drill", folder / "site.yml", restored(), KEY, lock.fileno())


@pytest.mark.parametrize("good", [True, False])
def test_the_result_is_signed_and_chained_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    here = installed(tmp_path)
    trouble = "" if good else "ccdata.cdr: 3, 4"
    monkeypatch.setattr(drill_copy, "findings", lambda copy, site: [])
    for __ in range(2):
        record, document, folder = drill._filed(
            here, restored(), copied(tmp_path), trouble, seconds=7
        )
    assert document == json.loads((folder / "drill.json").read_text())
    assert document["verdict"] == ("good" if good else "failed")
    assert (document["compared"] is not None) is good
    public = public_half(here.paths.report_key.read_bytes())
    checked = verify(folder, public)
    assert (checked.objections, checked.seal) == ((), SignatureStatus.GOOD)
    chain = filing.load_chain(here.paths)
    assert [one.folder for one in chain.reports] == [folder.name] * 2
    history = drill_history(str(here.paths.drills))
    assert history.drills[-1] == record
    assert (history.last_good is not None) is good
    (folder / "drill.json").write_text("{}")
    assert verify(folder, public).altered == ("drill.json",)
    (folder / "drill.json").unlink()
    assert verify(folder, public).altered == ("drill.json",)


def test_the_restores_words_are_told_and_its_failure_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var-root"))
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc-root"))
    script = tmp_path / "python"
    script.write_text(
        "#!/bin/sh\nread key\necho loading\n"
        'test -e "$UCONTACT_VAR/releases" || exit 9\n'
        "echo 'error: rows differ' >&2\necho '  ccdata.cdr: 3, 4' >&2\nexit 4\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    said: list[str] = []
    assert drill_copy.restore_copy(copied(tmp_path), said.append) == (
        "error: rows differ\n  ccdata.cdr: 3, 4"
    )
    assert said[0] == "loading"


def test_the_timer_runs_as_often_as_site_yml_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_verify", "_demand_importable"):
        monkeypatch.setattr(timer, name, lambda *texts: None)
    monkeypatch.setattr(timer, "_BOOTED", tmp_path)
    monkeypatch.setattr(timer, "_systemctl", lambda *words: told(tmp_path, words))
    path, units = tmp_path / "site.yml", tmp_path / "units"
    units.mkdir()
    here = installed(tmp_path)
    with pytest.raises(UsageError, match="does not say how often"):
        install_drill_timer(here.site, path, units)
    for every, calendar in (("weekly", "Sun *-*-* 04:30:00"), ("*-*-15", "*-*-15")):
        backup = {"repository": "/mnt/backup", "drill": {"every": every}}
        site = replace(here, site=small_site(backup=backup)).site
        assert install_drill_timer(site, path, units).name == "ucontact-drill-demo.timer"
        assert f"OnCalendar={calendar}\n" in (units / "ucontact-drill-demo.timer").read_text()
    service = (units / "ucontact-drill-demo.service").read_text()
    assert f'"backup" "drill" "--site" "{path}"' in service
    assert find_drill_timer("demo", units) is not None
    assert remove_drill_timer("demo", units)
    assert find_drill_timer("demo", units) is None
    assert not remove_drill_timer("demo", units)
