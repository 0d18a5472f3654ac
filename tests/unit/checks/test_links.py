"""How a host stands in its network, judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ucontact_appliance.checks import links as checks
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.links import Interface, Links, parse_links
from ucontact_appliance.site.model import Host, NetworkProfile

RECORDED = """---- links
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default
2: host0@if9: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT
---- addresses
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: host0    inet 10.203.17.10/24 brd 10.203.17.255 scope global host0\\       valid_lft forever
2: host0    inet6 fe80::1/64 scope link \\       valid_lft forever preferred_lft forever
---- routes
default via 10.203.17.1 dev host0 proto static
---- resolv
nameserver 10.203.17.1
nameserver 2001:db8::53
"""
FOUND = parse_links(RECORDED)
HOST = Host(name="one", address="10.203.17.10")


def test_links_are_read() -> None:
    assert FOUND.interfaces == (
        Interface("lo", 65536, ("127.0.0.1",)),
        Interface("host0", 1500, ("10.203.17.10", "fe80::1")),
    )
    assert FOUND.name_servers == ("10.203.17.1", "2001:db8::53")
    way_out = FOUND.way_out()
    assert way_out is not None
    assert way_out.name == "host0"


@pytest.mark.parametrize(
    ("host", "profile", "verdict"),
    [
        (HOST, NetworkProfile.LAN, Verdict.PASS),
        (Host(name="one", address="192.0.2.1"), NetworkProfile.LAN, Verdict.FAIL),
        (Host(name="one", address="192.0.2.1"), NetworkProfile.NAT, Verdict.PASS),
        (Host(name="one", address="local"), NetworkProfile.LAN, Verdict.PASS),
    ],
)
def test_the_address_is_the_hosts_own(
    host: Host, profile: NetworkProfile, verdict: Verdict
) -> None:
    assert checks.judge_address(FOUND, host, profile).verdict is verdict


def test_a_route_leads_out_by_an_interface_that_is_up() -> None:
    assert checks.judge_route(FOUND).verdict is Verdict.PASS
    assert checks.judge_route(replace(FOUND, routes=())).verdict is Verdict.FAIL
    down = replace(FOUND, routes=("default via 192.0.2.1 dev eth7",))
    assert checks.judge_route(down).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ({"192.0.2.1": "answers"}, Verdict.PASS),
        ({"192.0.2.1": "answers REFUSED"}, Verdict.PASS),
        ({"192.0.2.1": "answers", "192.0.2.2": ""}, Verdict.WARN),
        ({"127.0.0.53": "answers SERVFAIL"}, Verdict.WARN),
        ({"192.0.2.1": "", "192.0.2.2": ""}, Verdict.FAIL),
        ({}, Verdict.WARN),
    ],
)
def test_name_servers_answer(answers: dict[str, str], verdict: Verdict) -> None:
    assert checks.judge_dns(answers).verdict is verdict


def test_whole_packets_pass() -> None:
    assert checks.judge_mtu(FOUND, {"10.0.0.2 1500": "passes"}).verdict is Verdict.PASS
    stuck = checks.judge_mtu(FOUND, {"10.0.0.2 1500": "message too long, mtu=1400"})
    assert (stuck.verdict, stuck.observed) == (
        Verdict.FAIL,
        "packets of 1500 bytes do not reach 10.0.0.2",
    )
    six = checks.judge_mtu(FOUND, {"2001:db8::9 1500": "message too long"})
    assert six.observed == "packets of 1500 bytes do not reach 2001:db8::9"
    small = Links((Interface("host0", 1280, ()),), FOUND.routes, (), "")
    assert checks.judge_mtu(small, {}).verdict is Verdict.WARN
    assert checks.judge_mtu(replace(FOUND, routes=()), {}).verdict is Verdict.SKIP


def test_peers_let_each_other_in() -> None:
    names = {"10.0.0.3 3306": "mysql on db"}
    assert checks.judge_peers({"10.0.0.3 3306": "open"}, names).verdict is Verdict.PASS
    shut = checks.judge_peers({"10.0.0.3 3306": "filtered"}, names)
    assert (shut.verdict, shut.observed) == (Verdict.FAIL, "mysql on db is filtered")
    assert checks.judge_peers({}, names).verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (("192.0.2.1",), Verdict.PASS),
        (("127.0.1.1",), Verdict.PASS),  # the portal's server itself installs
        (("192.0.2.9",), Verdict.FAIL),
        (("192.0.2.1", "192.0.2.9"), Verdict.WARN),
        ((), Verdict.SKIP),
        (None, Verdict.SKIP),
    ],
)
def test_the_portals_name_leads_to_it(found: tuple[str, ...] | None, verdict: Verdict) -> None:
    judged = checks.judge_name(found, "cc.example", frozenset({"192.0.2.1", "10.0.0.1"}))
    assert judged.verdict is verdict
    assert ("getent" in judged.remedy) == (verdict in (Verdict.FAIL, Verdict.WARN))
