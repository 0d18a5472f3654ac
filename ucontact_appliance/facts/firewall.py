"""What a host's firewall holds, on disk and in the kernel, and what it lets through from here."""

from __future__ import annotations

import errno
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

from ucontact_appliance.facts.source import Reach

RULES = "/etc/nftables.d/ucontact.nft"
UNIT = "ucontact-firewall.service"
TABLE = "inet ucontact"
_MARK = "=== "
_CONNECT_SECONDS = 3.0
_ACCEPT = re.compile(r"^\s*(?P<match>.*?)\b(?P<protocol>tcp|udp) dport (?P<port>[0-9-]+) accept$")
# The file is loaded in a network namespace of its own, so that both are told in the kernel's words.
_SCRIPT = f"""
echo '{_MARK}disk'; cat {RULES}
echo '{_MARK}wanted'; unshare --net sh -c 'nft -f {RULES} && nft list table {TABLE}' 2>&1
echo '{_MARK}kernel'; nft list table {TABLE} 2>&1
echo '{_MARK}enabled'; systemctl is-enabled {UNIT} 2>&1
echo '{_MARK}active'; systemctl is-active {UNIT} 2>&1
"""


@dataclass(frozen=True)
class Opening:
    """A port that the rules let in: to whom is in `match`, in nftables' words."""

    protocol: str
    port: str
    match: str


@dataclass(frozen=True)
class Firewall:
    """The rules' file, the table it means, the table in the kernel, and the unit's state."""

    disk: str
    wanted: str
    kernel: str
    enabled: str
    active: str

    @property
    def loaded(self) -> bool:
        """Whether the kernel has the table at all."""
        return self.kernel.startswith(f"table {TABLE}")

    @property
    def openings(self) -> tuple[Opening, ...]:
        """What the file lets in by a port of this host."""
        found = (_ACCEPT.match(line) for line in self.disk.splitlines())
        return tuple(
            Opening(one["protocol"], one["port"], one["match"].strip()) for one in found if one
        )


def firewall(reach: Reach) -> Firewall:
    """Look at file, table and unit."""
    done = reach.runner.run(["sh", "-c", _SCRIPT])
    return parse_firewall(done.stdout)


def parse_firewall(text: str) -> Firewall:
    """The record from the script's output; a part that is missing is empty."""
    parts = dict.fromkeys(("disk", "wanted", "kernel", "enabled", "active"), "")
    for block in text.split(_MARK)[1:]:
        name, _, content = block.partition("\n")
        parts[name.strip()] = content.strip()
    return Firewall(**parts)


class Door(str, Enum):
    """What a TCP connection from here met."""

    OPEN = "open"
    CLOSED = "closed, not filtered"
    FILTERED = "filtered"


@dataclass(frozen=True)
class Knock:
    """One attempt: the port, and what it met."""

    port: int
    door: Door


def own_address(reach: Reach) -> str:
    """The address that the host sees this machine by, translation left out."""
    family = socket.AF_INET6 if ":" in reach.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((reach.address, 9))  # sends nothing: the kernel only picks the address
        return str(probe.getsockname()[0])


def knocks(reach: Reach, ports: tuple[int, ...]) -> tuple[Knock, ...]:
    """Try to connect to each TCP port, all at once; nothing is sent."""
    if not ports:
        return ()
    with ThreadPoolExecutor(max_workers=len(ports)) as pool:
        doors = pool.map(lambda port: _knock(reach.address, port), ports)
        return tuple(Knock(port, door) for port, door in zip(ports, doors, strict=True))


def _knock(address: str, port: int) -> Door:
    try:
        with socket.create_connection((address, port), timeout=_CONNECT_SECONDS):
            return Door.OPEN
    except ConnectionRefusedError:
        return Door.CLOSED
    except TimeoutError:
        return Door.FILTERED
    except OSError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES):
            return Door.FILTERED
        raise
