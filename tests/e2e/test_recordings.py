"""Recordings on a real server: their index in MySQL, legal hold, and what the retention deletes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.installed import Installed
from tests.e2e.phone import a_phone
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.sip import SipServer

pytestmark = pytest.mark.machine

_ROOT = "/var/spool/asterisk/monitor"
_INDEX, _RETENTION = "ucontact-recordings.service", "ucontact-retention.service"
_PROGRAM = "/usr/local/lib/ucontact/recordings-retention.py"


@dataclass(frozen=True)
class Recorder:
    """The site and its phones."""

    installed: Installed
    server: SipServer

    def sh(self, script: str) -> str:
        return self.installed.sh(script)

    def rows(self, query: str) -> list[list[str]]:
        """Of ccdata, as the database's administrator."""
        printed = self.sh(f'mysql --batch --skip-column-names ccdata -e "{query}"')
        return [line.split("\t") for line in printed.splitlines()]

    def call(self, seconds: float = 3.0) -> None:
        """A call of 6001 to the echo test, which is recorded."""

        async def called() -> None:
            secret = self.installed.secret("telephony.extensions.6001")
            async with a_phone(self.server, "6001", secret) as phone:
                await phone.dial("*43", seconds=seconds)

        asyncio.run(called())

    def files(self) -> set[str]:
        return set(self.sh(f"find {_ROOT} -type f -printf '%P\\n'").split())

    def old(self, path: str, days: float) -> str:
        """A recording that was last written so many days ago."""
        self.sh(
            f"cd {_ROOT} && runuser -u asterisk -- mkdir -p $(dirname {path}) && "
            f"head -c 16500 /dev/urandom > {path} && chown asterisk: {path} && "
            f"touch -d '{days * 24 * 60:.0f} minutes ago' {path}"
        )
        return path

    def retention(self) -> int:
        """Run the nightly unit; its exit status."""
        done = self.installed.machine.ssh([f"systemctl start {_RETENTION}"])
        return done.returncode

    def deleted(self, path: str) -> bool:
        ((marked,),) = self.rows(f"select deleted is not null from recordings where path='{path}'")
        return marked == "1"


def until(what: str, holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.5)


@pytest.fixture(scope="module")
def site(installed: Installed, small_site: Snapshot) -> Recorder:
    roots = str(small_site.paths.pki / "portal-ca.pem")
    server = SipServer("demo.ucontact.test", small_site.machine.address, 8089, "/ws", roots)
    return Recorder(installed, server)


def indexed(site: Recorder, path: str) -> bool:
    return bool(site.rows(f"select 1 from recordings where path='{path}'"))


def test_a_call_is_indexed_with_hash_size_and_parties(site: Recorder) -> None:
    before = site.files()
    site.call()
    (path,) = site.files() - before
    until("the call is not in the index", lambda: indexed(site, path))
    ((src, dst, codec, size, sha256, duration, uniqueid, linkedid, hold, gone, behind),) = (
        site.rows(
            "select src, dst, codec, bytes, sha256, duration, uniqueid, linkedid, legal_hold,"
            " deleted, timestampdiff(second, started, utc_timestamp())"
            f" from recordings where path='{path}'"
        )
    )
    assert (src, dst, codec, hold, gone) == ("6001", "*43", "gsm", "0", "NULL")
    assert sha256 == site.sh(f"sha256sum {_ROOT}/{path}").split()[0]
    assert int(size) == int(site.sh(f"stat -c %s {_ROOT}/{path}")) > 1650
    assert int(duration) == pytest.approx(int(size) / 1650, abs=1)
    assert path.endswith(f"_{uniqueid}.gsm")
    assert linkedid == uniqueid
    assert 0 <= int(behind) < 120


def test_a_call_that_is_up_is_not_indexed(site: Recorder) -> None:
    before, seen = site.files(), []

    async def called() -> None:
        secret = site.installed.secret("telephony.extensions.6001")
        async with a_phone(site.server, "6001", secret) as phone:
            call = asyncio.create_task(phone.dial("*43", seconds=14.0))
            await asyncio.sleep(12.0)
            (path,) = site.files() - before
            seen.append((path, await asyncio.to_thread(indexed, site, path)))
            await call

    asyncio.run(called())
    ((path, early),) = seen
    assert not early
    until("the call is not in the index", lambda: indexed(site, path))


def test_calls_are_not_lost_while_the_database_or_the_service_is_away(site: Recorder) -> None:
    before = site.files()
    site.sh("systemctl stop mysql")
    try:
        site.call()
        site.sh(f"systemctl restart {_INDEX}")
        time.sleep(8.0)
    finally:
        site.sh("systemctl start mysql")
    (path,) = site.files() - before
    # Asterisk does not send its record again: so the recording waits as long as one may be due.
    site.sh(f"touch -d '10 minutes ago' {_ROOT}/{path}")
    until("the call is not in the index", lambda: indexed(site, path), 60)
    site.sh(f"systemctl restart {_INDEX}")
    time.sleep(7.0)
    ((count, paths),) = site.rows("select count(*), count(distinct path) from recordings")
    assert count == paths
    assert site.sh(f"systemctl is-active {_INDEX}").strip() == "active"


def test_queue_and_agent_are_those_who_took_the_call(site: Recorder) -> None:
    now = int(time.time())
    path = f"2026/01/01/20260101-100000_24009999_sales_{now}.99.gsm"
    site.rows(
        "insert into queue_log (id, time, callid, queuename, agent, event) values"
        f" ('test', now(), '{now}.99', 'sales', '6002', 'CONNECT')"
    )
    site.old(path, 1)
    until("it is not in the index", lambda: indexed(site, path))
    told = site.rows(f"select src, dst, queue, agent from recordings where path='{path}'")
    assert told == [["24009999", "sales", "sales", "6002"]]
    site.rows("delete from queue_log where id='test'")


def test_asterisks_account_can_neither_hold_nor_change_a_hash(site: Recorder) -> None:
    for column in ("legal_hold = 0", "sha256 = ''", "bytes = 1", "hold_reason = ''"):
        said = site.sh(
            f'echo "update recordings set {column}" | '
            "runuser -u asterisk -- isql -b -v ucontact-ccdata 2>&1 || true"
        )
        assert "command denied" in said
    said = site.sh(
        'echo "delete from recordings" | '
        "runuser -u asterisk -- isql -b -v ucontact-ccdata 2>&1 || true"
    )
    assert "command denied" in said


def test_the_doctor_is_content(site: Recorder) -> None:
    _, found = site.installed.doctor("--only", "recordings.hashes", "--only", "disk.retention")
    for check in ("recordings.index", "recordings.hashes", "disk.retention"):
        assert found[check]["verdict"] == "pass", found[check]


def test_a_changed_recording_is_named(site: Recorder) -> None:
    path = site.old("2026/02/01/20260201-100000_1_2_1769936400.1.gsm", 1)
    until("it is not in the index", lambda: indexed(site, path))
    site.sh(f"printf x >> {_ROOT}/{path}")
    _, found = site.installed.doctor("--only", "recordings.hashes")
    assert found["recordings.hashes"]["verdict"] == "fail"
    assert path in found["recordings.hashes"]["evidence"]
    site.sh(f"rm {_ROOT}/{path}")
    site.rows(f"delete from recordings where path='{path}'")


def test_old_recordings_are_deleted_but_none_under_hold(site: Recorder) -> None:
    before = site.files()
    gone = site.old("2026/03/01/20260301-100000_1_2_1772355600.1.gsm", 91)
    held = site.old("2026/03/01/20260301-100000_1_2_1772355600.2.gsm", 400)
    until("they are not in the index", lambda: indexed(site, gone) and indexed(site, held))
    site.rows(
        "update recordings set legal_hold=1, hold_reason='court', hold_by='auditor',"
        f" hold_since=utc_timestamp() where path='{held}'"
    )
    assert site.retention() == 0
    assert site.files() == before | {held}
    assert (site.deleted(gone), site.deleted(held)) == (True, False)
    site.rows(f"update recordings set legal_hold=0 where path='{held}'")
    assert site.retention() == 0
    assert site.files() == before
    assert site.deleted(held)
    site.sh(f"test ! -e {_ROOT}/2026/03")


def test_operators_hold_verify_and_export_a_call(site: Recorder, tmp_path: Path) -> None:
    path = site.old("2026/03/03/20260303-100000_24009999_2_1772528400.1.gsm", 200)
    until("it is not in the index", lambda: indexed(site, path))

    def recordings(*words: str) -> str:
        done = site.installed.ucontact("recordings", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    recordings("hold", "1772528400.1", "--reason", "case '17'", "--by", "A. Silva")
    (row,) = json.loads(recordings("list", "--held", "--number", "24009999", "--json"))
    assert (row["path"], row["hold_reason"], row["hold_by"]) == (path, "case '17'", "A. Silva")
    assert site.retention() == 0
    assert path in site.files()
    (verified,) = json.loads(recordings("verify", "--json"))
    assert verified["intact"]
    printed = recordings("export", "1772528400.1", "--to", str(tmp_path / "case"))
    assert printed.split()[0] == site.sh(f"sha256sum {_ROOT}/{path}").split()[0]
    checked = subprocess.run(
        ["sha256sum", "-c", f"{Path(path).name}.sha256"], cwd=tmp_path / "case", check=False
    )
    assert checked.returncode == 0
    site.sh(f"printf x >> {_ROOT}/{path}")
    assert site.installed.ucontact("recordings", "verify", "1772528400.1").returncode == 1
    recordings("release", "1772528400.1")
    site.sh(f"touch -d '200 days ago' {_ROOT}/{path}")
    assert site.retention() == 0
    assert path not in site.files()


def test_nothing_is_deleted_while_the_database_is_stopped(site: Recorder) -> None:
    path = site.old("2026/03/02/20260302-100000_1_2_1772442000.1.gsm", 200)
    until("it is not in the index", lambda: indexed(site, path))
    site.sh("systemctl stop mysql")
    try:
        assert site.retention() != 0
        state = site.sh(f"systemctl show -p Result --value {_RETENTION}").strip()
        assert state == "exit-code"
        assert path in site.files()
    finally:
        site.sh("systemctl start mysql")
    assert site.retention() == 0
    assert path not in site.files()
    assert site.deleted(path)


def test_the_watermark_deletes_the_oldest_first(site: Recorder) -> None:
    """The recordings on a file system of 4 MB: of five old ones of 500 kB, two have to go."""
    site.sh(
        f"mount -t tmpfs -o size=4m,uid=$(id -u asterisk),gid=$(id -g asterisk),mode=0750 "
        f"tmpfs {_ROOT}"
    )
    try:
        days = {f"2026/04/0{n}/a_177500000{n}.1.gsm": 20 - n for n in range(1, 7)}
        for path, age in days.items():
            site.old(path, age)
            site.sh(
                f"head -c 512000 /dev/urandom > {_ROOT}/{path} && "
                f"touch -d '{age} days ago' {_ROOT}/{path}"
            )
        names = sorted(days)
        until("they are not in the index", lambda: all(indexed(site, one) for one in names))
        site.rows(f"update recordings set legal_hold=1 where path='{names[0]}'")
        # 6 x 500 kB of 4096 kB leave 26 %: 40 % free needs two of them to go.
        run = f"runuser -u asterisk -- python3 {_PROGRAM} --keep-free"
        assert "0 recordings deleted" in site.sh(f"{run} 10")
        assert "2 recordings deleted" in site.sh(f"{run} 45")
        assert site.files() == {names[0], *names[3:]}
        assert [site.deleted(one) for one in names] == [False, True, True, False, False, False]
    finally:
        site.sh(f"umount {_ROOT} && systemctl restart {_INDEX}")
        site.rows("delete from recordings where path like '2026/04/%'")


def test_the_timers_are_set(site: Recorder) -> None:
    shown = site.sh("systemctl list-timers --no-pager --all")
    assert "ucontact-retention.timer" in shown
    assert "ucontact-watermark.timer" in shown
    assert site.sh("systemctl start ucontact-watermark.service; echo $?").strip() == "0"
