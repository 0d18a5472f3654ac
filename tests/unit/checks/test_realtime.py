"""Whether what Asterisk's realtime maps can be had."""

from dataclasses import replace

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.realtime import judge_realtime
from ucontact_appliance.facts.realtime import RealtimeMapping, parse_realtime

_FOUND = parse_realtime(recorded("asterisk_realtime-sid"))


@pytest.mark.parametrize(
    ("mapped", "connections", "verdict", "words"),
    [
        ((), 1, Verdict.PASS, "all configuration is in files"),
        ((RealtimeMapping("queues", "odbc", "ucontact"),), 1, Verdict.PASS, "queues via odbc"),
        ((RealtimeMapping("a", "curl", "x"),), 0, Verdict.PASS, "a via curl"),
        (
            (RealtimeMapping("queues", "odbc", "ucontact"),),
            0,
            Verdict.WARN,
            "queues: no connection",
        ),
        (
            (RealtimeMapping("queues", "odbc", "gone"),),
            1,
            Verdict.FAIL,
            "queues: res_odbc.conf has no",
        ),
        (
            (RealtimeMapping("queues", "pgsql", "a"),),
            1,
            Verdict.FAIL,
            "queues: the engine pgsql is not",
        ),
    ],
)
def test_what_is_mapped_must_be_there(
    mapped: tuple[RealtimeMapping, ...], connections: int, verdict: Verdict, words: str
) -> None:
    found = replace(_FOUND, mapped=mapped, classes=(("ucontact", connections),))
    judged = judge_realtime(found)
    assert judged.verdict is verdict
    assert judged.observed.startswith(words)
