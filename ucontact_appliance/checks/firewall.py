"""Checks of the firewall: it holds the registry's rules, now and after a boot, and they work."""

from __future__ import annotations

import difflib
import ipaddress

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    failed,
    passed,
    skipped,
)
from ucontact_appliance.facts.firewall import (
    RULES,
    UNIT,
    Door,
    Firewall,
    Knock,
    firewall,
    knocks,
    own_address,
)
from ucontact_appliance.planning.ports import OpenPort, ports_for

_TCP = "tcp"
_LOADED = "firewall.loaded"
_REMEDY_LOAD = f"{{ssh}} systemctl restart {UNIT}"
_SSH = "ssh"
_DHCP = frozenset({("udp", "68"), ("udp", "546")})  # a host's own leases (RFC 2131, RFC 8415)


def _registry(subject: Subject) -> tuple[OpenPort, ...]:
    return ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))


def judge_loaded(found: Firewall) -> Judgement:
    """The kernel has our table, as the file says it."""
    required = f"nftables table inet ucontact is loaded, as {RULES} says"
    if not found.disk:
        return failed(f"{RULES} is missing", required, found.kernel, "{install}")
    if not found.loaded:
        return failed("the table is not loaded: every port is open", required, found.kernel)
    if found.kernel != found.wanted:
        lines = difflib.unified_diff(
            found.wanted.splitlines(), found.kernel.splitlines(), "file", "kernel", lineterm=""
        )
        return failed("the kernel's rules are not the file's", required, "\n".join(lines))
    rules = sum(line.endswith("accept") for line in found.kernel.splitlines())
    return passed(f"loaded, {rules} rules accept", required)


def judge_service(found: Firewall) -> Judgement:
    """The rules come back at the next boot."""
    required = f"{UNIT} is enabled and active"
    evidence = f"is-enabled: {found.enabled}\nis-active: {found.active}"
    if found.enabled != "enabled":
        return failed(found.enabled or "no such unit", required, evidence)
    if found.active != "active":
        return failed(found.active, required, evidence)
    return passed("enabled and active", required, evidence)


def judge_rules(found: Firewall, registry: tuple[OpenPort, ...]) -> Judgement:
    """The rules open what the registry names, and nothing else."""
    required = "exactly the ports of the registry are open"
    open_now = {(one.protocol, one.port) for one in found.openings} - _DHCP
    wanted = {(port.protocol, port.port): port for port in registry if port.sources}
    # Besides the networks for ssh, the installer's own way in is kept.
    ssh = {(port.protocol, port.port) for port in registry if port.id == _SSH}
    shut = [port for key, port in wanted.items() if key not in open_now]
    extra = sorted(open_now - set(wanted) - ssh)
    if shut:
        told = ", ".join(f"{port.protocol}/{port.port} ({port.purpose})" for port in shut)
        return failed(f"shut: {told}", required)
    if extra:
        told = ", ".join(f"{protocol}/{port}" for protocol, port in extra)
        return failed(f"open without a row in the registry: {told}", required)
    return passed(f"{len(wanted)} entries are open", required)


def judge_reach(
    registry: tuple[OpenPort, ...], answers: tuple[Knock, ...], source: str
) -> Judgement:
    """From here, what should be open to us lets us through, and private ports don't."""
    required = f"from {source}: the registry's TCP ports let us in, private ones do not"
    doors = {answer.port: answer.door for answer in answers}
    evidence = "\n".join(f"tcp/{answer.port}: {answer.door.value}" for answer in answers)
    filtered = [
        port
        for port in registry
        if _is_for(port, source) and doors.get(port.first) is Door.FILTERED
    ]
    exposed = [
        port
        for port in registry
        if port.protocol == _TCP and not port.sources and doors.get(port.first) is Door.OPEN
    ]
    if exposed:
        told = ", ".join(f"tcp/{port.first} ({port.purpose})" for port in exposed)
        return failed(f"reachable from here: {told}", required, evidence)
    if filtered:
        told = ", ".join(f"tcp/{port.first} ({port.purpose})" for port in filtered)
        return failed(
            f"no answer: {told}",
            required,
            evidence,
            "{ssh} nft list table inet ucontact  # it allows them: look for a firewall on the way",
        )
    return passed(f"{len(answers)} ports behave", required, evidence)


def _is_for(port: OpenPort, source: str) -> bool:
    address = ipaddress.ip_address(source)
    return port.protocol == _TCP and any(
        address in ipaddress.ip_network(network) for network in port.sources
    )


def _reach(subject: Subject) -> Judgement:
    if subject.host.is_local:
        return skipped("the host is this machine: its own connections do not pass the firewall")
    registry = _registry(subject)
    source = subject.facts.get(own_address)
    tried = tuple(
        dict.fromkeys(
            port.first
            for port in registry
            if _is_for(port, source) or (port.protocol == _TCP and not port.sources)
        )
    )
    return judge_reach(registry, subject.facts.get(knocks, tried), source)


CHECKS: tuple[Check, ...] = (
    Check(
        id=_LOADED,
        title="The firewall is loaded as its file says",
        severity=Severity.CRITICAL,
        requirements=("C05",),
        remedy=_REMEDY_LOAD,
        judge=lambda subject: judge_loaded(subject.facts.get(firewall)),
    ),
    Check(
        id="firewall.service",
        title="The firewall comes back after a boot",
        severity=Severity.HIGH,
        requirements=("C05",),
        remedy=f"{{ssh}} systemctl enable --now {UNIT}",
        judge=lambda subject: judge_service(subject.facts.get(firewall)),
    ),
    Check(
        id="firewall.rules",
        title="The firewall opens the registry's ports and no others",
        severity=Severity.HIGH,
        requirements=("C05",),
        remedy="{install}",
        judge=lambda subject: judge_rules(subject.facts.get(firewall), _registry(subject)),
        needs=(_LOADED,),
    ),
    Check(
        id="firewall.reach",
        title="Ports answer or stay silent towards this machine as planned",
        severity=Severity.HIGH,
        requirements=("C05",),
        remedy="{install}",
        judge=_reach,
        needs=(_LOADED,),
    ),
)
