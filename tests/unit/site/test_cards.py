"""Telephony cards in site.yml: what is refused, where, and why."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.telephony import Telephony

SITE: dict[str, Any] = {
    "site": "demo",
    "fqdn": "contact.example.com",
    "agents": 10,
    "hosts": [{"name": "one", "address": "192.0.2.10"}],
}
PRI = {"signalling": "pri", "trunk": "carrier"}
R2 = {"signalling": "mfcr2", "trunk": "carrier"}
FXO = {"signalling": "fxo", "count": 4, "trunk": "lines"}
FXS = {"signalling": "fxs", "extensions": ["7001", "7002"]}
CARRIER = {"name": "carrier", "transport": "dahdi", "prefix": "8"}
LINES = {"name": "lines", "transport": "dahdi", "prefix": "7"}


def parsed(
    spans: list[dict[str, Any]] | None = None,
    ports: list[dict[str, Any]] | None = None,
    trunks: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> Telephony:
    card = {"name": "one", "model": "digium", "spans": spans or [], "ports": ports or []}
    used = {row.get("trunk") for row in [*card["spans"], *card["ports"]]}
    known = [trunk for trunk in (CARRIER, LINES) if trunk["name"] in used]
    telephony = {"trunks": known if trunks is None else trunks, "cards": [card]} | changes
    return parse_site(yaml.safe_dump(SITE | {"telephony": telephony})).telephony


def refusal(*args: Any, **changes: Any) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(*args, **changes)
    return caught.value.evidence


def test_spans_and_ports_of_a_card_are_read() -> None:
    found = parsed([PRI, R2], [FXO, FXS], country="AR")
    assert found.analogue_extensions == ("7001", "7002")
    assert [trunk.name for trunk in found.sip_trunks] == []
    assert found.trunks[0].endpoint == "trunk-carrier"


@pytest.mark.parametrize(
    ("spans", "ports", "changes", "told"),
    [
        ([], [], {}, "cards[0]: write 'spans', 'ports' or both"),
        ([PRI], [], {"trunks": []}, "spans[0].trunk: there is no trunk 'carrier' with transport"),
        (
            [PRI],
            [],
            {"trunks": [LINES]},
            "no trunk 'carrier' with transport 'dahdi'; defined are lines",
        ),
        (
            [PRI],
            [],
            {"trunks": [CARRIER, LINES]},
            "trunks[1].transport: 'lines' has no lines; name it as 'trunk' below 'cards'",
        ),
        (
            [PRI | {"channels": 10}],
            [],
            {"trunks": [CARRIER | {"max_calls": 11}]},
            "trunks[0].max_calls: 'carrier' has 10 lines",
        ),
        (
            [PRI],
            [],
            {"trunks": [CARRIER | {"host": "192.0.2.50"}]},
            "trunks[0].host: transport 'dahdi' takes no 'host'",
        ),
        (
            [PRI],
            [],
            {"trunks": [CARRIER | {"codecs": ["alaw"]}]},
            "trunks[0].codecs: transport 'dahdi' takes no 'codecs'",
        ),
        (
            [PRI],
            [],
            {"trunks": [CARRIER | {"register": True}]},
            "trunks[0].register: transport 'dahdi' takes no 'register'",
        ),
        (
            [PRI],
            [],
            {"trunks": [CARRIER | {"number_format": "e164"}], "country": "UY"},
            "trunks[0].number_format: '+' can't be dialled on a line",
        ),
        ([R2 | {"line": "t1"}], [], {}, "spans[0].line: MFC-R2 needs an e1"),
        (
            [R2],
            [],
            {"country": "CL"},
            "spans[0].mfcr2.variant: is missing; only for AR, BR, MX, UY",
        ),
        (
            [R2 | {"mfcr2": {"variant": "itu"}}],
            [],
            {"country": "CL"},
            "spans[0].mfcr2.max_ani: is missing",
        ),
        ([PRI | {"mfcr2": {"variant": "ar"}}], [], {}, "'mfcr2' goes with signalling 'mfcr2' only"),
        ([R2 | {"d_channel": 16}], [], {}, "'d_channel' goes with signalling 'pri' only"),
        (
            [PRI | {"framing": "esf"}],
            [],
            {},
            "spans[0].framing: 'esf' is not for e1; write cas, ccs",
        ),
        ([PRI | {"framing": "cas"}], [], {}, "spans[0].framing: pri on an e1 has the framing ccs"),
        ([PRI | {"coding": "b8zs"}], [], {}, "spans[0].coding: 'b8zs' is not for e1"),
        ([PRI | {"line": "t1", "crc4": True}], [], {}, "spans[0].crc4: a t1 has no CRC4"),
        ([PRI | {"line": "t1", "channels": 24}], [], {}, "a t1 has 23 voice channels"),
        ([PRI | {"line": "t1", "d_channel": 25}], [], {}, "a t1 has 24 channels"),
        ([{"signalling": "pri"}], [], {}, "spans[0].trunk: is missing"),
        (
            [PRI, {"signalling": "unused", "trunk": "carrier"}],
            [],
            {},
            "spans[1].trunk: an unused span has no trunk",
        ),
        (
            [PRI | {"timing": 1}, PRI | {"timing": 1}],
            [],
            {},
            "spans[1].timing: 1 is already the place of another span",
        ),
        ([], [FXO | {"extensions": ["7001"]}], {}, "signalling 'fxo' takes no 'extensions'"),
        ([], [FXS | {"count": 2}], {}, "signalling 'fxs' takes no 'count'"),
        ([], [{"signalling": "fxo", "trunk": "lines"}], {}, "ports[0].count: is missing"),
        ([], [FXS | {"extensions": ["6001"]}], {}, "extensions[0]: '6001' is taken already"),
        ([], [FXS, FXS], {}, "ports[1].extensions[0]: '7001' is taken already"),
        ([], [FXS | {"extensions": ["911"]}], {"country": "UY"}, "'911' is taken already"),
        ([], [FXS | {"extensions": ["7001", "7001"]}], {}, "extensions[1]: '7001' occurs twice"),
        (
            [],
            [FXO],
            {"inbound": [{"number": "1234", "to": {"extension": "6001"}}]},
            "ports[0].number: is missing: 'inbound' decides by the number",
        ),
        (
            [],
            [FXS],
            {"queues": [{"name": "q", "number": "800", "agents": ["7001"]}]},
            "queues[0].agents[0]: there is no extension '7001'; defined are 6001, 6002",
        ),
    ],
)
def test_a_contradiction_is_refused(
    spans: list[dict[str, Any]], ports: list[dict[str, Any]], changes: dict[str, Any], told: str
) -> None:
    assert told in refusal(spans, ports, **changes)


def test_a_stored_site_is_read_again() -> None:
    found = parsed([PRI, R2], [FXO, FXS, {"signalling": "unused", "count": 2}], country="AR")
    assert Telephony.model_validate(found.model_dump(mode="json", by_alias=True)) == found


def test_a_call_may_end_at_a_telephone_of_a_port() -> None:
    inbound = [{"number": "1234", "to": {"extension": "7001"}}]
    assert parsed([], [FXS], inbound=inbound).inbound[0].to.target == "7001"
