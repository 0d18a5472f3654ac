"""Whether COS leaves the telephony server: VLAN interfaces, and their egress maps."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.vlan import judge_interface, judge_map
from ucontact_appliance.facts.vlan import VlanLink, parse_vlan_links
from ucontact_appliance.site.qos import Qos

# `ip -d -o link show`, as iproute2 prints it (ip/iplink_vlan.c).
RECORDED = (
    "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group "
    "default qlen 1000\\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0\n"
    "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP mode DEFAULT group "
    "default qlen 1000\\    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff promiscuity 0\n"
    "3: eth0.100@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode "
    "DEFAULT group default qlen 1000\\    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff "
    "promiscuity 0\\    vlan protocol 802.1Q id 100 <REORDER_HDR> \\      egress-qos-map { 3:3 4:4 "
    "5:5 } addrgenmode eui64 numtxqueues 1 numrxqueues 1\n"
    "4: voice@eth0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN mode DEFAULT group "
    "qlen 1000\\    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff promiscuity 0\\    vlan "
    "protocol 802.1Q id 200 <REORDER_HDR> \\      egress-qos-map { 5:3 } addrgenmode eui64\n"
)
FOUND = parse_vlan_links(RECORDED)


def test_interfaces_are_read() -> None:
    assert FOUND.links == (
        VlanLink("lo"),
        VlanLink("eth0"),
        VlanLink("eth0.100", 100, {3: 3, 4: 4, 5: 5}),
        VlanLink("voice", 200, {5: 3}),
    )
    assert parse_vlan_links("").links == ()


@pytest.mark.parametrize(
    ("interface", "verdict", "observed"),
    [
        ("eth0.100", Verdict.PASS, "eth0.100 is VLAN 100"),
        (
            "eth1.7",
            Verdict.FAIL,
            "there is no interface eth1.7; the server has eth0, eth0.100, voice",
        ),
        ("eth0", Verdict.FAIL, "eth0 is no VLAN interface; VLAN interfaces: eth0.100, voice"),
        (None, Verdict.SKIP, "network.vlan_interface is not set: COS does not leave the server"),
    ],
)
def test_the_interface_of_site_yml_has_to_be_a_vlan(
    interface: str | None, verdict: Verdict, observed: str
) -> None:
    judged = judge_interface(FOUND, interface)
    assert (judged.verdict, str(judged.observed)) == (verdict, observed)


@pytest.mark.parametrize(
    ("interface", "verdict", "observed"),
    [
        ("eth0.100", Verdict.PASS, "COS 3, 4, 5 are mapped"),
        ("voice", Verdict.FAIL, "COS 3, 4, 5 would leave as 0 or another value"),
        (None, Verdict.SKIP, "not verifiable: no VLAN interface is set"),
    ],
)
def test_each_cos_of_site_yml_has_to_be_mapped(
    interface: str | None, verdict: Verdict, observed: str
) -> None:
    judged = judge_map(FOUND, interface, Qos())
    assert (judged.verdict, str(judged.observed)) == (verdict, observed)


def test_a_missing_value_is_named_and_zero_needs_no_map() -> None:
    wanted = Qos.model_validate({"audio": {"tos": 46, "cos": 6}, "video": {"tos": 34, "cos": 0}})
    judged = judge_map(FOUND, "eth0.100", wanted)
    assert str(judged.observed) == "COS 6 would leave as 0 or another value"
    assert str(judged.required) == "egress map of eth0.100: 3:3 6:6"
