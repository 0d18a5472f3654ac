"""The check that no other packet filter on a host drops or redirects the site's traffic.

Each base chain of a table that is not the appliance's is judged by what it can do to packets from
and to the site's own ports:

- fail: it drops, rejects or redirects all of them, by a rule, or by a policy to drop without a rule
  that accepts them;
- warn: only some of them, by their source, state, rate or interface; or it could not be read;
- pass: only other ports, other hosts' packets (hook forward), or nothing at all.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Sequence

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    warned,
)
from ucontact_appliance.facts.foreign_rules import (
    NFT,
    Family,
    FilterChain,
    ForeignRules,
    Rule,
    RuleAction,
    foreign_rules,
)
from ucontact_appliance.language.messages import _, concatenated, joined, with_note
from ucontact_appliance.planning.ports import OpenPort, ports_for

_MOST_RULES = 10  # of a chain, as evidence
_MOST_TOLD = 3
_MOST_CHAINS = 10
_MOST_PORTS = 5
_MOST_CHARACTERS = 200
_IN = frozenset({"ingress", "prerouting", "input"})
_OUT = frozenset({"output", "postrouting", "egress"})
_TAKES = frozenset({RuleAction.DROP, RuleAction.REDIRECT})
_DESTINATION = re.compile(r"(?:ip6? daddr |-d )(?P<to>[0-9A-Fa-f.:]+(?:/\d+)?)(?= |$)")


def judge_foreign(
    found: ForeignRules, registry: Sequence[OpenPort], address: str = ""
) -> Judgement:
    """Judge what other tables do to packets of the site's ports; `address` is the host's own."""
    required = _("no other firewall of the host drops or redirects the site's traffic")
    open_ports = [port for port in registry if port.sources]
    hard: list[tuple[FilterChain, str]] = []
    soft: list[tuple[FilterChain, str]] = []
    for chain in found.chains:
        all_of_them, some_of_them = _taken(chain, open_ports, address)
        if all_of_them:
            hard.append((chain, all_of_them))
        elif some_of_them:
            soft.append((chain, some_of_them))
    evidence = "\n".join(_shown(chain) for chain in found.chains[:_MOST_CHAINS])
    told = joined(
        "; ",
        (concatenated((chain.title, ": ", what)) for chain, what in [*hard, *soft][:_MOST_CHAINS]),
    )
    if hard:
        return failed(told, required, evidence, _remedy(hard[0][0]))
    if soft:
        return warned(told, required, evidence, _remedy(soft[0][0]))
    if found.unread:
        return warned(
            _("not readable: {unread}", unread=joined(", ", found.unread)),
            required,
            evidence,
            with_note(
                "{ssh} nft list ruleset",
                _("nft must list all tables, and iptables-save those of iptables"),
            ),
        )
    number = len(found.chains)
    return passed(
        _("{number} chains in other tables; none affects it", number=number)
        if number
        else _("none"),
        required,
    )


@check(
    id="firewall.foreign",
    title=_("No other firewall drops or redirects the site's traffic"),
    severity=Severity.CRITICAL,
    requirements=("C05", "R03"),
    remedy="{ssh} nft list ruleset",
)
def _foreign(subject: Subject) -> Judgement:
    return judge_foreign(
        subject.facts.get(foreign_rules),
        ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name)),
        _address(subject),
    )


def _address(subject: Subject) -> str:
    return "" if subject.host.is_local else subject.host.address


def _taken(chain: FilterChain, ports: Sequence[OpenPort], address: str) -> tuple[str, str]:
    """Describe which ports lose all packets to the chain, and which lose some; empty if none."""
    if chain.hook not in _IN | _OUT:
        return "", ""
    hard: list[str] = []
    soft: list[str] = []
    side = "d" if chain.hook in _IN else "s"
    for rule in chain.rules:
        if rule.fate not in _TAKES or _is_elsewhere(rule, address):
            continue
        # A rule on the remote port does not concern the site's own.
        far = bool(rule.side) and rule.side != side
        hit = [port for port in ports if not far and _is_about(rule, port)]
        if hit:
            (soft if rule.some else hard).append(
                concatenated((_listed(hit), ": ", _shortened(rule.text)))
            )
    if chain.policy == "drop":
        shut = [port for port in ports if not _is_accepted(chain, port)]
        if shut and chain.hook in _IN:
            hard.append(_("dropped by its policy: {listed}", listed=_listed(shut)))
        else:
            soft.append(_("its policy drops traffic that its rules do not accept"))
    return joined("; ", hard[:_MOST_TOLD]), joined("; ", soft[:_MOST_TOLD])


def _is_about(rule: Rule, port: OpenPort) -> bool:
    first, _, last = port.port.partition("-")
    fits = rule.family is Family.ANY or rule.family.value == port.protocol
    within = not rule.ports or any(
        low <= int(last or first) and int(first) <= high for low, high in rule.ports
    )
    return fits and within


def _is_accepted(chain: FilterChain, port: OpenPort) -> bool:
    """Whether a rule accepts the port, or all packets; one for replies alone does not count."""
    return any(
        rule.fate is RuleAction.ACCEPT and _is_about(rule, port) and (rule.ports or not rule.some)
        for rule in chain.rules
    )


def _is_elsewhere(rule: Rule, address: str) -> bool:
    """Whether the rule's destination is another address than the host's, such as a container's."""
    named = _DESTINATION.search(rule.text)
    if named is None or not address:
        return False
    try:
        network = ipaddress.ip_network(named["to"], strict=False)
        own = ipaddress.ip_address(address)
    except ValueError:
        return False
    return own.version == network.version and own not in network and not network.is_loopback


def _listed(ports: Sequence[OpenPort]) -> str:
    names = list(dict.fromkeys(f"{port.protocol}/{port.port}" for port in ports))
    more = (
        [_("and {count} more", count=len(names) - _MOST_PORTS)] if len(names) > _MOST_PORTS else []
    )
    return joined(", ", [*names[:_MOST_PORTS], *more])


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"


def _shown(chain: FilterChain) -> str:
    """Return the chain with its rules that drop or redirect, at most a screenful."""
    taking = [rule.text for rule in chain.rules if rule.fate in _TAKES]
    more = (
        [_("  and {count} more", count=len(taking) - _MOST_RULES)]
        if len(taking) > _MOST_RULES
        else []
    )
    return "\n".join(
        [chain.title, *(f"  {_shortened(text)}" for text in taking[:_MOST_RULES]), *more]
    )


def _remedy(chain: FilterChain) -> str:
    note = _("accept the site's ports there, or delete the table if it is not needed")
    if chain.tool == NFT:
        family, __, name = chain.table.partition(" ")
        return with_note(f"{{ssh}} nft list table {shlex.quote(family)} {shlex.quote(name)}", note)
    table = chain.table.partition(" ")[2]
    return with_note(f"{{ssh}} {chain.tool} -t {shlex.quote(table)}", note)


CHECKS = checks_of(globals())
