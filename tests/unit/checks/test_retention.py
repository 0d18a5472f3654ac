"""Recordings are deleted when site.yml says so, and the doctor sees when they would not be."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.recordings_space import judge_retention
from ucontact_appliance.facts.storage import parse_retention

# Recorded on a rehearsal machine (systemd 262).
RECORDED = """\
---- timer
active
---- watermark
active
---- command
{ path=/usr/bin/python3 ; argv[]=/usr/bin/python3 \
/usr/local/lib/ucontact/recordings-retention.py --days 90 --keep-free 10 ; ignore_errors=no ; \
start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
"""


@pytest.mark.parametrize(
    ("text", "days", "percent", "verdict"),
    [
        (RECORDED, 90, 10, "pass"),
        (RECORDED, 30, 10, "fail"),
        (RECORDED, 90, 0, "fail"),
        (RECORDED.replace("timer\nactive", "timer\ninactive"), 90, 10, "fail"),
        (RECORDED.replace("watermark\nactive", "watermark\nfailed"), 90, 10, "fail"),
        ("---- timer\ninactive\n---- command\n", 90, 10, "fail"),
    ],
)
def test_the_timers_keep_what_the_site_asks_for(
    text: str, days: int, percent: int, verdict: str
) -> None:
    assert judge_retention(parse_retention(text), days, percent).verdict.value == verdict


def test_days_and_state_are_read() -> None:
    found = parse_retention(RECORDED)
    assert (found.timer, found.watermark) == ("active", "active")
    assert (found.days, found.keep_free_percent) == (90, 10)
