"""What `ucontact apply` shows before it changes anything."""

from __future__ import annotations

from typing import Any

import pytest

from ucontact_appliance.install.journal import Journal
from ucontact_appliance.install.site_changes import site_changes
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import Site

SITE = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts: [{name: one, address: 192.0.2.10}]
"""


def installed(site: Site, **others: Any) -> Journal:
    return Journal(inputs={"site": {**site.model_dump(mode="json", exclude={"waivers"}), **others}})


def test_the_same_site_has_no_difference() -> None:
    site = parse_site(SITE)
    changes = site_changes(installed(site), site)
    assert (changes.diff, changes.concern_servers) == ("", False)


def test_an_exception_is_no_difference() -> None:
    before, after = (
        parse_site(SITE),
        parse_site(SITE + "waivers: [{check: x.y, reason: tested, until: 2099-01-01}]\n"),
    )
    assert site_changes(installed(before), after).diff == ""


@pytest.mark.parametrize(
    ("after", "line", "servers"),
    [
        (SITE + "telephony: {extensions: ['6001']}\n", "+  - '6001'", False),
        (SITE.replace("agents: 10", "agents: 400"), "+agents: 400", True),
        (SITE.replace("192.0.2.10", "192.0.2.11"), "+  address: 192.0.2.11", True),
    ],
)
def test_a_difference_is_shown(after: str, line: str, servers: bool) -> None:
    changes = site_changes(installed(parse_site(SITE)), parse_site(after))
    assert line in changes.diff.splitlines()
    assert changes.concern_servers is servers


def test_a_site_of_an_older_appliance_is_compared_as_it_was_written() -> None:
    site = parse_site(SITE)
    changes = site_changes(installed(site, gone="long ago"), site)
    assert "-gone: long ago" in changes.diff.splitlines()
