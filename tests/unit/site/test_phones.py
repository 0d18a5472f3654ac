"""Hardphones in site.yml: what is refused, where, and why."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.secrets import (
    Secrets,
    playbook_secrets,
    required_names,
    with_generated,
)
from ucontact_appliance.site.telephony import Telephony

SITE: dict[str, Any] = {
    "site": "demo",
    "fqdn": "contact.example.com",
    "agents": 10,
    "hosts": [{"name": "one", "address": "192.0.2.10"}],
}
PHONE = {"mac": "80:5e:c0:11:22:33", "model": "yealink", "extension": "6003"}
OTHER = {"mac": "c0:74:ad:11:22:33", "model": "grandstream", "extension": "6004"}


def text(*phones: dict[str, Any]) -> str:
    telephony = {"extensions": ["6001", "6003", "6004"], "phones": list(phones)}
    return yaml.safe_dump(SITE | {"telephony": telephony}, sort_keys=False)


def parsed(*phones: dict[str, Any]) -> Telephony:
    return parse_site(text(*phones)).telephony


def refusal(written: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_site(written)
    return caught.value.evidence


@pytest.mark.parametrize(
    "mac", ["80:5e:c0:11:22:33", "80-5E-C0-11-22-33", "805EC0112233", "805ec0112233"]
)
def test_a_mac_is_normalised(mac: str) -> None:
    (phone,) = parsed(PHONE | {"mac": mac}).phones
    assert phone.mac == "805ec0112233"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("yealink", "805ec0112233.cfg"),
        ("grandstream", "cfg805ec0112233.xml"),
        ("polycom", "805ec0112233.cfg"),
        ("fanvil", "805ec0112233.cfg"),
    ],
)
def test_each_makers_file_has_its_name(model: str, name: str) -> None:
    (phone,) = parsed(PHONE | {"model": model}).phones
    assert phone.file_name == name


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mac": "80:5e:c0:11:22"}, ".mac: '80:5e:c0:11:22' is not a MAC address"),
        ({"mac": "80:5e-c0:11:22:33"}, "is not a MAC address"),
        ({"mac": "805ec011223g"}, "is not a MAC address"),
        ({"mac": "01:00:5e:11:22:33"}, "is not the MAC address of one device"),
        ({"mac": "000000000000"}, "is not the MAC address of one device"),
        ({"model": "snom"}, ".model: must be one of: 'yealink'"),
        ({"extension": "6009"}, ".extension: there is no extension '6009'"),
        ({"extension": 6003}, ".extension: write the digits in quotes"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_line(change: dict[str, Any], told: str) -> None:
    message = refusal(text(PHONE | change))
    key = next(iter(change))
    line = next(i for i, row in enumerate(text(PHONE | change).splitlines(), 1) if f"{key}:" in row and i > 8)  # fmt: skip # noqa: E501
    assert message.startswith(f"line {line}: telephony.phones[0].{key}: ")
    assert told in message


@pytest.mark.parametrize("mac", ["112233445566", "11:22:33:44:55:06"])
def test_a_mac_that_yaml_reads_as_a_number_is_told(mac: str) -> None:
    written = text(PHONE).replace("80:5e:c0:11:22:33", mac)
    assert "write the MAC address in quotes" in refusal(written)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mac": "805EC0112233"}, "telephony.phones[1].mac: '805ec0112233' occurs twice"),
        ({"extension": "6003"}, "telephony.phones[1].extension: '6003' occurs twice"),
    ],
)
def test_phones_and_their_extensions_are_unique(change: dict[str, Any], told: str) -> None:
    assert told in refusal(text(PHONE, OTHER | change))


def test_one_extension_stays_without_a_phone() -> None:
    third = {"mac": "64167f112233", "model": "polycom", "extension": "6001"}
    assert "telephony.phones[2].extension: every extension has a phone" in refusal(
        text(PHONE, OTHER, third)
    )
    assert parsed(PHONE, OTHER).softphones == ("6001",)


def test_each_phone_has_a_secret_and_its_file_the_extensions_too() -> None:
    site = parse_site(text(PHONE))
    name = "telephony.phones.805ec0112233"
    assert name in required_names(site)
    secrets = Secrets(with_generated(site, {"telephony.extensions.6003": "of the extension"}))
    made = playbook_secrets(site, secrets)["phones"]
    assert made == {"805ec0112233": {"password": secrets[name], "sip": "of the extension"}}
