"""How the database server starts, writes and copies."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.checks.subjects import Answer, FakeRunner
from tests.unit.sites import small_site
from ucontact_appliance.checks.database import (
    judge_replication,
    judge_start,
    judge_writable,
)
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.mysql import AFRESH
from ucontact_appliance.facts.database import (
    ReadLock,
    Replication,
    UnitStart,
    parse_replication,
    parse_start,
    parse_writable,
    span,
    writable,
)
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import ProbeContext

SHOWN = """InactiveExitTimestampMonotonic=1000000
ActiveEnterTimestampMonotonic=3500000
TimeoutStartUSec=10min
"""
REPLICA = """*************************** 1. row ***************************
             Replica_IO_State: Waiting for source to send event
                  Source_Host: 192.0.2.1
           Replica_IO_Running: Yes
          Replica_SQL_Running: Yes
        Seconds_Behind_Source: 3
"""
SLAVE = """*************************** 1. row ***************************
             Slave_IO_Running: Yes
            Slave_SQL_Running: No
        Seconds_Behind_Master: NULL
"""


def test_a_start_is_read() -> None:
    found = parse_start(SHOWN)
    assert (found.seconds, found.limit) == (2.5, 600.0)
    assert parse_start("").seconds is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1min 30s", 90.0), ("10min", 600.0), ("500ms", 0.5), ("infinity", None), ("", None)],
)
def test_spans_are_read(text: str, seconds: float | None) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "limit", "verdict"),
    [
        (2.5, 600.0, Verdict.PASS),
        (61.0, 600.0, Verdict.WARN),
        (301.0, 600.0, Verdict.FAIL),
        (61.0, None, Verdict.WARN),
        (None, 600.0, Verdict.SKIP),
    ],
)
def test_a_slow_start_is_told_before_systemd_ends_it(
    seconds: float | None, limit: float | None, verdict: Verdict
) -> None:
    assert judge_start(UnitStart(seconds, limit, "")).verdict is verdict


def test_replication_is_judged_where_there_is_any() -> None:
    assert judge_replication(parse_replication("")).verdict is Verdict.PASS
    assert judge_replication(parse_replication(REPLICA)).verdict is Verdict.PASS
    stopped = judge_replication(parse_replication(SLAVE))
    assert "'SHOW SLAVE STATUS'" in stopped.remedy
    assert (stopped.verdict, stopped.observed) == (Verdict.FAIL, "Replica_SQL_Running is No")
    late = parse_replication(REPLICA.replace("Source: 3", "Source: 3600"))
    assert judge_replication(late).verdict is Verdict.FAIL
    unknown = Replication(({**late.channels[0], "Seconds_Behind_Source": "NULL"},), "")
    assert judge_replication(unknown).verdict is Verdict.FAIL
    # One channel of two: what runs does not hide what stands.
    assert judge_replication(parse_replication(SLAVE + REPLICA)).verdict is Verdict.FAIL
    assert len(parse_replication(SLAVE + REPLICA).channels) == 2


WRITES = """---- variables
innodb_read_only\tOFF
offline_mode\tOFF
performance_schema\tON
read_only\tOFF
super_read_only\tOFF
---- locks
---- waited
NULL
"""
WRITING = parse_writable(WRITES)
ROOT, DUMP = ReadLock(42, "root", 12), ReadLock(43, "backup", 0)


def test_what_keeps_a_server_from_writing_is_read() -> None:
    assert WRITING.variables == {
        "innodb_read_only": "OFF",
        "offline_mode": "OFF",
        "performance_schema": "ON",
        "read_only": "OFF",
        "super_read_only": "OFF",
    }
    assert (WRITING.locks, WRITING.waited) == ((), None)
    locked = WRITES.replace("locks\n", "locks\n42\t12\troot\n43\t0\tbackup\n")
    found = parse_writable(locked.replace("NULL", "75"))
    assert (found.locks, found.waited) == ((ROOT, DUMP), 75)
    assert "42\t12\troot" in found.evidence


@pytest.mark.parametrize(
    ("on", "observed", "remedy"),
    [
        (
            ("read_only", "super_read_only"),
            "super_read_only is ON, read_only is ON",
            "{ssh} mysql -e 'SET @@global.super_read_only=OFF,@@global.read_only=OFF'; {install}",
        ),
        (
            ("offline_mode",),
            "offline_mode is ON",
            "{ssh} mysql -e 'SET @@global.offline_mode=OFF'; {install}",
        ),
        (
            ("innodb_read_only", "read_only"),
            "read_only is ON, innodb_read_only is ON",
            AFRESH,
        ),
    ],
)
def test_a_variable_that_forbids_writing_is_a_fault(
    on: tuple[str, ...], observed: str, remedy: str
) -> None:
    variables = {**WRITING.variables, **dict.fromkeys(on, "ON")}
    # A lock that a backup holds for a moment does not hide it.
    judged = judge_writable(replace(WRITING, variables=variables, locks=(DUMP,)))
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, observed)
    assert judged.remedy == remedy


@pytest.mark.parametrize(
    ("locks", "waited", "verdict", "observed"),
    [
        ((), None, Verdict.PASS, "writes are not blocked"),
        (
            (ROOT,),
            None,
            Verdict.WARN,
            "a global read lock is held by root, connection 42, for 12 s, possibly by a backup",
        ),
        (
            (DUMP, replace(ROOT, seconds=60)),
            None,
            Verdict.FAIL,
            "a global read lock is held by root, connection 42, for 60 s",
        ),
        # A dump begins its newest statement now, and holds the lock as long as others wait.
        (
            (DUMP,),
            75,
            Verdict.FAIL,
            "a global read lock is held by backup, connection 43, for 75 s",
        ),
        # MySQL 5.7 does not tell who holds it.
        (
            (),
            59,
            Verdict.WARN,
            "writes have waited for a global read lock for 59 s, possibly by a backup",
        ),
        ((), 60, Verdict.FAIL, "writes have waited for a global read lock for 60 s"),
    ],
)
def test_a_lock_is_a_fault_when_it_lasts_longer_than_a_backup_needs_it(
    locks: tuple[ReadLock, ...], waited: int | None, verdict: Verdict, observed: str
) -> None:
    judged = judge_writable(replace(WRITING, locks=locks, waited=waited))
    assert (judged.verdict, judged.observed) == (verdict, observed)


def test_only_a_lock_that_is_a_fault_is_ended() -> None:
    held = replace(WRITING, locks=(DUMP, replace(ROOT, seconds=3600)))
    assert judge_writable(held).remedy.startswith("{ssh} mysql -e 'KILL 42'  # ")
    # The check's own remedy shows who it can be.
    assert judge_writable(replace(WRITING, locks=(ROOT,))).remedy == ""
    assert judge_writable(replace(WRITING, waited=3600)).remedy == ""
    # Nothing that waits for the lock before it has ended: an installation would.
    both = replace(held, variables={**WRITING.variables, "read_only": "ON"})
    assert judge_writable(both).remedy.startswith("{ssh} mysql -e 'KILL 42'  # ")


def test_a_server_writes_without_a_variable_that_it_does_not_know() -> None:
    mariadb = parse_writable(WRITES.replace("super_read_only\tOFF\n", ""))
    assert judge_writable(mariadb).verdict is Verdict.PASS


def test_locks_that_the_server_does_not_tell_of_are_not_judged() -> None:
    blind = parse_writable(WRITES.replace("performance_schema\tON", "performance_schema\tOFF"))
    assert judge_writable(blind).verdict is Verdict.SKIP
    forbidden = replace(blind, variables={**blind.variables, "read_only": "ON"})
    assert judge_writable(forbidden).verdict is Verdict.FAIL


def test_a_server_that_says_nothing_is_not_judged() -> None:
    silent = parse_writable("---- variables\n---- locks\n---- waited\nNULL\n")
    with pytest.raises(KeyError):
        judge_writable(silent)


def test_the_host_is_asked_in_one_go() -> None:
    assert writable(_reach(lambda argv: Completed(tuple(argv), 0, WRITES, "", 0.1))) == WRITING


def test_an_answer_that_is_cut_short_is_none(tmp_path: Path) -> None:
    client = tmp_path / "mysql"
    client.write_text('#!/bin/sh\ncase "$*" in *metadata_locks*) exit 3 ;; esac\necho NULL\n')
    client.chmod(0o755)

    def answer(argv: Sequence[str]) -> Completed:
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr, 0.1)

    with pytest.raises(RuntimeError, match="exit status 3"):
        writable(_reach(answer))


def _reach(answer: Answer) -> ProbeContext:
    site = small_site()
    return ProbeContext(site, site.hosts[0], FakeRunner(answer))
