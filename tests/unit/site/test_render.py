"""What init writes, the loader reads back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.errors import UsageError
from ucontact_appliance.printable import has_control
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.render import render_site

ANSWERS = {
    "site": "acme",
    "fqdn": "contact.example.com",
    "agents": 12,
    "hosts": [{"name": "one", "address": "local"}],
    "certificate": {"source": "private-ca"},
    "network": {"profile": "nat", "public_address": "198.51.100.7"},
    "extensions": ["6001", "0042"],
    "trunks": [{"name": "p", "host": "sip.example.net", "transport": "tls"}],
    "retention_days": 30,
}


def test_answers_come_back_as_the_site() -> None:
    site = parse_site(render_site(ANSWERS))
    assert site.telephony.extensions == ("6001", "0042")
    assert site.telephony.trunks[0].transport.value == "tls"
    assert site.network.public_address == "198.51.100.7"
    assert site.recordings.retention_days == 30


@given(st.text(min_size=1, max_size=40))
def test_no_answer_can_break_out_of_its_value(release: str) -> None:
    text = render_site(ANSWERS | {"release": release})
    if has_control(release) or release.strip().startswith("-"):
        with pytest.raises(UsageError, match=r"mistake|valid YAML") as caught:
            parse_site(text)
        assert "release" in caught.value.evidence
    else:
        assert parse_site(text).release.strip() == release.strip()
