"""What a restore takes from a repository: the right runs, the right binary logs, in their order."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.unit.facts.test_backup import MANIFEST
from ucontact_appliance.clients.restic import Repository
from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.facts.backup_runs import Manifest
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.moving import restoring
from ucontact_appliance.moving.restore_plan import (
    LogFile,
    Restore,
    load_restore,
    logs_to_replay,
    logs_until,
    plan_restore,
    save_restore,
    settle_restored,
)
from ucontact_appliance.moving.restore_source import find_restore, sealed_state
from ucontact_appliance.moving.stores import store_of
from ucontact_appliance.planning.model import Role

SNAPSHOT = "a" * 64


def moment(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 30, hour, minute, tzinfo=timezone.utc)


def manifest(hour: int, *roles: str, host: str = "one") -> Manifest:
    changes = {
        "run": f"20261130T{hour:02}0000Z",
        "ended": moment(hour, 5).isoformat(),
        "roles": list(roles or ("telephony", "backend", "database")),
        "host": host,
    }
    return Manifest.model_validate(MANIFEST | changes)


def log(number: int, snapshot: str = SNAPSHOT) -> LogFile:
    name = f"binlog.{number:06}"
    return LogFile(name=name, snapshot=snapshot, path=f"/var/lib/mysql/{name}")


def test_each_role_comes_from_its_newest_run() -> None:
    runs = [manifest(2, "telephony", host="a"), manifest(3), manifest(4, "database", host="b")]
    chosen = plan_restore(runs, None)
    assert {role.value: (one.host, one.run[9:11]) for role, one in chosen.items()} == {
        "telephony": ("one", "03"),
        "backend": ("one", "03"),
        "database": ("b", "04"),
    }


def test_no_run_that_ended_after_the_moment_is_taken() -> None:
    assert plan_restore([manifest(2), manifest(3)], moment(3))[Role.DATABASE].run[9:11] == "02"
    with pytest.raises(UsageError, match="no good backup of telephony, backend, database"):
        plan_restore([manifest(2)], moment(2))
    with pytest.raises(UsageError, match="no good backup of backend, database"):
        plan_restore([manifest(2, "telephony")], None)


def test_logs_up_to_the_first_snapshot_after_the_moment() -> None:
    times = [moment(3), moment(5), moment(4)]
    assert logs_until(times, None) == (moment(5), moment(4), moment(3))
    assert logs_until(times, moment(3, 30)) == (moment(4), moment(3))
    assert logs_until(times, moment(6)) == (moment(5), moment(4), moment(3))


def test_logs_begin_with_the_dumps_and_the_newest_copy_counts() -> None:
    newest, older = [log(8, "b" * 64), log(9, "b" * 64)], [log(6), log(7), log(8)]
    found = logs_to_replay("binlog.000007", [newest, older])
    assert [(one.name[-1], one.snapshot[0]) for one in found] == [
        ("7", "a"),
        ("8", "b"),
        ("9", "b"),
    ]
    assert logs_to_replay("binlog.000010", [newest, older]) == ()


def test_a_missing_log_is_an_error() -> None:
    with pytest.raises(UnreachableError, match="missing") as caught:
        logs_to_replay("binlog.000007", [[log(7), log(9)]])
    assert "8" in caught.value.evidence
    with pytest.raises(UnreachableError):
        logs_to_replay("binlog.000006", [[log(7)]])


def test_a_restore_is_kept_until_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "restore.json"
    assert load_restore(path) is None
    kept = Restore(repository="/r", manifests=plan_restore([manifest(2)], None), logs=(log(7),))
    save_restore(path, kept)
    settle_restored(path, Role.DATABASE)
    settle_restored(path, Role.DATABASE)
    found = load_restore(path)
    assert found == kept.model_copy(update={"done": (Role.DATABASE,)})
    path.write_text("{")
    with pytest.raises(UnreachableError, match="can't be read"):
        load_restore(path)


class Stored(Repository):
    """A repository of two runs of one server, the newer one without the state."""

    def snapshots(self, tag: str) -> list[dict[str, Any]]:
        server = f"server={MANIFEST['database']['server']}"
        if tag == "ucontact-binlog":
            other = {"id": "e" * 64, "time": "2026-11-30T09:00:00Z", "tags": ["server=other"]}
            logs = {"id": "d" * 64, "time": "2026-11-30T08:00:00.5+00:00", "tags": [server]}
            return [other, logs]
        return [
            {"id": "c" * 64, "time": "2026-11-30T03:05:00Z", "hostname": "one"},
            {"id": "b" * 64, "time": "2026-11-30T02:05:00Z", "hostname": "one"},
        ]

    def read(self, *words: str) -> bytes:
        if words[0] == "ls":
            nodes: list[dict[str, str]] = [{"struct_type": "snapshot"}]
            nodes += [{"type": "file", "path": log(number).path} for number in (2, 3, 4)]
            return "\n".join(map(json.dumps, nodes)).encode()
        _dump, snapshot, path = words
        if path == "/manifest.json":
            made = manifest(3 if snapshot[0] == "c" else 2).model_dump(mode="json")
            if snapshot[0] == "b":
                part = {"snapshot": "f" * 64, "paths": [], "files": 1, "octets": 3}
                made["parts"]["state"] = part
            return json.dumps(made).encode()
        return f"{snapshot}:{path}".encode()


def test_what_a_repository_has_for_a_restore() -> None:
    told: list[str] = []
    found = find_restore(Stored("/r", "secret"), None, told.append)
    assert {one.run[9:11] for one in found.manifests.values()} == {"03"}
    assert [one.name for one in found.logs] == ["binlog.000003", "binlog.000004"]
    assert {one.snapshot for one in found.logs} == {"d" * 64}
    with pytest.raises(UsageError, match="no state of the installing machine"):
        sealed_state(Stored("/r", "secret"), found)
    earlier = find_restore(Stored("/r", "secret"), moment(2, 30), told.append)
    assert sealed_state(Stored("/r", "secret"), earlier).startswith(b"f" * 64)


class Target:
    """A server that keeps what is asked of it, and what it gets."""

    def __init__(self, folder: Path, answers: dict[str, str], status: int = 0) -> None:
        self.got, self.answers, self.status = folder / "got", answers, status
        self.asked: list[str] = []

    def run(self, argv: Sequence[str], **_more: Any) -> Completed:
        self.asked.append(argv[-1])
        out = next((out for part, out in self.answers.items() if part in argv[-1]), "")
        return Completed(tuple(argv), 0, out, "", 0.0)

    def command(self, argv: Sequence[str]) -> list[str]:
        self.asked.append(argv[-1])
        return ["sh", "-c", f"cat >{self.got}; exit {self.status}"]


class Printing(Repository):
    """A repository whose restic prints something, and ends with a status."""

    status = 0

    def command(self, *words: str) -> list[str]:
        script = f"print({' '.join(words)!r}); raise SystemExit({self.status})"
        return [sys.executable, "-c", script]


@pytest.fixture(autouse=True)
def _no_setpriv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "_DYING", ())


def rows(count: int) -> dict[str, str]:
    return {"COUNT(*)": json.dumps({"table": "ccdata.cdr", "rows": count}) + "\n"}


def restore_of(*logs: LogFile, until: datetime | None = None) -> Restore:
    chosen = plan_restore([manifest(2)], None)
    return Restore(repository="/r", manifests=chosen, logs=logs, until=until)


def restored(target: Target, restore: Restore, repository: Repository) -> list[str]:
    told: list[str] = []
    database = restore.manifests[Role.DATABASE].database
    assert database is not None
    restoring._restore_database(target, repository, database, restore, told.append)
    return told


def test_the_dump_is_loaded_compared_and_the_logs_replayed_from_its_place(tmp_path: Path) -> None:
    target = Target(tmp_path, rows(3))
    restored(target, restore_of(log(3), log(4), until=moment(5)), Printing("/r", "secret"))
    shown = "\n".join(target.asked)
    assert "DROP DATABASE IF EXISTS `ccdata`" in shown
    assert "--start-position=157" in shown
    assert "--stop-datetime='2026-11-30 05:00:00'" in shown
    assert "--skip-gtids" in shown
    assert "binlog.000003 binlog.000004 | mysql" in shown
    assert "secret" not in shown


def test_a_loaded_table_with_other_rows_stops_the_restore(tmp_path: Path) -> None:
    target = Target(tmp_path, rows(2))
    with pytest.raises(PhaseFailedError, match="differ") as caught:
        restored(target, restore_of(log(3)), Printing("/r", "secret"))
    assert caught.value.evidence == "ccdata.cdr: 2, 3"
    assert not [one for one in target.asked if "mysqlbinlog" in one]


def test_restic_that_fails_half_way_is_no_end_of_the_dump(tmp_path: Path) -> None:
    repository = Printing("/r", "secret")
    object.__setattr__(repository, "status", 1)
    with pytest.raises(UnreachableError, match="restic can't read"):
        restored(Target(tmp_path, rows(3)), restore_of(), repository)


def test_a_server_that_takes_no_data_says_so(tmp_path: Path) -> None:
    with pytest.raises(PhaseFailedError, match="did not take the data"):
        restored(Target(tmp_path, rows(3), status=1), restore_of(), Printing("/r", "secret"))


@pytest.mark.parametrize(("found", "good"), [("2 7", True), ("3 900", True), ("1 7", False)])
def test_files_are_counted_after_they_came(tmp_path: Path, found: str, good: bool) -> None:
    restore = restore_of()
    part = restore.manifests[Role.TELEPHONY].parts["recordings"]
    target = Target(tmp_path, {"find": found})
    store = store_of(Role.TELEPHONY)

    def work() -> None:
        restoring._restore_files(target, Printing("/r", "secret"), store, part, lambda text: None)

    if good:
        work()
        assert "tar -C / -xpf - --no-overwrite-dir a" in "\n".join(target.asked)
    else:
        with pytest.raises(PhaseFailedError, match="fewer than in the backup"):
            work()


def test_the_time_left_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    clock = [0.0]
    monkeypatch.setattr(restoring.time, "monotonic", lambda: clock[0])
    progress = restoring.StreamProgress(told.append, "Load", 1000)
    clock[0] = 1.0
    progress.passed(100)
    clock[0] = 10.0
    progress.passed(250)
    assert told == ["Load", "Load: 25 %, 30 s left"]
