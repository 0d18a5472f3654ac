"""Recordings are deleted when site.yml says so, and the doctor sees when they would not be."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.storage import judge_retention
from ucontact_appliance.facts.storage import parse_retention

# Recorded on a rehearsal machine (systemd 262).
RECORDED = """\
---- timer
active
---- command
{ path=/usr/bin/find ; argv[]=/usr/bin/find /var/spool/asterisk/monitor -xdev -type f -mtime +90 \
-delete ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
"""


@pytest.mark.parametrize(
    ("text", "days", "verdict"),
    [
        (RECORDED, 90, "pass"),
        (RECORDED, 30, "fail"),
        (RECORDED.replace("\nactive", "\ninactive"), 90, "fail"),
        ("---- timer\ninactive\n---- command\n", 90, "fail"),
    ],
)
def test_the_timer_keeps_what_the_site_asks_for(text: str, days: int, verdict: str) -> None:
    assert judge_retention(parse_retention(text), days).verdict.value == verdict


def test_days_and_state_are_read() -> None:
    found = parse_retention(RECORDED)
    assert (found.timer, found.days) == ("active", 90)
