"""A host's network: addresses, routes, name servers, MTU, and whether its peers are reachable."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.resources import INSTALLER

_PROBE = INSTALLER / "probes" / "links.py"
_SECONDS = 15.0
_NAME_SECONDS = 3.0


@dataclass(frozen=True)
class Interface:
    """A network interface that is up: its MTU in bytes, and its addresses."""

    name: str
    mtu: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Links:
    """Interfaces, default routes as `ip` prints them, and the name servers in resolv.conf."""

    interfaces: tuple[Interface, ...]
    routes: tuple[str, ...]
    name_servers: tuple[str, ...]
    evidence: str

    @property
    def addresses(self) -> frozenset[str]:
        """Every address of the host."""
        return frozenset(a for interface in self.interfaces for a in interface.addresses)

    def way_out(self) -> Interface | None:
        """The interface of the first default route."""
        for route in self.routes:
            found = re.search(r"\bdev (\S+)", route)
            if found:
                return next((i for i in self.interfaces if i.name == found[1]), None)
        return None


_LINKS = script(
    links="ip -o link show up",
    addresses="ip -o addr show",
    routes="ip route show default; ip -6 route show default",
    resolv="grep -E '^[[:space:]]*nameserver' /etc/resolv.conf 2>/dev/null || true",
)


def links(reach: ProbeContext) -> Links:
    """Read interfaces, routes and name servers."""
    return parse_links(reach.runner.run(["sh", "-c", _LINKS]).stdout)


def parse_links(text: str) -> Links:
    """Parse `ip -o link`, `ip -o addr`, `ip route` and resolv.conf."""
    part = sections(text)
    addresses: dict[str, list[str]] = {}
    for line in part["addresses"].splitlines():
        found = re.match(r"\d+:\s+(\S+)\s+inet6?\s+([0-9a-fA-F.:]+)", line)
        if found:
            addresses.setdefault(found[1], []).append(found[2])
    interfaces = []
    for line in part["links"].splitlines():
        found = re.match(r"\d+:\s+([^:@\s]+)\S*:?\s.*\bmtu (\d+)", line)
        if found:
            name = found[1]
            interfaces.append(Interface(name, int(found[2]), tuple(addresses.get(name, ()))))
    servers = [line.split()[1] for line in part["resolv"].splitlines() if len(line.split()) > 1]
    routes = tuple(line.strip() for line in part["routes"].splitlines() if line.strip())
    return Links(tuple(interfaces), routes, tuple(servers), text.strip())


def name_servers_answer(reach: ProbeContext, servers: tuple[str, ...]) -> Mapping[str, str]:
    """Each name server's answer to a query for the root's NS records; empty: no answer.

    Any answer, even REFUSED, shows that the server is reachable.
    """
    return _probed(reach, "dns", *servers)


def peers_reached(reach: ProbeContext, doors: tuple[tuple[str, int], ...]) -> Mapping[str, str]:
    """`open`, `closed` or `filtered` per `address port`, probed from the host."""
    return _probed(reach, "tcp", *(f"{address} {port}" for address, port in doors))


def packets_pass(reach: ProbeContext, sizes: tuple[tuple[str, int], ...]) -> Mapping[str, str]:
    """`passes` or ping's error per address and MTU, with fragmentation forbidden."""
    return _probed(reach, "mtu", *(f"{address} {mtu}" for address, mtu in sizes))


def _probed(reach: ProbeContext, *words: str) -> Mapping[str, str]:
    done = reach.runner.run(
        ["python3", "-", *words], timeout=_SECONDS, stdin=_PROBE.read_text(encoding="utf-8")
    )
    if done.status:
        raise RuntimeError(done.evidence)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def addresses_of(name: str) -> tuple[str, ...] | None:
    """The name's addresses from this machine's resolver; None when it does not answer in 3 s.

    Runs a separate program, which can be killed: a resolver may block for long.
    """
    try:
        done = subprocess.run(
            ["getent", "ahosts", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_NAME_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return tuple(dict.fromkeys(line.split()[0] for line in done.stdout.splitlines() if line))
