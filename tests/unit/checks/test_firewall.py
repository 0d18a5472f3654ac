"""Verdicts on what a firewall opens and lets through; loading is tested on machines."""

from __future__ import annotations

import pytest

from ucontact_appliance.checks.firewall import judge_loaded, judge_reach, judge_rules
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.firewall import Door, Knock, parse_firewall
from ucontact_appliance.planning.ports import OpenPort

SSH = OpenPort("ssh", "tcp", "22", ("10.0.0.0/8",), "administration")
HTTPS = OpenPort("https", "tcp", "443", ("0.0.0.0/0",), "portal")
RTP = OpenPort("rtp", "udp", "10000-10800", ("192.0.2.0/24",), "media")
AMI = OpenPort("ami", "tcp", "5038", (), "manager")
REGISTRY = (SSH, HTTPS, RTP, AMI)
DISK = """\
    meta nfproto ipv4 udp sport 67 udp dport 68 accept
    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
    ip saddr 192.0.2.9 tcp dport 22 accept
    ip saddr { 10.0.0.0/8 } tcp dport 22 accept
    meta nfproto ipv4 tcp dport 443 accept
    ip saddr { 192.0.2.0/24 } udp dport 10000-10800 accept
"""
TABLE = "table inet ucontact {\n}"


def output(disk: str = DISK, wanted: str = TABLE, kernel: str = TABLE) -> str:
    return f"=== disk\n{disk}=== wanted\n{wanted}\n=== kernel\n{kernel}\n=== enabled\nenabled\n"


def test_a_sound_firewall() -> None:
    found = parse_firewall(output())
    assert judge_loaded(found).verdict is Verdict.PASS
    assert judge_rules(found, REGISTRY).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("text", "observed"),
    [
        (output(disk=""), "/etc/nftables.d/ucontact.nft is missing"),
        (output(kernel="Error: No such file"), "the table is not loaded: every port is open"),
        (output(kernel=TABLE + "x"), "the kernel's rules are not the file's"),
        ("", "/etc/nftables.d/ucontact.nft is missing"),
    ],
)
def test_what_is_not_loaded_as_it_should(text: str, observed: str) -> None:
    judgement = judge_loaded(parse_firewall(text))
    assert (judgement.verdict, judgement.observed) == (Verdict.FAIL, observed)


def test_a_port_that_is_shut() -> None:
    disk = DISK.replace("    meta nfproto ipv4 tcp dport 443 accept\n", "")
    judgement = judge_rules(parse_firewall(output(disk)), REGISTRY)
    assert (judgement.verdict, judgement.observed) == (Verdict.FAIL, "shut: tcp/443 (portal)")


@pytest.mark.parametrize("extra", ["tcp dport 3306 accept", "udp dport 1-65535 accept"])
def test_a_port_that_nobody_planned(extra: str) -> None:
    judgement = judge_rules(parse_firewall(output(f"{DISK}    {extra}\n")), REGISTRY)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.observed.startswith("open without a row in the registry")


def test_loopback_rows_must_not_be_opened() -> None:
    disk = f"{DISK}    tcp dport 5038 accept\n"
    assert judge_rules(parse_firewall(output(disk)), REGISTRY).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("https", "ami", "verdict"),
    [
        (Door.OPEN, Door.FILTERED, Verdict.PASS),
        (Door.CLOSED, Door.FILTERED, Verdict.PASS),
        (Door.FILTERED, Door.FILTERED, Verdict.FAIL),
        (Door.OPEN, Door.OPEN, Verdict.FAIL),
    ],
)
def test_what_connections_from_here_meet(https: Door, ami: Door, verdict: Verdict) -> None:
    answers = (Knock(443, https), Knock(5038, ami))
    assert judge_reach(REGISTRY, answers, "192.0.2.9").verdict is verdict


def test_a_port_that_is_not_for_us_may_be_silent() -> None:
    answers = (Knock(22, Door.FILTERED), Knock(443, Door.OPEN))
    assert judge_reach(REGISTRY, answers, "192.0.2.9").verdict is Verdict.PASS
    assert judge_reach(REGISTRY, answers, "10.1.2.3").verdict is Verdict.FAIL
