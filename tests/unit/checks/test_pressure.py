"""Whether a host keeps up with its work."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.pressure import judge_pressure
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
