"""Backups of an installed site: what is run on its servers, and what errors say."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.facts.test_backup import row
from tests.unit.sites import small_site
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.backup import BackupRun
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.operate import backup
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

BACKUP = {"repository": "/mnt/backup"}
HOSTS = [{"name": "one", "address": "192.0.2.10"}, {"name": "two", "address": "192.0.2.11"}]


class Server:
    """A server: its answers by command, and for the status one after the other."""

    def __init__(self, *status: dict[str, Any], **answers: Any) -> None:
        self.status, self.answers = list(status), answers
        self.asked: list[str] = []

    def run(self, argv: Sequence[str], **_more: Any) -> Completed:
        words = " ".join(argv)
        self.asked.append(words)
        if words.startswith("test -e"):
            return self._done("", 0 if self.status or self.answers else 1)
        if words.endswith("status"):
            run = self.status.pop(0) if len(self.status) > 1 else self.status[0]
            return self._done(json.dumps({"repository": "/r", "configured": 1, "run": run}))
        if "is-active" in words:
            running = len(self.status) > 1
            return self._done("activating\n" if running else "inactive\n", 3)
        return self._done("")

    def command(self, argv: Sequence[str]) -> list[str]:
        self.asked.append(" ".join(argv))
        lines = [json.dumps(line) for line in self.answers[argv[2]]]
        return [sys.executable, "-c", f"print({chr(10).join(lines)!r})"]

    def _done(self, out: str, status: int = 0) -> Completed:
        return Completed((), status, out, "", 0.0)


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(backup, "_POLL_SECONDS", 0)

    def installed(servers: dict[str, Server], **site: Any) -> Installed:
        @contextmanager
        def runner(host: Host, _ssh: Any) -> Iterator[Server]:
            yield servers[host.name]

        monkeypatch.setattr(backup, "runner_for", runner)
        found: Site = small_site(**{"backup": BACKUP, **site})
        paths = StatePaths(tmp_path / "etc", tmp_path / "var")
        plan = make_plan(found, {})
        return Installed(found, Path("site.yml"), plan, Secrets({}), paths)

    return installed


def test_a_backup_is_followed_to_its_end(reach: Any) -> None:
    old = {"run": "a", "state": "good"}
    server = Server(
        old,
        old,
        {"run": "b", "state": "running", "step": "files", "percent": 40},
        {"run": "b", "state": "good", "step": "manifest"},
    )
    told: list[BackupRun] = []
    backup.create(reach({"one": server}), lambda host, run: told.append(run))
    assert [(one.run, one.state) for one in told] == [("b", "running"), ("b", "good")]
    assert "systemctl start --no-block ucontact-backup.service" in server.asked


def test_a_failed_backup_says_why(reach: Any) -> None:
    error = {"kind": "full", "doing": "store files", "words": "no space left on device"}
    server = Server({"run": "a"}, {"run": "b", "state": "failed", "error": error})
    with pytest.raises(UnreachableError, match="target is full") as caught:
        backup.create(reach({"one": server}), lambda host, run: None)
    assert caught.value.evidence == "store files: no space left on device"


@pytest.mark.parametrize(("newest", "told"), [("b", "was stopped"), ("a", "did not begin")])
def test_a_backup_that_was_killed_or_never_began(reach: Any, newest: str, told: str) -> None:
    server = Server({"run": "a"}, {"run": newest, "state": "interrupted"})
    with pytest.raises(backup.BackupFailedError, match=told):
        backup.create(reach({"one": server}), lambda host, run: None)


def test_a_folder_is_asked_of_every_server_and_other_storage_of_one(reach: Any) -> None:
    runs = [row("20261130T023000Z"), row("20261130T023001Z", "two")]
    servers = {name: Server(list=[{"runs": runs}]) for name in ("one", "two")}
    found = backup.list_backups(reach(servers, agents=40, hosts=HOSTS))
    assert [one.host for one in found] == ["two", "one"]
    assert servers["two"].asked
    servers = {name: Server(list=[{"runs": runs}]) for name in ("one", "two")}
    rest = {"repository": "rest:https://192.0.2.9/", "user": "acme"}
    backup.list_backups(reach(servers, agents=40, hosts=HOSTS, backup=rest))
    assert servers["two"].asked == []


def test_verification_tells_its_progress_and_what_is_damaged(reach: Any) -> None:
    damaged = {"error": {"kind": "damaged", "doing": "check", "words": "Pack ID does not match"}}
    server = Server(verify=[{"progress": "restic check"}, damaged])
    told: list[str] = []
    with pytest.raises(backup.BackupFailedError, match="damaged") as caught:
        backup.verify(reach({"one": server}), 25, told.append)
    assert told == ["one: restic check"]
    assert caught.value.exit_code == 1
    assert server.asked[-1].endswith("verify --percent 25")


def test_a_site_without_backups_is_told_how_to_get_them(reach: Any) -> None:
    with pytest.raises(UsageError, match="has no backups"):
        backup.list_backups(reach({}, backup=None))
    with pytest.raises(UsageError, match="not set up for backups yet"):
        backup.list_backups(reach({"one": Server()}))
