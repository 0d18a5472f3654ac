"""Whether a host keeps up with its work."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.pressure import judge_latency, judge_pressure
from ucontact_appliance.facts.hardware.records import WriteLatency
from ucontact_appliance.facts.pressure import Pressure, parse_pressure

RECORDED = """---- cpu
some avg10=1.53 avg60=0.87 avg300=0.60 total=58761459
---- io
some avg10=0.00 avg60=12.11 avg300=25.04 total=95324187
full avg10=0.00 avg60=0.00 avg300=51.00 total=83421118
---- memory
"""


def test_pressure_is_read() -> None:
    assert parse_pressure(RECORDED).waited == {"cpu": 0.6, "io": 25.04}


@pytest.mark.parametrize(
    ("waited", "container", "verdict"),
    [
        (0.6, False, Verdict.PASS),
        (20.0, False, Verdict.WARN),
        (50.0, False, Verdict.FAIL),
        (99.0, True, Verdict.PASS),
        (None, False, Verdict.SKIP),
    ],
)
def test_what_waits_for_long_is_told(
    waited: float | None, container: bool, verdict: Verdict
) -> None:
    found = Pressure({} if waited is None else {"io": waited}, "")
    assert judge_pressure(found, "io", container).verdict is verdict


def _timed(p50: float | None, folder: str = "/var/lib/mysql") -> WriteLatency:
    p99 = None if p50 is None else p50 * 9
    error = "No space left on device" if p50 is None else ""
    return WriteLatency(("database",), folder, "/var", 40 if p50 else 0, p50, p99, error)


@pytest.mark.parametrize(
    ("medians", "verdict", "words"),
    [
        ((0.6,), Verdict.PASS, "half of them within 0.6 ms on /var"),
        ((20.0,), Verdict.PASS, "half of them within 20.0 ms"),
        ((0.6, 20.1), Verdict.WARN, "half of them within 20.1 ms"),
        ((100.1, 0.6), Verdict.FAIL, "half of them within 100.1 ms"),
        ((None, 0.6), Verdict.PASS, "half of them within 0.6 ms"),
        ((None,), Verdict.SKIP, "no write could be timed"),
        ((), Verdict.SKIP, "no write could be timed"),
    ],
)
def test_the_slowest_disk_is_judged(
    medians: tuple[float | None, ...], verdict: Verdict, words: str
) -> None:
    judged = judge_latency([_timed(median) for median in medians], 20, 100)
    assert judged.verdict is verdict
    assert judged.observed.startswith(words)


def test_what_hindered_the_writes_is_told() -> None:
    assert "/var/lib/mysql: No space left" in judge_latency([_timed(None)], 20, 100).evidence
