"""Exceptions in site.yml: each mistake is told with its line and the nearest right id."""

from __future__ import annotations

from datetime import date

import pytest

from ucontact_appliance.errors import UsageError
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.site.loader import parse_site

_HEAD = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts:
  - {name: one, address: 192.0.2.10}
waivers:
"""


def refused(rows: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_site(_HEAD + rows, known_checks=IDS)
    return caught.value.evidence


def test_an_exception_with_its_day_in_quotes_or_without() -> None:
    site = parse_site(
        _HEAD + "  - {check: host.memory, reason: more is ordered, until: 2027-01-31}\n"
        "  - {check: web.service, host: one, reason: more is ordered, until: '2027-02-01'}\n",
        known_checks=IDS,
    )
    assert [w.until for w in site.waivers] == [date(2027, 1, 31), date(2027, 2, 1)]
    assert [w.host for w in site.waivers] == [None, "one"]


def test_an_unknown_check_is_refused_with_the_nearest_and_its_line() -> None:
    told = refused(
        "  - {check: host.memory, reason: more is ordered, until: 2027-01-31}\n"
        "  - check: host.memroy\n    reason: more is ordered\n    until: 2027-01-31\n"
    )
    assert told.startswith("line 8: waivers[1].check: there is no check 'host.memroy'")
    assert "did you mean 'host.memory'?" in told


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "{check: site.waivers, reason: why not, until: 2027-01-31}",
            "checks the waivers, and can't be waived",
        ),
        ("{check: host.memory, reason: why not}", "waivers[0].until: is missing"),
        ("{check: host.memory, until: 2027-01-31}", "waivers[0].reason: is missing"),
        ("{check: host.memory, reason: '', until: 2027-01-31}", "waivers[0].reason"),
        ("{check: host.memory, reason: why not, until: 20270131}", "write the date as 2027-01-31"),
        ("{check: host.memory, reason: why not, until: soon}", "waivers[0].until"),
        (
            "{check: host.memory, host: two, reason: why not, until: 2027-01-31}",
            "line 7: waivers[0].host: there is no server 'two'; this site has one",
        ),
        (
            "{check: host.memory, reason: why not, til: 2027-01-31}",
            "did you mean 'until'?",
        ),
    ],
)
def test_a_mistake_is_named(row: str, told: str) -> None:
    assert told in refused(f"  - {row}\n")


def test_a_check_is_waived_once() -> None:
    row = "  - {check: host.memory, reason: why not, until: 2027-01-31}\n"
    assert "line 8: waivers[1].check: 'host.memory' is already waived" in refused(row * 2)


def test_a_day_in_the_past_is_no_mistake_of_the_file() -> None:
    row = "  - {check: host.memory, reason: why not, until: 2020-01-31}\n"
    assert parse_site(_HEAD + row, known_checks=IDS).waivers[0].until == date(2020, 1, 31)
