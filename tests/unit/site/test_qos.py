"""QoS marks in site.yml: what they become, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.qos import DSCP_NAMES, Qos

SITE: dict[str, Any] = {
    "site": "demo",
    "fqdn": "contact.example.com",
    "agents": 10,
    "hosts": [{"name": "one", "address": "192.0.2.10"}],
}


def parsed(**qos: Any) -> Qos:
    return parse_site(yaml.safe_dump(SITE | {"network": {"qos": qos}}, sort_keys=False)).network.qos


def test_the_defaults_are_those_of_rfc_4594() -> None:
    found = parse_site(yaml.safe_dump(SITE)).network.qos
    marks = [(one.tos, one.cos) for one in (found.audio, found.video, found.signalling)]
    assert marks == [(46, 5), (34, 4), (24, 3)]


@pytest.mark.parametrize(
    ("written", "number"),
    [("ef", 46), ("EF", 46), ("af21", 18), ("cs0", 0), (0, 0), (63, 63), ("40", 40), ("cs7", 56)],
)
def test_a_dscp_is_a_name_or_a_number(written: object, number: int) -> None:
    assert parsed(audio={"tos": written}).audio.tos == number


def test_the_names_are_those_of_the_rfcs() -> None:
    assert len(DSCP_NAMES) == 8 + 12 + 1
    assert (DSCP_NAMES["af11"], DSCP_NAMES["af43"]) == (10, 38)


@pytest.mark.parametrize(
    ("qos", "told"),
    [
        ({"audio": {"tos": 64}}, "line 10: network.qos.audio.tos: 64 is no DSCP"),
        ({"video": {"tos": -1}}, "network.qos.video.tos: -1 is no DSCP"),
        ({"video": {"tos": "af51"}}, "network.qos.video.tos: 'af51' is no DSCP; write a name"),
        ({"audio": {"tos": True}}, "network.qos.audio.tos: True is no DSCP"),
        ({"audio": {"tos": 4.5}}, "network.qos.audio.tos: 4.5 is no DSCP"),
        ({"signalling": {"cos": 8}}, "network.qos.signalling.cos"),
        ({"signalling": {"cos": -1}}, "network.qos.signalling.cos"),
        ({"signaling": {"cos": 3}}, "did you mean 'signalling'?"),
        ({"text": {"tos": "cs2"}}, "network.qos.text.tos: text can't have a mark of its own"),
        ({"text": {"cos": 2}}, "signalling, which has cos 3"),
    ],
)
def test_what_is_no_mark_is_refused(qos: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(**qos)
    assert told in caught.value.evidence


def test_text_may_repeat_the_marks_of_signalling() -> None:
    found = parsed(signalling={"tos": "cs4", "cos": 2}, text={"tos": 32, "cos": 2})
    assert (found.text.tos, found.text.cos) == (32, 2)
