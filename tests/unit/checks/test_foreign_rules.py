"""Other packet filters: recorded listings, and what they mean for the site's ports."""

from __future__ import annotations

import time

import pytest

from tests.unit.checks.test_firewall import REGISTRY
from ucontact_appliance.checks.foreign_rules import judge_foreign
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.facts.foreign_rules import (
    Family,
    ForeignRules,
    RuleAction,
    parse_foreign,
    parse_legacy_rule,
    parse_nft,
    parse_nft_rule,
)

# nft 1.0.6, `nft -nn list ruleset`, with tables of iptables-nft 1.8.9 among them.
RULESET = """\
table inet foreign {
	set bad {
		type ipv4_addr
		elements = { 192.0.2.66 }
	}

	chain input {
		type filter hook input priority -5; policy accept;
		udp dport 10000-20000 drop
		ip saddr @bad counter packets 0 bytes 0 drop comment "tcp dport 443 drop"
	}

	chain out {
		type filter hook output priority 0; policy accept;
		tcp dport 25 reject
	}
}
table inet f2b-table {
	chain f2b-chain {
		type filter hook input priority -1; policy accept;
		tcp dport 8089 reject
	}
}
table netdev edge {
	chain in {
		type filter hook ingress device "lo" priority 0; policy accept;
	}
}
table ip nat2 {
	chain PREROUTING {
		type nat hook prerouting priority -100; policy accept;
		tcp dport 443 redirect to :8443
	}
}
table ip filter {
	chain INPUT {
		type filter hook input priority 0; policy drop;
		ct state related,established counter packets 0 bytes 0 accept
		iifname "lo" counter packets 0 bytes 0 accept
		counter packets 0 bytes 0 jump ufw-user-input
	}

	chain ufw-user-input {
		tcp dport 22 counter packets 0 bytes 0 accept
		meta l4proto 6 tcp dport { 80, 443 } counter packets 0 bytes 0 accept
	}
}
table ip raw {
	chain PREROUTING {
		type filter hook prerouting priority -300; policy accept;
		iifname != "docker0" ip daddr 172.17.0.2 counter packets 0 bytes 0 drop
	}
}
"""
# iptables-legacy-save 1.8.9, without its comments.
SAVED = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT ! -i lo -p udp -m udp --dport 10000:20000 -j DROP
-A INPUT -s 192.0.2.66/32 -p tcp -m comment --comment "x -j DROP" -j REJECT
COMMIT
"""
ADDRESS = "192.0.2.10"


def table(rules: str, *, base: str = "type filter hook input priority -5; policy accept;") -> str:
    body = "".join(f"\t\t{rule}\n" for rule in (base, *rules.splitlines()))
    return f"table inet theirs {{\n\tchain early {{\n{body}\t}}\n}}\n"


def judged(text: str) -> Judgement:
    return judge_foreign(ForeignRules(parse_nft(text)), REGISTRY, ADDRESS)


def test_what_is_recorded_is_read() -> None:
    found = parse_foreign(f"=== nftables\n{RULESET}=== iptables-legacy-save\n{SAVED}")
    named = [(one.table, one.name, one.hook, one.priority, one.policy) for one in found.chains]
    assert named == [
        ("inet foreign", "input", "input", "-5", "accept"),
        ("inet foreign", "out", "output", "0", "accept"),
        ("netdev edge", "in", "ingress", "0", "accept"),
        ("ip nat2", "PREROUTING", "prerouting", "-100", "accept"),
        ("ip filter", "INPUT", "input", "0", "drop"),
        ("ip raw", "PREROUTING", "prerouting", "-300", "accept"),
        ("ip filter", "INPUT", "input", "-", "accept"),
        ("ip filter", "FORWARD", "forward", "-", "drop"),
        ("ip filter", "OUTPUT", "output", "-", "accept"),
    ]
    assert found.unread == ()
    ufw = next(one for one in found.chains if one.policy == "drop")
    assert [rule.fate for rule in ufw.rules][-2:] == [
        RuleAction.ACCEPT,
        RuleAction.ACCEPT,
    ]  # of its jump


def test_each_that_takes_the_sites_packets_is_named_with_its_rules() -> None:
    judgement = judge_foreign(
        parse_foreign(f"=== nftables\n{RULESET}=== iptables-legacy-save\n{SAVED}"),
        REGISTRY,
        ADDRESS,
    )
    assert judgement.verdict is Verdict.FAIL
    for told in (
        "nft table inet foreign, chain input: type filter, hook input, priority -5, "
        "policy accept: udp/10000-10800: udp dport 10000-20000 drop",
        "tcp/443: tcp dport 443 redirect to :8443",
        "dropped by its policy: udp/10000-10800",
        "iptables table ip filter, chain INPUT",
        "--dport 10000:20000 -j DROP",
    ):
        assert told in judgement.observed
    for quiet in ("f2b-table", "chain out", "FORWARD", "172.17.0.2"):
        assert quiet not in judgement.observed
    assert judgement.remedy.startswith("{ssh} nft list table inet foreign  # ")


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("udp dport 10000-20000 drop", Verdict.FAIL),
        ('iifname != "lo" tcp dport { 80, 443 } reject', Verdict.FAIL),
        ("tcp dport 443 dnat ip to 192.0.2.9:443", Verdict.FAIL),
        ("counter packets 0 bytes 0 drop", Verdict.FAIL),
        ("meta l4proto 17 drop", Verdict.FAIL),
        ("ip saddr 192.0.2.66 drop", Verdict.WARN),
        ("ct state invalid drop", Verdict.WARN),
        ("tcp dport @shut drop", Verdict.WARN),
        ("tcp dport != 22 drop", Verdict.WARN),
        ('meta l4proto 6 xt match "multiport" counter drop', Verdict.WARN),
        ("tcp dport 25 drop", Verdict.PASS),
        ("udp dport 443 drop", Verdict.PASS),
        ("tcp sport 443 drop", Verdict.PASS),  # a server elsewhere
        ("icmp type 8 drop", Verdict.PASS),
        ("ip daddr 172.17.0.2 drop", Verdict.PASS),
        ('tcp dport 443 accept comment "then drop"', Verdict.PASS),
        ("tcp dport 443 counter packets 0 bytes 0", Verdict.PASS),
        ("jump nowhere", Verdict.PASS),
    ],
)
def test_a_rule_is_judged_by_the_packets_that_it_takes(rule: str, verdict: Verdict) -> None:
    assert judged(table(rule)).verdict is verdict


@pytest.mark.parametrize(
    ("base", "rules", "verdict"),
    [
        ("type filter hook input priority 0; policy drop;", "ct state 0x2,0x4 accept", "fail"),
        ("type filter hook input priority 0; policy drop;", "accept", "warn"),
        (
            "type filter hook input priority 0; policy drop;",
            "tcp dport { 22, 443 } accept\nudp dport 10000-20000 accept",
            "warn",
        ),
        ("type filter hook output priority 0; policy drop;", "", "warn"),
        ("type filter hook output priority 0; policy accept;", "tcp sport 443 drop", "fail"),
        ("type filter hook output priority 0; policy accept;", "tcp dport 443 drop", "pass"),
        ("type filter hook forward priority 0; policy drop;", "", "pass"),
        ("type nat hook postrouting priority 100; policy accept;", "masquerade", "pass"),
    ],
)
def test_a_chain_is_judged_by_its_hook_and_policy(base: str, rules: str, verdict: str) -> None:
    assert judged(table(rules, base=base)).verdict.value == verdict


def test_what_a_chain_jumps_to_is_narrowed_by_the_jump() -> None:
    text = (
        "table inet theirs {\n\tchain deep {\n\t\tudp dport 10000-20000 drop\n\t}\n"
        "\tchain early {\n\t\ttype filter hook input priority 0; policy accept;\n"
        "\t\t%sjump deep\n\t}\n}\n"
    )
    assert judged(text % "").verdict is Verdict.FAIL
    assert judged(text % "ip saddr 192.0.2.66 ").verdict is Verdict.WARN
    circle = text.replace("\tudp dport", "\tjump early\n\t\tudp dport") % ""
    assert judged(circle).verdict is Verdict.FAIL


def test_the_appliances_own_tables_are_not_foreign() -> None:
    for own in (
        "inet ucontact",
        "inet ucontact_limits",
        "inet ucontact_qos",
        "inet ucontact_sip",
        "inet f2b-table",
    ):
        assert parse_nft(table("drop").replace("inet theirs", own)) == ()


def test_names_that_a_host_chose_stay_words_of_the_remedy() -> None:
    text = table("drop").replace("inet theirs", "inet a;reboot")
    assert judged(text).remedy.startswith("{ssh} nft list table inet 'a;reboot'  # ")


def test_what_gave_no_answer_is_told() -> None:
    found = parse_foreign("=== nftables\nsh: nft: not found\n=== unread\n")
    judgement = judge_foreign(found, REGISTRY)
    assert (judgement.verdict, judgement.observed) == (Verdict.WARN, "not readable: nftables")


def test_a_host_without_another_firewall_is_well() -> None:
    assert judged("table inet ucontact {\n}\n").verdict is Verdict.PASS


def test_evidence_is_bounded() -> None:
    judgement = judged(table("\n".join(f"ip saddr 192.0.2.{n} drop" for n in range(200))))
    assert len(judgement.evidence.splitlines()) <= 12
    assert len(judgement.observed) < 2000


@pytest.mark.parametrize(
    ("text", "fate", "family", "ports", "some"),
    [
        (
            "-A INPUT -p tcp -m tcp --dport 443 -j DROP",
            RuleAction.DROP,
            Family.TCP,
            ((443, 443),),
            False,
        ),
        (
            "-A INPUT -p udp -m multiport --dports 3478,10000:20000 -j REJECT",
            RuleAction.DROP,
            Family.UDP,
            ((3478, 3478), (10000, 20000)),
            False,
        ),
        ("-A INPUT -s 192.0.2.66/32 -j DROP", RuleAction.DROP, Family.ANY, (), True),
        ("-A INPUT -p tcp -m tcp ! --dport 22 -j DROP", RuleAction.DROP, Family.TCP, (), True),
        ('-A INPUT -m comment --comment "a -s b" -j f2b', RuleAction.AIM, Family.ANY, (), False),
        (
            "-A PREROUTING -p tcp --dport 443 -j REDIRECT",
            RuleAction.REDIRECT,
            Family.TCP,
            ((443, 443),),
            0,
        ),
        ("-A INPUT -p icmp -j DROP", RuleAction.DROP, Family.OTHER, (), False),
        ("-A INPUT -g other", RuleAction.AIM, Family.ANY, (), False),
    ],
)
def test_a_rule_of_iptables_is_read(
    text: str, fate: RuleAction, family: Family, ports: object, some: bool
) -> None:
    rule = parse_legacy_rule(text)
    assert (rule.fate, rule.family, rule.ports, rule.some) == (fate, family, ports, bool(some))


def test_a_rule_with_a_set_of_protocols_is_about_all_of_them() -> None:
    assert parse_nft_rule("meta l4proto { 6, 17 } th dport 53 drop").family is Family.ANY


def test_a_rule_of_megabytes_is_read_by_its_ends_and_shown_short() -> None:
    started = time.monotonic()
    judgement = judged(table("udp dport { " + "tcp dport { 10000, " * 200_000 + "} drop"))
    assert time.monotonic() - started < 2
    assert judgement.verdict is Verdict.WARN  # its ports are not told
    assert len(judgement.observed) + len(judgement.evidence) < 2000
