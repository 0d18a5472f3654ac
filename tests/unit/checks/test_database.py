"""How the database server starts and copies."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.database import judge_replication, judge_start
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.database import (
    Replication,
    Start,
    parse_replication,
    parse_start,
    span,
)

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
    assert judge_start(Start(seconds, limit, "")).verdict is verdict


def test_replication_is_judged_where_there_is_any() -> None:
    assert judge_replication(parse_replication("")).verdict is Verdict.PASS
    assert judge_replication(parse_replication(REPLICA)).verdict is Verdict.PASS
    stopped = judge_replication(parse_replication(SLAVE))
    assert (stopped.verdict, stopped.observed) == (Verdict.FAIL, "Replica_SQL_Running is No")
    late = parse_replication(REPLICA.replace("Source: 3", "Source: 3600"))
    assert judge_replication(late).verdict is Verdict.FAIL
    unknown = Replication(({**late.channels[0], "Seconds_Behind_Source": "NULL"},), "")
    assert judge_replication(unknown).verdict is Verdict.FAIL
    # One channel of two: what runs does not hide what stands.
    assert judge_replication(parse_replication(SLAVE + REPLICA)).verdict is Verdict.FAIL
    assert len(parse_replication(SLAVE + REPLICA).channels) == 2
