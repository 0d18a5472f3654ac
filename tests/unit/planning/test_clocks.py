"""The offset that phones get: only where one number holds all year."""

import pytest

from ucontact_appliance.planning.clocks import utc_offset


@pytest.mark.parametrize(
    ("zone", "seconds"),
    [
        ("America/Montevideo", -10800),
        ("America/Bogota", -18000),
        ("Asia/Kolkata", 19800),
        ("UTC", 0),
        ("America/Santiago", None),
        ("Europe/Madrid", None),
        (None, None),
    ],
)
def test_offset(zone: str | None, seconds: int | None) -> None:
    assert utc_offset(zone) == seconds
