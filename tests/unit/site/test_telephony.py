"""Trunks, routes, incoming numbers and queues in site.yml: what is refused, where, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.loader import load_site, parse_site
from ucontact_appliance.site.telephony import Telephony
from ucontact_appliance.site.trunks import Dtmf, Fax, Trunk

SITE: dict[str, Any] = {
    "site": "demo",
    "fqdn": "contact.example.com",
    "agents": 10,
    "hosts": [{"name": "one", "address": "192.0.2.10"}],
}
TELEPHONY: dict[str, Any] = {
    "country": "UY",
    "time_zone": "America/Montevideo",
    "extensions": ["6001", "6002", "6099"],
    "trunks": [
        {"name": "a", "host": "192.0.2.50", "prefix": "7", "max_calls": 30},
        {"name": "b", "host": "192.0.2.51", "prefix": "8", "number_format": "e164"},
    ],
    "routes": [{"name": "all", "prefix": "0", "trunks": [{"trunk": "a"}, {"trunk": "b"}]}],
    "inbound": [
        {
            "number": "+59824001234",
            "to": {"queue": "sales"},
            "hours": "office",
            "closed": {"announcement": "closed"},
        },
        {"number": "+5982400XXXX", "to": {"extension": "6001"}},
    ],
    "hours": [
        {"name": "office", "open": ["mon-fri 09:00-18:00"], "closed_on": ["2026-12-25", "01-01"]}
    ],
    "announcements": [{"name": "closed", "file": "closed.wav"}],
    "queues": [{"name": "sales", "number": "800", "agents": ["6001", "6002"]}],
    "pause_reasons": [{"code": "1", "name": "lunch"}],
    "supervisors": ["6099"],
}


def text(**changes: Any) -> str:
    return yaml.safe_dump(SITE | {"telephony": TELEPHONY | changes}, sort_keys=False)


def parsed(**changes: Any) -> Telephony:
    return parse_site(text(**changes)).telephony


def refusal(**changes: Any) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(**changes)
    return caught.value.evidence


def test_a_complete_section_is_read() -> None:
    found = parsed()
    assert found.routes[0].trunks[0].priority == 1
    assert found.inbound[0].to.kind == "queue"
    assert found.inbound[1].to.target == "6001"


def test_a_number_may_go_to_a_gateway_and_fax_be_off_without_quotes() -> None:
    gateway = "{name: fxs, host: 192.0.2.52, prefix: '9', model: dinstar, fax: off, dtmf: info}"
    number = [{"number": "+59824001299", "to": {"gateway": "fxs"}}]
    plain = text(inbound=number).replace("  trunks:", f"  trunks:\n  - {gateway}", 1)
    found = parse_site(plain).telephony
    assert (found.trunks[0].fax, found.trunks[0].dtmf) == (Fax.OFF, Dtmf.INFO)
    assert (found.inbound[0].to.kind, found.inbound[0].to.target) == ("gateway", "fxs")


def test_a_recording_is_looked_for_beside_the_site_file(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(text(), encoding="utf-8")
    found = load_site(tmp_path / "site.yml").telephony
    assert found.announcements[0].file == tmp_path / "closed.wav"


def test_a_day_without_quotes_is_a_day() -> None:
    plain = text().replace("'2026-12-25'", "2026-12-25")
    assert parse_site(plain).telephony.hours[0].closed_on[0] == "2026-12-25"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"trunks": [{"name": "a", "host": "192.0.2.50", "model": "cisco"}]},
            "telephony.trunks[0].model: must be one of: 'provider', 'dinstar', 'khomp', 'gateway'",
        ),
        (
            {"trunks": [{"name": "a", "host": "192.0.2.50", "fax": "t38", "srtp": True}]},
            "telephony.trunks[0].fax: T.38 has no encryption",
        ),
        (
            {"trunks": [{"name": "a", "transport": "wss", "username": "x", "fax": "t38"}]},
            "telephony.trunks[0].fax: T.38 has no encryption",
        ),
        (
            {
                "trunks": [
                    {"name": "a", "host": "192.0.2.50", "dtmf": "inband"}
                    | {"codecs": ["opus", "alaw"]}
                ]
            },
            "telephony.trunks[0].dtmf: needs 'codecs' with alaw and ulaw only",
        ),
        (
            {
                "trunks": [
                    {"name": "a", "host": "192.0.2.50", "fax": "pass-through", "codecs": ["opus"]}
                ]
            },
            "telephony.trunks[0].fax: needs 'codecs' with alaw and ulaw only",
        ),
        (
            {"inbound": [{"number": "+59824001234", "to": {"gateway": "a"}}]},
            "inbound[0].to.gateway: there is no trunk with the model of a gateway 'a'; none is",
        ),
        (
            {
                "queues": [
                    {"name": "sales", "number": "800", "agents": ["6001"]}
                    | {"overflow": {"gateway": "a"}}
                ]
            },
            "telephony.queues[0].overflow: a queue can't overflow to a gateway",
        ),
        ({"country": "XX"}, "telephony.country: 'XX' is no country code"),
        ({"country": None}, "telephony.trunks[1].number_format: 'e164' needs 'country'"),
        ({"time_zone": "Montevideo"}, "telephony.time_zone: 'Montevideo' is no time zone"),
        ({"queues": []}, "telephony.inbound[0].to.queue: there is no queue 'sales'; none is"),
        ({"hours": []}, "telephony.inbound[0].hours: there is no opening hours 'office'"),
        (
            {"announcements": []},
            "inbound[0].closed.announcement: there is no announcement 'closed'",
        ),
        ({"extensions": ["6001", "6099"]}, "queues[0].agents[1]: there is no extension '6002'"),
        ({"supervisors": ["6003"]}, "telephony.supervisors[0]: there is no extension '6003'"),
        (
            {"emergency": {"trunks": ["c"]}},
            "telephony.emergency.trunks[0]: there is no trunk 'c'; defined are a, b",
        ),
        (
            {"emergency": {"numbers": ["911", "911"]}},
            "emergency.numbers[1]: '911' occurs twice",
        ),
        (
            {"routes": [{"name": "all", "prefix": "7", "trunks": [{"trunk": "a"}]}]},
            "telephony.routes[0].prefix: '7' is already the prefix of 'a'",
        ),
        (
            {
                "routes": [
                    {"name": "all", "prefix": "0", "trunks": [{"trunk": "a"}, {"trunk": "a"}]}
                ]
            },
            "telephony.routes[0].trunks[1].trunk: 'a' occurs twice",
        ),
        (
            {"queues": [{"name": "sales", "number": "6001", "agents": ["6001"]}]},
            "telephony.queues[0].number: '6001' is taken already",
        ),
        (
            {"queues": [{"name": "sales", "number": "911", "agents": ["6001"]}]},
            "telephony.queues[0].number: '911' is an emergency number",
        ),
        (
            {"inbound": [{"number": "+59824001234", "to": {}}]},
            "telephony.inbound[0].to: write one of 'extension', 'queue', 'announcement' and",
        ),
        (
            {"inbound": [{"number": "1234", "to": {"queue": "sales"}, "hours": "office"}]},
            "telephony.inbound[0]: 'hours' and 'closed' go together",
        ),
        (
            {"queues": [{"name": "sales", "number": "800", "agents": []}]},
            "telephony.queues[0].agents: too few entries; at least 1",
        ),
        (
            {"queues": [{"name": "sales", "number": "800", "agents": ["6001"], "weight": -1}]},
            "telephony.queues[0].weight: must be at least 0 (it is -1)",
        ),
        ({"prompts": "pt"}, "telephony.prompts: must be one of: 'en', 'es' (it is 'pt')"),
        (
            {"hours": [{"name": "office", "open": ["mon-fri 9-18"]}]},
            "telephony.hours[0].open[0]: 'mon-fri 9-18': write days and hours such as",
        ),
        (
            {"hours": [{"name": "office", "open": ["mon 18:00-09:00"]}]},
            "telephony.hours[0].open[0]: 'mon 18:00-09:00': ends before it begins",
        ),
        (
            {"hours": [{"name": "office", "open": ["mon 09:00-18:00"], "closed_on": ["02-30"]}]},
            "telephony.hours[0].closed_on[0]: '02-30' is no day",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], told: str) -> None:
    assert told in refusal(**changes)


WEBRTC: dict[str, Any] = {"name": "c", "transport": "wss", "username": "sbc", "prefix": "5"}


def with_trunk(**keys: Any) -> list[dict[str, Any]]:
    row = {key: value for key, value in (WEBRTC | keys).items() if value is not None}
    return [*TELEPHONY["trunks"], row]


def test_a_provider_that_connects_needs_no_host() -> None:
    found = parsed(trunks=with_trunk(number_format="e164", max_calls=2, codecs=["opus"]))
    assert (found.trunks[2].endpoint, found.trunks[2].host) == ("sbc", None)
    assert [one.endpoint for one in found.trunks[:2]] == ["trunk-a", "trunk-b"]
    again = found.trunks[2].model_dump(mode="json")
    assert Trunk.model_validate(again) == found.trunks[2]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"host": "192.0.2.52"}, "trunks[2].host: transport 'wss' takes no 'host'"),
        ({"port": 5061}, "trunks[2].port: transport 'wss' takes no 'port'"),
        ({"register": True}, "trunks[2].register: transport 'wss' takes no 'register'"),
        ({"srtp": True}, "trunks[2].srtp: transport 'wss' takes no 'srtp'"),
        ({"username": None}, "transport 'wss' needs 'username'"),
        ({"username": "6001"}, "username: '6001' is already the account of '6001'"),
        ({"username": "trunk-a"}, "username: 'trunk-a' is a reserved name"),
        ({"username": "Global"}, "username: 'Global' is a reserved name"),
        ({"username": "a+b"}, "trunks[2].username: 'a+b': the account of a wss trunk"),
        ({"username": "x" * 33}, "1 to 32 letters"),
        ({"transport": "udp"}, "trunks[2].host: is missing"),
    ],
)
def test_keys_that_do_not_fit_a_provider_that_connects(keys: dict[str, Any], told: str) -> None:
    evidence = refusal(trunks=with_trunk(**keys))
    assert told in evidence
    assert evidence.startswith("line ")


def test_two_providers_that_connect_have_two_accounts() -> None:
    second = WEBRTC | {"name": "d", "prefix": "6"}
    evidence = refusal(trunks=[*with_trunk(), second])
    assert "trunks[3].username: 'sbc' is already the account of 'c'" in evidence


def test_a_trunk_does_not_lead_back_to_the_site() -> None:
    told = refusal(trunks=[{"name": "a", "host": "192.0.2.10", "prefix": "7"}], routes=[])
    assert "telephony.trunks" in told
    assert "192.0.2.10 is this site's server one" in told
