"""Checks of the firewall: it has the port registry's rules, also after a reboot, and they work."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Sequence

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.asterisk import jail
from ucontact_appliance.facts.firewall import (
    KNOCK_SECONDS,
    RULES,
    UNIT,
    Firewall,
    Opening,
    PortProbe,
    PortState,
    SourceLimits,
    firewall,
    knocks,
    own_address,
    parse_opening,
    source_limits,
)
from ucontact_appliance.facts.survey import seen_as
from ucontact_appliance.language.messages import _, concatenated, joined, verbatim, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import OpenPort, ports_for

_TCP = "tcp"
_SSH = "ssh"
# The rules of every host: replies, loopback, and what IP itself needs (reasons: roles/firewall).
_IP_ITSELF = frozenset(
    {
        "ct state established,related accept",
        'iif "lo" accept',
        "ip protocol icmp icmp type { destination-unreachable, time-exceeded, parameter-problem } "
        "accept",
        "ip protocol icmp icmp type echo-request limit rate 50/second accept",
        "meta l4proto 58 icmpv6 type { destination-unreachable, packet-too-big, "
        "time-exceeded, parameter-problem, nd-router-advert, nd-neighbor-solicit, "
        "nd-neighbor-advert, mld-listener-query } accept",
        "ip6 nexthdr icmpv6 icmpv6 type echo-request limit rate 50/second accept",
        "meta nfproto ipv4 udp sport 67 udp dport 68 accept",
        "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
    }
)


def _registry(subject: Subject) -> tuple[OpenPort, ...]:
    return ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))


def judge_loaded(found: Firewall) -> Judgement:
    """Require our table in the kernel, equal to the file."""
    required = _("nftables table inet ucontact is loaded and matches {rules}", rules=RULES)
    if not found.disk:
        return failed(_("{rules} is missing", rules=RULES), required, found.kernel, "{install}")
    if not found.loaded:
        return failed(_("the table is not loaded: every port is open"), required, found.kernel)
    if found.kernel != found.wanted:
        lines = difflib.unified_diff(
            found.wanted.splitlines(), found.kernel.splitlines(), "file", "kernel", lineterm=""
        )
        return failed(_("the loaded rules differ from the file"), required, "\n".join(lines))
    rules = sum(line.endswith("accept") for line in found.kernel.splitlines())
    return passed(_("loaded, with {rules} accept rules", rules=rules), required)


@check(
    id="firewall.loaded",
    title=_("The loaded firewall rules match the file"),
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy=f"{{ssh}} systemctl restart {UNIT}",
)
def _loaded(subject: Subject) -> Judgement:
    return judge_loaded(subject.facts.get(firewall))


def judge_service(found: Firewall) -> Judgement:
    """Require an enabled unit, so that the rules are loaded at the next boot."""
    required = _("{unit} is enabled and active", unit=UNIT)
    evidence = f"is-enabled: {found.enabled}\nis-active: {found.active}"
    if found.enabled != "enabled":
        return failed(verbatim(found.enabled or _("no such unit")), required, evidence)
    if found.active != "active":
        return failed(verbatim(found.active), required, evidence)
    return passed(_("enabled and active"), required, evidence)


@check(
    id="firewall.service",
    title=_("The firewall is enabled at boot"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy=f"{{ssh}} systemctl enable --now {UNIT}",
)
def _service(subject: Subject) -> Judgement:
    return judge_service(subject.facts.get(firewall))


def judge_rules(found: Firewall, registry: tuple[OpenPort, ...]) -> Judgement:
    """Require rules that open exactly the registry's ports, each to its own networks."""
    required = _(
        "all traffic is dropped except to the registry's ports, each from its own networks"
    )
    chain = found.input
    evidence = "\n".join([f"policy {chain.policy}", *chain.rules])
    if chain.policy != "drop":
        told = _(
            "traffic that matches no rule is not dropped: policy {policy}", policy=chain.policy
        )
        return failed(told, required, evidence)
    openings = {rule: parse_opening(rule) for rule in chain.rules if rule not in _IP_ITSELF}
    strange = [rule for rule, opening in openings.items() if opening is None]
    if strange:
        return failed(
            _("rule not from the appliance: {strange}", strange=strange[0]), required, evidence
        )
    ssh = {(port.protocol, port.port) for port in registry if port.id == _SSH}
    # Besides the networks for ssh, the installing machine's own access is kept.
    kept = [one for one in openings.values() if one and one.single and _key(one) in ssh]
    others = [one for one in openings.values() if one and one not in kept]
    wrong = _wrong_openings(others, [port for port in registry if port.sources])
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    told = joined(", ", dict.fromkeys(source for one in kept for source in one.sources))
    way_in = _("; ssh is kept open for {told}", told=told) if told else ""
    return passed(
        _(
            "{count} registry entries open{way_in}",
            count=len({_key(one) for one in others}),
            way_in=way_in,
        ),
        required,
        evidence,
    )


@check(
    id="firewall.rules",
    title=_("The firewall opens the registry's ports and no others"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{install}",
    needs=("firewall.loaded",),
)
def _rules(subject: Subject) -> Judgement:
    return judge_rules(subject.facts.get(firewall), _registry(subject))


def judge_limits(found: SourceLimits, registry: tuple[OpenPort, ...]) -> Judgement:
    """Require limits that keep one address from taking all connections of a port."""
    limited = [port for port in registry if port.connections_per_source]
    required = _(
        "nftables table inet ucontact_limits limits {count} ports per source address",
        count=len(limited),
    )
    if not found.loaded:
        return failed(_("the table is not loaded"), required, found.evidence)
    if limited and not found.ports:
        told = _("the kernel can't count connections per source (Linux 4.18, nftables 0.9)")
        return warned(told, required, found.evidence)
    lost = [
        f"{port.protocol}/{port.port}"
        for port in limited
        if found.ports.get(port.port) != port.connections_per_source
    ]
    if lost:
        return failed(_("not limited: {lost}", lost=joined(", ", lost)), required, found.evidence)
    return passed(_("{count} ports are limited", count=len(limited)), required)


@check(
    id="firewall.limits",
    title=_("Connections per source address are limited"),
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy="{ssh} systemctl restart ucontact-limits.service",
)
def _limits(subject: Subject) -> Judgement:
    return judge_limits(subject.facts.get(source_limits), _registry(subject))


def _key(one: Opening | OpenPort) -> tuple[str, str]:
    return one.protocol, one.port


def _wrong_openings(found: Sequence[Opening], wanted: Sequence[OpenPort]) -> list[str]:
    """Return ports that are shut, open without a row, or open to networks other than a row's."""
    open_now = {
        _key(one): _networks(o.sources for o in found if _key(o) == _key(one)) for one in found
    }
    planned = {
        _key(port): _networks(p.sources for p in wanted if _key(p) == _key(port)) for port in wanted
    }
    purposes = {_key(port): _(port.purpose) for port in wanted}
    shut = [
        concatenated((_name(key), " (", purposes[key], ")"))
        for key in planned
        if key not in open_now
    ]
    extra = [_name(key) for key in sorted(open_now) if key not in planned]
    others = [
        _(
            "{name} is open to {listed}, not to {listed2}",
            name=_name(key),
            listed=_listed(open_now[key]),
            listed2=_listed(networks),
        )
        for key, networks in planned.items()
        if key in open_now and open_now[key] != networks
    ]
    return [
        *([_("closed: {shut}", shut=joined(", ", shut))] if shut else []),
        *([_("open but not in the registry: {extra}", extra=joined(", ", extra))] if extra else []),
        *others,
    ]


def _name(key: tuple[str, str]) -> str:
    return "/".join(key)


def _networks(sources: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return the networks with overlaps and neighbours merged, so that equal sets compare equal."""
    networks = [ipaddress.ip_network(source) for group in sources for source in group]
    old = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
    new = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))
    return (*map(str, old), *map(str, new))


def _listed(networks: Sequence[str]) -> str:
    return joined(", ", networks) or "nobody"


def judge_reach(
    registry: tuple[OpenPort, ...],
    answers: tuple[PortProbe, ...],
    source: str,
    *,
    banned: bool = False,
) -> Judgement:
    """Require that ports open to this machine are reachable from it, and private ones are not.

    `banned`: the host's jail bans this machine, so it drops packets that it would otherwise accept.
    """
    required = _(
        "from {source}: the registry's TCP ports are reachable, private ones are not", source=source
    )
    doors = {answer.port: answer.door for answer in answers}
    evidence = "\n".join(f"tcp/{answer.port}: {answer.door.value}" for answer in answers)
    filtered = [
        port
        for port in registry
        if _is_for(port, source) and doors.get(port.first) is PortState.FILTERED
    ]
    exposed = [
        port
        for port in registry
        if port.protocol == _TCP and not port.sources and doors.get(port.first) is PortState.OPEN
    ]
    if exposed:
        told = joined(
            ", ",
            (
                _("tcp/{first} ({purpose})", first=port.first, purpose=_(port.purpose))
                for port in exposed
            ),
        )
        return failed(_("reachable from here: {told}", told=told), required, evidence)
    if filtered and banned:
        return skipped(_("the server has banned this machine: see asterisk.banned"))
    if filtered:
        told = joined(
            ", ",
            (
                _("tcp/{first} ({purpose})", first=port.first, purpose=_(port.purpose))
                for port in filtered
            ),
        )
        return failed(
            _("no response: {told}", told=told),
            required,
            evidence,
            with_note(
                "{ssh} nft list table inet ucontact",
                _("if it accepts these ports, look for a firewall on the path"),
            ),
        )
    return passed(_("{count} ports as planned", count=len(answers)), required, evidence)


@check(
    id="firewall.reach",
    title=_("Ports are open or filtered for this machine as planned"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{install}",
    needs=("firewall.loaded",),
    takes=KNOCK_SECONDS,  # a filtered port does not answer
    idles=True,
)
def _reach(subject: Subject) -> Judgement:
    if subject.host.is_local:
        return skipped(_("the host is this machine: its own connections do not pass the firewall"))
    registry = _registry(subject)
    source = subject.facts.get(own_address)
    tried = tuple(
        dict.fromkeys(
            port.first
            for port in registry
            if _is_for(port, source) or (port.protocol == _TCP and not port.sources)
        )
    )
    answers = subject.facts.get(knocks, tried)
    return judge_reach(registry, answers, source, banned=_is_banned(subject))


def _is_for(port: OpenPort, source: str) -> bool:
    address = ipaddress.ip_address(source)
    return port.protocol == _TCP and any(
        address in ipaddress.ip_network(network) for network in port.sources
    )


def _is_banned(subject: Subject) -> bool:
    """Whether the host's jail bans this machine."""
    if Role.TELEPHONY not in subject.plan.host(subject.host.name).roles:
        return False
    return subject.facts.get(seen_as) in subject.facts.get(jail).banned


CHECKS = checks_of(globals())
