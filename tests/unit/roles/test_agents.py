"""The addresses and connections that agents.py writes into the limits in front of SIP."""

from __future__ import annotations

import importlib.util
import ipaddress
from types import ModuleType

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.resources import ROLES

_TRUNK = (
    "/registrar/contact/sbc.example;@0123456789abcdef0123456789abcdef: "
    '{{"uri":"sip:x@{host};transport=ws;x-ast-orig-host=a.invalid:0","endpoint":"sbc.example"}}'
)


@pytest.fixture(scope="module")
def agents() -> ModuleType:
    path = ROLES / "telephony/files/usr/local/lib/ucontact/agents.py"
    spec = importlib.util.spec_from_file_location("agents", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_agents_address_is_known_by_itself_and_behind_the_proxy(agents: ModuleType) -> None:
    found = agents.addresses(recorded("registrar_contacts-sid"))
    assert found == {ipaddress.ip_address(one) for one in ("10.203.17.1", "127.203.17.1")}


@pytest.mark.parametrize(
    ("host", "element"),
    [
        ("192.0.2.7:50123", "trunk-connections { 192.0.2.7 . 50123 }"),
        ("[2001:db8::7]:50123", "trunk-connections6 { 2001:db8::7 . 50123 }"),
    ],
)
def test_a_trunks_connection_is_named(agents: ModuleType, host: str, element: str) -> None:
    text = f"{recorded('registrar_contacts-sid')}\n{_TRUNK.format(host=host)}\n1 results found.\n"
    rules = agents.connection_rules(text, ["sbc.example"]).splitlines()
    assert rules == [
        f"{verb} element inet ucontact_sip {element}" for verb in ("add", "delete", "add")
    ]


def test_an_extension_or_a_trunk_of_another_name_gets_no_exception(agents: ModuleType) -> None:
    text = recorded("registrar_contacts-sid") + "\n" + _TRUNK.format(host="192.0.2.7:50123")
    assert agents.connection_rules(text, []) == ""
    assert agents.connection_rules(text, ["sbc"]) == ""
    assert agents.connection_rules(_TRUNK.format(host="192.0.2.7"), ["sbc.example"]) == ""
