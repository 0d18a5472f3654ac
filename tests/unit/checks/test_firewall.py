"""Verdicts on what a firewall opens and lets through; loading is tested on machines."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ucontact_appliance.checks.firewall import (
    _IP_ITSELF,
    judge_limits,
    judge_loaded,
    judge_reach,
    judge_rules,
)
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.firewall import (
    PortProbe,
    PortState,
    parse_firewall,
    parse_input,
    parse_source_limits,
)
from ucontact_appliance.planning.ports import OpenPort
from ucontact_appliance.resources import ROLES

SSH = OpenPort("ssh", "tcp", "22", ("10.0.0.0/8",), "administration")
HTTPS = OpenPort("https", "tcp", "443", ("0.0.0.0/0",), "portal")
RTP = OpenPort("rtp", "udp", "10000-10800", ("192.0.2.0/24",), "media")
AMI = OpenPort("ami", "tcp", "5038", (), "manager")
REGISTRY = (SSH, HTTPS, RTP, AMI)
HEAD = """\
#!/usr/sbin/nft -f
add table inet ucontact
delete table inet ucontact

table inet ucontact {
  chain input {
    type filter hook input priority 0; policy drop;

    ct state established,related accept
    iif "lo" accept
    ct state invalid drop

    ip protocol icmp icmp type echo-request limit rate 50/second accept
"""
TAIL = """\
    # what is left: accept nothing
    limit rate 5/second log prefix "not accepted: "
  }

  chain marks {
    type filter hook output priority -150; policy accept;
    tcp sport 8089 ip dscp set cs3
  }
}
"""
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
    disk = f"{HEAD}{disk}{TAIL}" if disk else ""
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
        (output(kernel=TABLE + "x"), "the loaded rules differ from the file"),
        ("", "/etc/nftables.d/ucontact.nft is missing"),
    ],
)
def test_what_is_not_loaded_as_it_should(text: str, observed: str) -> None:
    judgement = judge_loaded(parse_firewall(text))
    assert (judgement.verdict, judgement.observed) == (Verdict.FAIL, observed)


def test_a_port_that_is_shut() -> None:
    disk = DISK.replace("    meta nfproto ipv4 tcp dport 443 accept\n", "")
    judgement = judge_rules(parse_firewall(output(disk)), REGISTRY)
    assert (judgement.verdict, judgement.observed) == (Verdict.FAIL, "closed: tcp/443 (portal)")


def judged(disk: str, *registry: OpenPort) -> tuple[Verdict, str]:
    judgement = judge_rules(parse_firewall(output(disk)), registry or REGISTRY)
    return judgement.verdict, judgement.observed


@pytest.mark.parametrize(
    ("line", "other", "observed"),
    [
        (
            "ip saddr { 10.0.0.0/8 } tcp dport 22",
            "meta nfproto ipv4 tcp dport 22",
            "tcp/22 is open to 0.0.0.0/0, not to 10.0.0.0/8",
        ),
        (
            "ip saddr { 192.0.2.0/24 } udp dport",
            "ip saddr { 192.0.2.0/25 } udp dport",
            "udp/10000-10800 is open to 192.0.2.0/25, not to 192.0.2.0/24",
        ),
        (
            "meta nfproto ipv4 tcp dport 443",
            "tcp dport 443",
            "tcp/443 is open to 0.0.0.0/0, ::/0, not to 0.0.0.0/0",
        ),
        (
            "meta nfproto ipv4 tcp dport 443",
            "ip saddr 192.0.2.7 tcp dport 443",
            "tcp/443 is open to 192.0.2.7/32, not to 0.0.0.0/0",
        ),
    ],
)
def test_a_port_that_is_open_to_others_than_planned(line: str, other: str, observed: str) -> None:
    assert line in DISK
    assert judged(DISK.replace(line, other)) == (Verdict.FAIL, observed)


def test_networks_are_compared_by_what_they_mean() -> None:
    disk = "ip saddr { 192.0.2.0/25, 192.0.2.128/25 } tcp dport 443 accept\n"
    halves = OpenPort("https", "tcp", "443", ("192.0.2.0/24", "192.0.2.7/32"), "portal")
    assert judged(disk, halves)[0] is Verdict.PASS
    both = OpenPort("https", "tcp", "443", ("0.0.0.0/0", "::/0"), "portal")
    assert judged("tcp dport 443 accept\n", both)[0] is Verdict.PASS
    assert judged("meta nfproto ipv4 tcp dport 443 accept\n", both)[0] is Verdict.FAIL


def test_the_installers_own_way_in_is_kept_and_told() -> None:
    assert judged(DISK) == (
        Verdict.PASS,
        "3 registry entries open; ssh is kept open for 192.0.2.9/32",
    )


@pytest.mark.parametrize(
    "rule",
    [
        "accept",
        "ip saddr 203.0.113.0/24 accept",
        'iif "eth0" accept',
        "counter accept",
        "tcp dport { 22, 99 } accept",
        'tcp dport 99 counter accept comment "no drop"',
        "meta mark 7 tcp dport 443 accept",
        "ip saddr @friends tcp dport 443 accept",
        "ip saddr != { 10.0.0.0/8 } tcp dport 22 accept",
        "jump friends",
        "tcp dport vmap { 99 : accept }",
        'include "/etc/nftables.d/more"',
    ],
)
def test_a_rule_that_is_not_ours(rule: str) -> None:
    verdict, observed = judged(f"{DISK}    {rule}\n")
    assert (verdict, observed) == (Verdict.FAIL, f"rule not from the appliance: {rule}")


def test_a_rule_that_is_added_outside_of_the_chain() -> None:
    added = "add rule inet ucontact input tcp dport 99 accept"
    found = parse_firewall(output().replace("=== wanted", f"{added}\n=== wanted"))
    assert judge_rules(found, REGISTRY).observed == f"rule not from the appliance: {added}"


@pytest.mark.parametrize("policy", ["", "policy accept;"])
def test_what_no_rule_is_about_must_be_dropped(policy: str) -> None:
    found = parse_firewall(output().replace("policy drop;", policy))
    judgement = judge_rules(found, REGISTRY)
    assert judgement.verdict is Verdict.FAIL
    assert "policy accept" in judgement.observed


def test_the_rules_of_every_host_are_those_of_the_role() -> None:
    template = (ROLES / "firewall/templates/etc/nftables.d/ucontact.nft.j2").read_text()
    fixed = "\n".join(line for line in template.splitlines() if "{{" not in line)
    plain = re.sub(r"\{%.*?%\}|\{#.*?#\}", "", fixed)
    assert set(parse_input(plain).rules) == _IP_ITSELF
    assert parse_input(plain).policy == "drop"


@pytest.mark.parametrize("extra", ["tcp dport 3306 accept", "udp dport 1-65535 accept"])
def test_a_port_that_nobody_planned(extra: str) -> None:
    judgement = judge_rules(parse_firewall(output(f"{DISK}    {extra}\n")), REGISTRY)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.observed.startswith("open but not in the registry")


def test_loopback_rows_must_not_be_opened() -> None:
    disk = f"{DISK}    tcp dport 5038 accept\n"
    assert judge_rules(parse_firewall(output(disk)), REGISTRY).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("https", "ami", "verdict"),
    [
        (PortState.OPEN, PortState.FILTERED, Verdict.PASS),
        (PortState.CLOSED, PortState.FILTERED, Verdict.PASS),
        (PortState.FILTERED, PortState.FILTERED, Verdict.FAIL),
        (PortState.OPEN, PortState.OPEN, Verdict.FAIL),
    ],
)
def test_what_connections_from_here_meet(
    https: PortState, ami: PortState, verdict: Verdict
) -> None:
    answers = (PortProbe(443, https), PortProbe(5038, ami))
    assert judge_reach(REGISTRY, answers, "192.0.2.9").verdict is verdict


def test_whoever_is_banned_can_not_judge_what_is_silent() -> None:
    def verdict(https: PortState, ami: PortState) -> Verdict:
        answers = (PortProbe(443, https), PortProbe(5038, ami))
        return judge_reach(REGISTRY, answers, "192.0.2.9", banned=True).verdict

    assert verdict(PortState.FILTERED, PortState.FILTERED) is Verdict.SKIP
    assert verdict(PortState.OPEN, PortState.FILTERED) is Verdict.PASS
    assert verdict(PortState.FILTERED, PortState.OPEN) is Verdict.FAIL


def test_a_port_that_is_not_for_us_may_be_silent() -> None:
    answers = (PortProbe(22, PortState.FILTERED), PortProbe(443, PortState.OPEN))
    assert judge_reach(REGISTRY, answers, "192.0.2.9").verdict is Verdict.PASS
    assert judge_reach(REGISTRY, answers, "10.1.2.3").verdict is Verdict.FAIL


def test_limits_per_source() -> None:
    limited = replace(HTTPS, connections_per_source=400)
    rules = """
    tcp dport 443 meta nfproto ipv4 add @https-ip { ip saddr ct count over 400 } reject
    tcp dport 443 meta nfproto ipv6 add @https-ip6 { ip6 saddr ct count over 400 } reject
    """
    good = parse_source_limits(True, rules)
    assert judge_limits(good, (SSH, limited)).verdict is Verdict.PASS
    assert judge_limits(replace(good, loaded=False), (limited,)).verdict is Verdict.FAIL
    stricter = replace(limited, connections_per_source=300)
    assert judge_limits(good, (stricter,)).verdict is Verdict.FAIL
    assert judge_limits(good, (limited, replace(limited, port="80"))).verdict is Verdict.FAIL
    assert judge_limits(replace(good, ports={}), (limited,)).verdict is Verdict.WARN
