"""The programs of the role backup: which backups go, what a dump has, what an error means."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.services import backup_program

runs = backup_program("ucontact_runs")
dumps = backup_program("ucontact_dump")
restic = backup_program("ucontact_restic")
KEEP = {"daily": 3, "weekly": 2, "monthly": 2}


def snapshot(name: str, day: str, run: str = "", *tags: str, host: str = "one") -> dict[str, Any]:
    row = {"id": name, "time": f"{day}T02:30:00.123456789Z", "hostname": host, "tags": [*tags]}
    if run:
        row["tags"].append(f"run={run}")
    return row


def good_run(day: str) -> list[dict[str, Any]]:
    run = day.replace("-", "")
    return [
        snapshot(f"files-{run}", day, run),
        snapshot(f"manifest-{run}", day, run, runs.MANIFEST),
    ]


def test_of_each_day_week_and_month_the_newest_stays() -> None:
    days = ["2026-09-01", "2026-10-31", "2026-11-15", "2026-11-22", "2026-11-28", "2026-11-29"]
    days += ["2026-11-30"]
    gone = runs.superfluous([one for day in days for one in good_run(day)], "one", KEEP)
    # Kept: three days; the weeks of 30 and 29 November; the months November and October.
    left = {"20260901", "20261115", "20261122"}
    assert set(gone) == {f"{kind}-{run}" for kind in ("files", "manifest") for run in left}


def test_the_newest_good_run_always_stays_and_what_is_newer_too() -> None:
    old = good_run("2026-01-01")
    unfinished = snapshot("later", "2026-11-30", "20261130")
    assert runs.superfluous([*old, unfinished], "one", KEEP) == []


def test_an_incomplete_run_goes_after_a_good_one() -> None:
    unfinished = snapshot("half", "2026-11-28", "20261128")
    assert runs.superfluous([unfinished], "one", KEEP) == []
    assert runs.superfluous([unfinished, *good_run("2026-11-29")], "one", KEEP) == ["half"]


def test_snapshots_of_other_hosts_and_others_stay() -> None:
    theirs = [
        snapshot("theirs", "2026-01-01", "20260101", host="two"),
        {"id": "by-hand", "time": "2026-01-01T00:00:00Z", "hostname": "one", "tags": None},
    ]
    assert runs.superfluous([*theirs, *good_run("2026-11-29")], "one", KEEP) == []


def test_of_binary_logs_all_of_two_days_stay_and_one_of_each_day_before() -> None:
    def log(name: str, time: str, server: str = "a") -> dict[str, Any]:
        tags = [runs.BINLOG, f"server={server}"]
        return {"id": name, "time": time, "hostname": "one", "tags": tags}

    logs = [
        log("today", "2026-11-30T10:00:00Z"),
        log("today-before", "2026-11-30T09:55:00Z"),
        log("yesterday", "2026-11-29T01:00:00Z"),
        log("28-late", "2026-11-28T23:00:00Z"),
        log("28-early", "2026-11-28T22:00:00Z"),
        log("28-of-another-mysql", "2026-11-28T21:00:00Z", "b"),
        log("20", "2026-11-20T21:00:00Z"),
    ]
    gone = runs.superfluous([*logs, *good_run("2026-11-29")], "one", KEEP)
    assert gone == ["28-early", "20"]


def test_times_with_a_zone_are_compared_in_utc() -> None:
    east = runs.moment_of({"time": "2026-11-30T02:30:00.5+03:00"})
    assert east == runs.moment_of({"time": "2026-11-29T23:30:00Z"})


DUMP = rb"""-- MySQL dump
-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='binlog.000007', SOURCE_LOG_POS=1234;
USE `ccrepo`;
CREATE TABLE `empty` (
INSERT INTO `site_info` VALUES ('a','it''s (1),(2)'),('b\'),(','c\\'),('d',NULL);
USE `ccdata`;
CREATE TABLE `cdr` (
INSERT INTO `cdr` VALUES (1,0x00ff,'x'),(2,0x,'');
INSERT INTO `cdr` VALUES (3,NULL,'INSERT INTO `cdr` VALUES (');
-- Dump completed on 2026-11-30
"""


def test_rows_are_counted_whatever_is_in_them() -> None:
    seen = dumps.Dump()
    for line in DUMP.splitlines(keepends=True):
        seen.line(line)
    assert seen.rows == {"ccrepo.empty": 0, "ccrepo.site_info": 3, "ccdata.cdr": 3}
    assert seen.position == {"file": "binlog.000007", "position": 1234}
    assert seen.complete
    assert seen.octets == len(DUMP)


def test_a_dump_of_an_older_mysql_and_one_that_was_cut() -> None:
    seen = dumps.Dump()
    seen.line(b"-- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000001', MASTER_LOG_POS=154;\n")
    assert seen.position == {"file": "binlog.000001", "position": 154}
    assert not seen.complete


@pytest.mark.parametrize(
    ("offered", "option"), [("--source-data", "--source-data=2"), ("", "--master-data=2")]
)
def test_the_option_for_the_position_is_the_one_that_mysqldump_has(
    offered: str, option: str
) -> None:
    assert option in dumps.sql_command(["ccrepo"], "/run/x", offered)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Fatal: wrong password or no key found", "wrong_key"),
        ("Fatal: unable to open config file: stat /a/config: no such file or directory\n"
         "Is there a repository at the following location?\n/a", "no_repository"),
        ("Fatal: unable to save snapshot: write /a: no space left on device", "full"),
        ("unable to create lock in backend: repository is already locked exclusively by PID 7 on b",
         "locked"),
        ("Pack ID does not match, want ce42, got 71\nFatal: repository contains errors", "damaged"),
        ("Fatal: unable to open repository: Get https://x/config: dial tcp: connection refused",
         "unreachable"),
        ("Fatal: client.BucketExists: Access Denied.", "access"),
        ("Host key verification failed.\nFatal: unable to start the sftp session", "host_key"),
        ("subprocess ssh: connect to host 192.0.2.9 port 22: No route to host\nFatal: "
         "unable to start the sftp session: unexpected EOF", "unreachable"),
        ("repository is already locked by PID 403 on one by root", "locked"),
        ("something new", "other"),
    ],
)  # fmt: skip
def test_errors_have_a_kind(words: str, kind: str) -> None:
    assert restic.kind_of(words) == kind


def config(**more: Any) -> dict[str, Any]:
    return {"repository": "/a", "password": "pass-of-the-site", **more}


def test_secrets_are_neither_in_arguments_nor_in_errors() -> None:
    made = restic.Restic(
        config(
            repository="rest:https://192.0.2.9/acme/",
            rest_user="acme",
            rest_password="p@ss/word",
            environment={"AWS_SECRET_ACCESS_KEY": "key-of-s3"},
        )
    )
    address = made.environment["RESTIC_REPOSITORY"]
    assert address == "rest:https://acme:p%40ss%2Fword@192.0.2.9/acme/"
    assert "p%40ss" not in " ".join(made.command("snapshots"))
    error = made.error("open", f"Fatal: {address}: pass-of-the-site key-of-s3 p@ss/word")
    for secret in ("p%40ss", "p@ss", "pass-of-the-site", "key-of-s3"):
        assert secret not in error.words
        assert secret not in str(error)


def test_an_sftp_server_has_a_pinned_key_and_no_questions() -> None:
    sftp = {"key": "/k", "known_hosts": "/h", "target": "a@192.0.2.9"}
    option, command = restic.Restic(config(sftp=sftp)).command("cat")[3:5]
    assert option == "-o"
    for words in ("StrictHostKeyChecking=yes", "UserKnownHostsFile=/h", "BatchMode=yes", "-i /k"):
        assert words in command


def test_errors_of_restic_in_json_become_words() -> None:
    line = json.dumps(
        {"message_type": "error", "error": {"message": "read /x: input/output error"}, "item": "/x"}
    )
    status = json.dumps({"message_type": "status", "percent_done": 0.5})
    assert restic.words_of(f"{status}\n{line}\n") == "/x: read /x: input/output error"


FAKE = """#!/bin/sh
# A repository in $RESTIC_REPOSITORY: a file `config`, and one file per password.
case "$*" in
  *"cat config"*)
    test -e "$RESTIC_REPOSITORY/config" || { echo "Is there a repository at" >&2; exit 1; }
    test -e "$RESTIC_REPOSITORY/$RESTIC_PASSWORD" || { echo "wrong password" >&2; exit 1; }
    cat "$RESTIC_REPOSITORY/config" ;;
  *init*)
    mkdir -p "$RESTIC_REPOSITORY"
    echo "{\\"id\\": \\"$(date +%s%N)\\"}" > "$RESTIC_REPOSITORY/config"
    touch "$RESTIC_REPOSITORY/$RESTIC_PASSWORD" ;;
  *"key add"*)
    for last; do :; done
    touch "$RESTIC_REPOSITORY/$(cat "$last")" ;;
esac
"""


class Server:
    """A server with a configuration, its state, and a fake of restic."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, monkeypatch
        program = folder / "bin/restic"
        program.parent.mkdir()
        program.write_text(FAKE)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        self.program = backup_program("backup")
        monkeypatch.setattr(self.program.state, "FOLDER", str(folder / "state"))
        monkeypatch.setattr(self.program.state, "LOCK", str(folder / "lock"))

    def prepare(self, password: str = "site-password", recovery: str = "recovery-password") -> Any:
        text = json.dumps({"recovery": recovery})
        self.patch.setattr("sys.stdin", io.StringIO(text))
        return self.program.prepare(
            config(repository=str(self.folder / "repository"), password=password), None
        )


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(tmp_path, monkeypatch)


def test_a_repository_is_made_once_with_both_keys(server: Server) -> None:
    assert server.prepare()["changes"] == [
        "the repository was created",
        "the recovery key was added",
    ]
    assert server.prepare()["changes"] == []


def test_a_repository_that_is_gone_is_not_made_again(server: Server) -> None:
    server.prepare()
    (server.folder / "repository").rename(server.folder / "unmounted")
    with pytest.raises(Exception, match="was prepared before") as caught:
        server.prepare()
    assert caught.value.kind == "no_repository"
    assert not (server.folder / "repository").exists()


def test_another_repository_in_its_place_is_refused(server: Server) -> None:
    server.prepare()
    (server.folder / "repository/config").write_text('{"id": "another"}')
    with pytest.raises(Exception, match="another repository"):
        server.prepare()


def test_a_new_password_is_added_by_the_recovery_key_and_the_reverse(server: Server) -> None:
    server.prepare()
    assert server.prepare("new-password")["changes"] == ["the site's key was added"]
    assert server.prepare("new-password", "new-recovery")["changes"] == [
        "the recovery key was added"
    ]


def test_a_repository_that_no_key_opens_is_left_alone(server: Server) -> None:
    server.prepare()
    with pytest.raises(Exception, match="no key of this site") as caught:
        server.prepare("x-password", "y-password")
    assert caught.value.kind == "wrong_key"


def test_a_run_that_stopped_without_a_word_is_interrupted(server: Server) -> None:
    state = server.program.state
    state.write(state.RUN, {"run": "x", "state": "running"})
    with state.Lock():
        assert state.newest_run()["state"] == "running"
    assert state.newest_run()["state"] == "interrupted"


def test_only_one_command_changes_the_repository(server: Server) -> None:
    state = server.program.state
    with state.Lock(), pytest.raises(state.BusyError), state.Lock():
        pass
