"""The listening sockets on a host, and the processes that hold them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ucontact_appliance.facts.source import ProbeContext

_PROCESS = re.compile(r'\("([^"]+)",pid=(\d+)')


@dataclass(frozen=True)
class Listener:
    """A listening socket; `processes` are the names of the processes that hold it."""

    protocol: str
    address: str
    port: int
    processes: tuple[str, ...]
    line: str

    @property
    def loopback(self) -> bool:
        """Whether only this machine itself can reach it."""
        address = self.address.partition("%")[0]
        return address != "*" and ipaddress.ip_address(address).is_loopback


def listeners(reach: ProbeContext) -> tuple[Listener, ...]:
    """Every listening TCP socket, and every UDP socket that is bound without a peer."""
    done = reach.runner.run(["ss", "-lntup"])
    if done.status:
        raise RuntimeError(done.evidence)
    return parse_listeners(done.stdout)


def parse_listeners(text: str) -> tuple[Listener, ...]:
    """Parse the lines of `ss -lntup`."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] not in {"tcp", "udp"}:
            continue
        address, _, port = words[4].rpartition(":")
        names = tuple(dict.fromkeys(name for name, _ in _PROCESS.findall(line)))
        found.append(
            Listener(
                protocol=words[0],
                address=address.replace("[", "").replace("]", "") or "*",
                port=int(port),
                processes=names,
                line=line.strip(),
            )
        )
    return tuple(found)
