"""The firewall role's filters: networks as nftables matches, and whom they leave out."""

from __future__ import annotations

import importlib.util
import ipaddress
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.resources import ROLES


def _load() -> ModuleType:
    path = ROLES / "firewall/filter_plugins/firewall_rules.py"
    spec = importlib.util.spec_from_file_location("firewall_rules", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RULES = _load()


@pytest.mark.parametrize(
    ("sources", "matches"),
    [
        ([], []),
        (["0.0.0.0/0"], ["meta nfproto ipv4 "]),
        (["::/0"], ["meta nfproto ipv6 "]),
        (["0.0.0.0/0", "::/0"], [""]),
        (["10.0.0.0/8", "10.2.0.0/16"], ["ip saddr { 10.0.0.0/8 } "]),
        (["192.0.2.0/25", "192.0.2.128/25"], ["ip saddr { 192.0.2.0/24 } "]),
        (
            ["192.0.2.1/32", "2001:db8::/32"],
            ["ip saddr { 192.0.2.1/32 } ", "ip6 saddr { 2001:db8::/32 } "],
        ),
    ],
)
def test_matches(sources: list[str], matches: list[str]) -> None:
    assert RULES.firewall_matches(sources) == matches


NETWORKS = st.builds(
    lambda address, prefix: str(ipaddress.ip_network((int(address), prefix), strict=False)),
    st.ip_addresses(v=4),
    st.integers(1, 32),
)


@given(st.lists(NETWORKS, min_size=1), st.ip_addresses(v=4))
def test_a_match_means_its_sources(sources: list[str], address: ipaddress.IPv4Address) -> None:
    (match,) = RULES.firewall_matches(sources)
    in_sources = any(address in ipaddress.ip_network(source) for source in sources)
    if match.startswith("meta"):
        assert in_sources
        return
    merged = [ipaddress.ip_network(n) for n in match.split("{ ")[1].rstrip(" }").split(", ")]
    assert any(address in network for network in merged) == in_sources
    assert not any(a.overlaps(b) for a in merged for b in merged if a is not b)


def port(number: str, *sources: str, protocol: str = "tcp") -> dict[str, Any]:
    return {"id": "x", "protocol": protocol, "port": number, "sources": list(sources)}


@pytest.mark.parametrize(
    ("sessions", "ports", "uncovered"),
    [
        (["192.0.2.9 22"], [port("22", "0.0.0.0/0")], []),
        (["192.0.2.9 22"], [port("22", "10.0.0.0/8")], ["192.0.2.9 22"]),
        (["192.0.2.9 22"], [port("22", "0.0.0.0/0", protocol="udp")], ["192.0.2.9 22"]),
        (["192.0.2.9 2222"], [port("20-30", "0.0.0.0/0")], ["192.0.2.9 2222"]),
        (["192.0.2.9 2222"], [], ["192.0.2.9 22", "192.0.2.9 2222"]),
        (["2001:db8::9 22"], [port("22", "0.0.0.0/0")], ["2001:db8::9 22"]),
        (["127.0.0.1 22", "::1 22"], [], []),
        ([], [], []),
    ],
)
def test_sessions_that_the_registry_leaves_out(
    sessions: list[str], ports: list[dict[str, Any]], uncovered: list[str]
) -> None:
    assert RULES.firewall_uncovered(sessions, ports, 22) == uncovered
