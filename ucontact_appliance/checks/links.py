"""Checks of how hosts stand in their network, and of their ways to one another."""

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
from ucontact_appliance.facts.links import (
    Links,
    addresses_of,
    links,
    name_servers_answer,
    packets_pass,
    peers_reached,
)
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.tables import ports
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Host, NetworkProfile

_TABLE = load_data("links")
_ALONE = "the site has one host"


def judge_address(found: Links, host: Host, profile: NetworkProfile) -> Judgement:
    """Clients and peers come to the address of site.yml: the host must have it."""
    required = f"{host.address} on an interface of the host"
    told = ", ".join(sorted(a for a in found.addresses if not ipaddress.ip_address(a).is_loopback))
    if host.is_local:
        return passed(told or "none", "an address", found.evidence)
    address = str(ipaddress.ip_address(host.address))
    if address in found.addresses:
        return passed(f"{address} is the host's own", required, found.evidence)
    if profile is NetworkProfile.NAT:
        return passed(f"behind a router, as site.yml says; its own: {told}", required)
    return failed(f"the host has {told or 'none'}", required, found.evidence)


@check(
    id="network.address",
    title="The host has the address that it is known by",
    severity=Severity.HIGH,
    requirements=("C04",),
    remedy="{ssh} ip -br addr  # then put the right one into {site}, and: {install}",
)
def _address(subject: Subject) -> Judgement:
    return judge_address(subject.facts.get(links), subject.host, subject.site.network.profile)


def judge_route(found: Links) -> Judgement:
    """Without a default route only neighbours can be answered."""
    required = "a default route by an interface that is up"
    if not found.routes:
        return failed("no default route", required, found.evidence)
    if found.way_out() is None:
        return failed(f"its interface is not up: {found.routes[0]}", required, found.evidence)
    return passed(found.routes[0], required, found.evidence)


@check(
    id="network.route",
    title="The host has a way out of its network",
    severity=Severity.HIGH,
    requirements=("R03", "R04"),
    remedy="{ssh} ip route  # set the gateway where the system keeps it",
)
def _route(subject: Subject) -> Judgement:
    return judge_route(subject.facts.get(links))


def judge_dns(answers: Mapping[str, str]) -> Judgement:
    """Each name server that is asked in vain delays what waits for it by seconds."""
    required = "each name server of resolv.conf answers"
    if not answers:
        return warned("no name server is set: only /etc/hosts is asked", required)
    silent = [server for server, said in answers.items() if not said]
    told = ", ".join(f"{server} {said or 'is silent'}" for server, said in answers.items())
    if len(silent) == len(answers):
        return failed(told, required)
    # A resolver on the host itself answers so when those behind it are gone.
    lost = [server for server, said in answers.items() if "SERVFAIL" in said]
    return warned(told, required) if silent or lost else passed(told, required)


@check(
    id="network.dns",
    title="Name servers answer",
    severity=Severity.HIGH,
    requirements=("R04",),
    remedy="{ssh} cat /etc/resolv.conf  # name servers there that answer",
    needs=("network.route",),
    timeout=20.0,
)
def _dns(subject: Subject) -> Judgement:
    return judge_dns(subject.facts.get(name_servers_answer, subject.facts.get(links).name_servers))


def judge_name(found: tuple[str, ...] | None, fqdn: str, known: frozenset[str]) -> Judgement:
    """R01: people come by the portal's name, and this machine asks as they do, or nearly."""
    required = f"{fqdn} leads to {', '.join(sorted(known))}"
    if found is None:
        return skipped("the name servers of this machine do not answer", required)
    if not found:
        told = f"the name servers of this machine do not know {fqdn}: those of agents have to"
        return skipped(told, required)
    astray = [address for address in found if address not in known and not _is_loopback(address)]
    told = f"{fqdn} leads to {', '.join(found)}"
    if not astray:
        return passed(told, required)
    judge = failed if len(astray) == len(found) else warned
    looked = f"getent ahosts {shlex.quote(fqdn)}"
    note = "  # mend its record, or network.public_address in {site}"
    return judge(told, required, remedy=looked + note)


@check(
    id="network.name",
    title="The portal's name leads to the portal",
    severity=Severity.HIGH,
    requirements=("R01",),
    remedy="{install}",
    role=Role.BACKEND,
)
def _name(subject: Subject) -> Judgement:
    """Whatever address of the portal's server, or of the router before it, will do."""
    own = {a for a in subject.facts.get(links).addresses if not _is_loopback(a)}
    known = own | {subject.plan.host(subject.host.name).peer_address}
    if subject.site.network.public_address:
        known.add(subject.site.network.public_address)
    fqdn = subject.site.fqdn
    return judge_name(subject.facts.here(addresses_of, fqdn), fqdn, frozenset(known))


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def judge_mtu(found: Links, ways: Mapping[str, str]) -> Judgement:
    """What does not fit is cut up, or lost where that is forbidden: DTLS, and SIP with video."""
    least = int(_TABLE["mtu"]["least"])
    required = f"an MTU of {least} or more, and packets of that size reach the site's other hosts"
    interface = found.way_out()
    if interface is None:
        return skipped("there is no default route to tell the interface by", required)
    stuck = [f"{way}: {said}" for way, said in ways.items() if said != "passes"]
    if stuck:
        evidence = "\n".join(stuck)
        first = next(way for way, said in ways.items() if said != "passes").replace(" ", " with ")
        return failed(f"packets do not pass: to {first}", required, evidence)
    judge = passed if interface.mtu >= least else warned
    return judge(f"{interface.name} has {interface.mtu}", required, found.evidence)


@check(
    id="network.mtu",
    title="Whole packets pass",
    severity=Severity.MEDIUM,
    requirements=("R02", "R03"),
    remedy="{ssh} ip link  # set the MTU of the whole path, switches and tunnels too",
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


def judge_peers(doors: Mapping[str, str], names: Mapping[str, str]) -> Judgement:
    """What a host needs of another, tried from where it is needed."""
    required = "the site's other hosts let this one in where it needs them"
    if not doors:
        return skipped("this host needs no port of another", required)
    evidence = "\n".join(f"{door}: {said}" for door, said in doors.items())
    shut = [f"{names[door]} is {said}" for door, said in doors.items() if said != "open"]
    if shut:
        return failed(", ".join(shut), required, evidence)
    return passed(f"open: {', '.join(names[door] for door in doors)}", required, evidence)


@check(
    id="network.peers",
    title="The site's hosts reach each other",
    severity=Severity.CRITICAL,
    requirements=("R12", "C05"),
    remedy="{install}",
    # A service that is down over there is its own cause.
    needs=("ports.mysql", "ports.wss"),
    timeout=20.0,
)
def _peers(subject: Subject) -> Judgement:
    """The registry's rows that other hosts open to the roles of this one."""
    if not _others(subject):
        return skipped(_ALONE)
    mine = subject.plan.host(subject.host.name).roles
    needed = {row.id for row in ports() if "site" in row.sources and set(row.peers) & set(mine)}
    doors, names = [], {}
    for host in _others(subject):
        if host.is_local:
            continue
        for port in ports_for(subject.site, subject.plan, subject.plan.host(host.name)):
            if port.id in needed:
                doors.append((host.address, port.first))
                names[f"{host.address} {port.first}"] = f"{port.id} on {host.name}"
    if not doors:
        return judge_peers({}, names)
    return judge_peers(subject.facts.get(peers_reached, tuple(doors)), names)


def _others(subject: Subject) -> list[Host]:
    return [host for host in subject.site.hosts if host.name != subject.host.name]


CHECKS = checks_of(globals())
