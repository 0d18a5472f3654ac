"""Checks of a host's network (address, route, DNS, MTU), and of connections between hosts."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping

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
from ucontact_appliance.checks.wording import INSTALL, SITE
from ucontact_appliance.facts.links import (
    Links,
    addresses_of,
    links,
    name_servers_answer,
    packets_pass,
    peers_reached,
)
from ucontact_appliance.language.messages import _, concatenated, joined, verbatim, with_note
from ucontact_appliance.planning.component_tables import ports
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Host, NetworkProfile

_TABLE = load_data("links")
_ALONE = _("the site has one host")


def judge_address(found: Links, host: Host, profile: NetworkProfile) -> Judgement:
    """Require site.yml's address on the host, because clients and peers connect to it."""
    required = _("{address} on an interface of the host", address=host.address)
    told = joined(
        ", ", sorted(a for a in found.addresses if not ipaddress.ip_address(a).is_loopback)
    )
    if host.is_local:
        return passed(told or _("none"), _("an address"), found.evidence)
    address = str(ipaddress.ip_address(host.address))
    if address in found.addresses:
        return passed(
            _("{address} is assigned to the host", address=address), required, found.evidence
        )
    if profile is NetworkProfile.NAT:
        return passed(_("behind a router, as site.yml says; its own: {told}", told=told), required)
    return failed(_("the host has {told}", told=told or _("none")), required, found.evidence)


@check(
    id="network.address",
    title=_("The host's address is the one in site.yml"),
    severity=Severity.HIGH,
    requirements=("C04",),
    remedy=with_note(
        "{ssh} ip -br addr",
        _("then correct the address in {site}, and: {install}", site=SITE, install=INSTALL),
    ),
)
def _address(subject: Subject) -> Judgement:
    return judge_address(subject.facts.get(links), subject.host, subject.site.network.profile)


def judge_route(found: Links) -> Judgement:
    """Require a default route: without one the host can answer its own networks only."""
    required = _("a default route by an interface that is up")
    if not found.routes:
        return failed(_("no default route"), required, found.evidence)
    if found.way_out() is None:
        return failed(
            _("its interface is not up: {routes}", routes=found.routes[0]), required, found.evidence
        )
    return passed(verbatim(found.routes[0]), required, found.evidence)


@check(
    id="network.route",
    title=_("The host has a default route"),
    severity=Severity.HIGH,
    requirements=("R03", "R04"),
    remedy=with_note("{ssh} ip route", _("set the gateway in the system's network configuration")),
)
def _route(subject: Subject) -> Judgement:
    return judge_route(subject.facts.get(links))


def judge_dns(answers: Mapping[str, str]) -> Judgement:
    """Require that each name server answers: one that does not delays lookups by seconds."""
    required = _("each name server in resolv.conf responds")
    if not answers:
        return warned(_("no name server is configured: only /etc/hosts is used"), required)
    silent = [server for server, said in answers.items() if not said]
    told = joined(
        ", ",
        (
            _("{server} responds{code}", server=server, code=said.removeprefix("answers"))
            if said
            else _("{server} does not respond", server=server)
            for server, said in answers.items()
        ),
    )
    if len(silent) == len(answers):
        return failed(told, required)
    # A resolver on the host itself answers SERVFAIL when its upstream servers are gone.
    lost = [server for server, said in answers.items() if "SERVFAIL" in said]
    return warned(told, required) if silent or lost else passed(told, required)


@check(
    id="network.dns",
    title=_("Name servers respond"),
    severity=Severity.HIGH,
    requirements=("R04",),
    remedy=with_note("{ssh} cat /etc/resolv.conf", _("configure name servers that respond")),
    needs=("network.route",),
    timeout=20.0,
)
def _dns(subject: Subject) -> Judgement:
    return judge_dns(subject.facts.get(name_servers_answer, subject.facts.get(links).name_servers))


def judge_name(found: tuple[str, ...] | None, fqdn: str, known: frozenset[str]) -> Judgement:
    """Require that the portal's name resolves to the portal here; users' DNS may differ (R01)."""
    required = _("{fqdn} resolves to {known}", fqdn=fqdn, known=joined(", ", sorted(known)))
    if found is None:
        return skipped(_("the name servers of this machine do not respond"), required)
    if not found:
        told = _(
            "the name servers of this machine do not resolve {fqdn}; those of the agents must",
            fqdn=fqdn,
        )
        return skipped(told, required)
    astray = [address for address in found if address not in known and not _is_loopback(address)]
    told = _("{fqdn} resolves to {found}", fqdn=fqdn, found=joined(", ", found))
    if not astray:
        return passed(told, required)
    judge = failed if len(astray) == len(found) else warned
    looked = f"getent ahosts {shlex.quote(fqdn)}"
    note = _("correct its DNS record, or network.public_address in {site}", site=SITE)
    return judge(told, required, remedy=with_note(looked, note))


@check(
    id="network.name",
    title=_("The portal's name resolves to the portal"),
    severity=Severity.HIGH,
    requirements=("R01",),
    remedy="{install}",
    role=Role.BACKEND,
)
def _name(subject: Subject) -> Judgement:
    """Accept any address of the portal's server, or of the router in front of it."""
    own = {a for a in subject.facts.get(links).addresses if not _is_loopback(a)}
    known = own | {subject.plan.host(subject.host.name).peer_address}
    if subject.site.network.public_address:
        known.add(subject.site.network.public_address)
    fqdn = subject.site.fqdn
    return judge_name(subject.facts.here(addresses_of, fqdn), fqdn, frozenset(known))


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def judge_mtu(found: Links, ways: Mapping[str, str]) -> Judgement:
    """Require the least MTU: larger packets are fragmented, or lost with DF (DTLS, SIP video)."""
    least = int(_TABLE["mtu"]["least"])
    required = _(
        "an MTU of {least} or more, and packets of that size reach the site's other hosts",
        least=least,
    )
    interface = found.way_out()
    if interface is None:
        return skipped(_("no default route, so the interface is unknown"), required)
    stuck = [concatenated((way, ": ", said)) for way, said in ways.items() if said != "passes"]
    if stuck:
        evidence = "\n".join(stuck)
        address, _sign, size = next(
            way for way, said in ways.items() if said != "passes"
        ).partition(" ")
        lost = _("packets of {size} bytes do not reach {address}", address=address, size=size)
        return failed(lost, required, evidence)
    judge = passed if interface.mtu >= least else warned
    return judge(
        _("{name} has MTU {mtu}", name=interface.name, mtu=interface.mtu), required, found.evidence
    )


@check(
    id="network.mtu",
    title=_("Full-size packets pass (path MTU)"),
    severity=Severity.MEDIUM,
    requirements=("R02", "R03"),
    remedy=with_note(
        "{ssh} ip link", _("set the MTU of the whole path, including switches and tunnels")
    ),
    needs=("network.route",),
    timeout=20.0,
)
def _mtu(subject: Subject) -> Judgement:
    found = subject.facts.get(links)
    interface = found.way_out()
    ways: Mapping[str, str] = {}
    others = [host for host in _others(subject) if not host.is_local]
    if interface is not None and others:
        sizes = tuple((host.address, interface.mtu) for host in others)
        ways = subject.facts.get(packets_pass, sizes)
    return judge_mtu(found, ways)


def judge_peers(ports: Mapping[str, str], names: Mapping[str, str]) -> Judgement:
    """Require that a host reaches the ports that it needs on other hosts."""
    required = _("the ports that this host needs on the site's other hosts are open to it")
    if not ports:
        return skipped(_("this host needs no ports on other hosts"), required)
    evidence = "\n".join(f"{port}: {said}" for port, said in ports.items())
    shut = [
        _("{names} is {said}", names=names[port], said=said)
        for port, said in ports.items()
        if said != "open"
    ]
    if shut:
        return failed(joined(", ", shut), required, evidence)
    return passed(
        _("open: {ports}", ports=joined(", ", (names[port] for port in ports))), required, evidence
    )


@check(
    id="network.peers",
    title=_("The site's hosts reach each other"),
    severity=Severity.CRITICAL,
    requirements=("R12", "C05"),
    remedy="{install}",
    # A service that is down on the other host is a finding of its own.
    needs=("ports.mysql", "ports.wss"),
    timeout=20.0,
)
def _peers(subject: Subject) -> Judgement:
    """Try the ports of the registry that other hosts open to this host's roles."""
    if not _others(subject):
        return skipped(_ALONE)
    mine = subject.plan.host(subject.host.name).roles
    needed = {row.id for row in ports() if "site" in row.sources and set(row.peers) & set(mine)}
    needed_ports, names = [], {}
    for host in _others(subject):
        if host.is_local:
            continue
        for port in ports_for(subject.site, subject.plan, subject.plan.host(host.name)):
            if port.id in needed:
                needed_ports.append((host.address, port.first))
                names[f"{host.address} {port.first}"] = _(
                    "{id} on {name}", id=port.id, name=host.name
                )
    if not needed_ports:
        return judge_peers({}, names)
    return judge_peers(subject.facts.get(peers_reached, tuple(needed_ports)), names)


def _others(subject: Subject) -> list[Host]:
    return [host for host in subject.site.hosts if host.name != subject.host.name]


CHECKS = checks_of(globals())
