"""Whom the machine of a drill may reach: the archives of its packages, and nothing of the site."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.drill import addresses_of_site
from ucontact_appliance.site.model import Site

_URI = re.compile(r"https?://[^\s\]]+")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Archives:
    """The addresses of each archive's name, and all TCP endpoints."""

    names: dict[str, tuple[str, ...]]
    endpoints: frozenset[tuple[str, int]]

    def pin(self, machine: Machine) -> None:
        """Write the names into the machine's /etc/hosts: no other address of them is reachable.

        Raises UnreachableError.
        """
        lines = [
            f"{address} {name}"
            for name, found in self.names.items()
            for address in found
            if address != name
        ]
        text = shlex.quote("\n".join(lines))
        done = machine.ssh([f"printf '%s\\n' {text} >>/etc/hosts"])
        if done.returncode:
            raise UnreachableError(
                _("the machine of the drill does not answer"), evidence=done.stderr.strip()
            )


def archives(machine: Machine, sites: Iterable[Site]) -> Archives:
    """Return the archives that the machine installs from. Raises UnreachableError."""
    uris = [*uris_of(machine.root / "etc/apt")]
    for site in sites:
        if site.telephony.archive is not None:
            uris += _URI.findall(site.telephony.archive.uri)
    names: dict[str, tuple[str, ...]] = {}
    endpoints = set()
    for uri in uris:
        parts = urlsplit(uri)
        name = parts.hostname or ""
        names[name] = names.get(name) or _addresses(name)
        if not names[name]:
            raise UnreachableError(
                _("the archive of packages {name} has no address", name=name), evidence=uri
            )
        port = parts.port or _PORTS[parts.scheme]
        endpoints |= {(address, port) for address in names[name]}
    return Archives(names, frozenset(endpoints))


def uris_of(folder: Path) -> list[str]:
    """Return the archives in apt's configuration below that folder."""
    more = sorted((folder / "sources.list.d").glob("*"))
    files: Sequence[Path] = [folder / "sources.list", *more]
    found: dict[str, None] = {}
    for path in files:
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            for line in lines:
                if not line.lstrip().startswith("#"):
                    found |= dict.fromkeys(_URI.findall(line))
    return list(found)


def blocked_addresses(sites: Iterable[Site]) -> tuple[str, ...]:
    """Return the IPv4 addresses of the servers, providers and gateways of these sites."""
    found: set[str] = set()
    for name in addresses_of_site(sites):
        found.update(_addresses(name))
    return tuple(sorted(found))


def _addresses(name: str) -> tuple[str, ...]:
    """Return the IPv4 addresses of a name, or of an address itself; none of an unknown one."""
    try:
        rows = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(sorted({str(row[4][0]) for row in rows}))
