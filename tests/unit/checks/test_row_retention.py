"""Old rows about calls are deleted as the site says, and the doctor sees when they would not be."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.row_retention import judge_rows
from ucontact_appliance.facts.row_retention import parse_row_retention
from ucontact_appliance.site.model import Records

RECORDED = """\
---- timer
active
---- result
success
---- settings
{
    "accesses": 0,
    "calls": 730,
    "events": 90
}
---- last
1796000000
---- now
1796003600
---- log
cel: 12 rows deleted
"""
RECORDS = Records(calls_days=730, events_days=90)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", ""),
        ("timer\nactive", "timer\ninactive", "is inactive"),
        ("timer\nactive", "timer\n", "is missing"),
        ('"calls": 730', '"calls": 30', "after 30, 90, 0 days"),
        ("result\nsuccess", "result\nexit-code", "failed: exit-code"),
        ("1796000000", "1795800000", "was 57 hours ago"),
        ("1796000000", "", ""),
    ],
)
def test_the_last_run(old: str, new: str, told: str) -> None:
    found = parse_row_retention(RECORDED.replace(old, new, 1) if old else RECORDED)
    judged = judge_rows(found, RECORDS)
    assert judged.verdict.value == ("fail" if told else "pass")
    assert told in judged.observed


def test_nothing_has_to_run_where_all_is_kept() -> None:
    text = RECORDED.replace(": 730", ": 0").replace(": 90", ": 0")
    found = parse_row_retention(text.replace("result\nsuccess", "result\nexit-code"))
    assert judge_rows(found, Records()).verdict.value == "pass"
    assert "all channel events" in judge_rows(found, Records()).required
