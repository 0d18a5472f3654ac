"""A host's firewall on disk and in the kernel, and the ports that it lets through from here."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

from ucontact_appliance.facts.source import ProbeContext

RULES = "/etc/nftables.d/ucontact.nft"
UNIT = "ucontact-firewall.service"
TABLE = "inet ucontact"
_MARK = "=== "
KNOCK_SECONDS = 1.6  # one SYN retransmission after 1 s (RFC 6298), and 0.6 s for its answer
_CHAIN = re.compile(r"^chain (?P<name>\S+) \{")
_POLICY = re.compile(r"\bpolicy (\w+)")
# Statements that may let a packet in, directly or through another chain.
_LETS_IN = re.compile(r"\b(?:accept|jump|goto|vmap|queue|include)\b")
_ASIDE = re.compile(r'"[^"]*"|#.*')
_ACCEPT = re.compile(
    r"(?:(?P<match>.+?) )??(?P<protocol>tcp|udp) dport (?P<port>\d+(?:-\d+)?) accept"
)
_COUNTED = re.compile(r"tcp dport (\d+) .*\bct count over (\d+)")
_ANYBODY = {
    "": ("0.0.0.0/0", "::/0"),
    "meta nfproto ipv4": ("0.0.0.0/0",),
    "meta nfproto ipv6": ("::/0",),
}
_NETWORKS = re.compile(r"ip6? saddr (?:\{ (?P<set>[^{}]+) \}|(?P<one>[0-9a-fA-F.:/]+))")
# The file is loaded in a network namespace of its own: the kernel formats both versions alike.
_SCRIPT = f"""
echo '{_MARK}disk'; cat {RULES}
echo '{_MARK}wanted'; unshare --net sh -c 'nft -f {RULES} && nft list table {TABLE}' 2>&1
echo '{_MARK}kernel'; nft list table {TABLE} 2>&1
echo '{_MARK}enabled'; systemctl is-enabled {UNIT} 2>&1
echo '{_MARK}active'; systemctl is-active {UNIT} 2>&1
"""


@dataclass(frozen=True)
class Opening:
    """A port that a rule opens to `sources`; `single`: to one address without a prefix length."""

    protocol: str
    port: str
    sources: tuple[str, ...]
    single: bool


@dataclass(frozen=True)
class InputChain:
    """How a rules file treats packets to the host.

    `policy` applies to packets that match no rule; nftables' default is accept. `rules` are all
    rules that may let a packet in, directly or through another chain, as lines of text.
    """

    policy: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Firewall:
    """The rules file, the table that it defines, the table in the kernel, and the unit's state."""

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
    def input(self) -> InputChain:
        """How the file treats packets to the host."""
        return parse_input(self.disk)


def firewall(reach: ProbeContext) -> Firewall:
    """Read the file, the table and the unit."""
    done = reach.runner.run(["sh", "-c", _SCRIPT])
    return parse_firewall(done.stdout)


@dataclass(frozen=True)
class SourceLimits:
    """Connections allowed per source address, by TCP port; `loaded`: the table exists."""

    loaded: bool
    ports: Mapping[str, int]
    evidence: str


def source_limits(reach: ProbeContext) -> SourceLimits:
    """Read the nftables chain that limits connections per source."""
    done = reach.runner.run(["nft", "list", "chain", "inet", "ucontact_limits", "input"])
    return parse_source_limits(done.status == 0, done.stdout + done.stderr)


def parse_source_limits(loaded: bool, text: str) -> SourceLimits:
    """Parse `nft list chain`; if a port's rules differ, the highest limit counts."""
    ports: dict[str, int] = {}
    for port, most in _COUNTED.findall(text):
        ports[port] = max(int(most), ports.get(port, 0))
    return SourceLimits(loaded, ports, text)


def parse_firewall(text: str) -> Firewall:
    """Parse the script's output; a missing part is empty."""
    parts = dict.fromkeys(("disk", "wanted", "kernel", "enabled", "active"), "")
    for block in text.split(_MARK)[1:]:
        name, _, content = block.partition("\n")
        parts[name.strip()] = content.strip()
    return Firewall(**parts)


def parse_input(text: str) -> InputChain:
    """Parse the chain `input` of a rules file, and the file's statements outside of any chain."""
    policy, rules, chain, depth = "accept", [], "", 0
    for raw in text.splitlines():
        line = " ".join(raw.split())
        bare = _ASIDE.sub("", line)
        opened = _CHAIN.match(bare)
        if opened:
            chain, depth = opened["name"], 0
        depth += bare.count("{") - bare.count("}")
        set_policy = _POLICY.search(bare)
        if chain == "input" and set_policy:
            policy = set_policy[1]
        elif chain in ("", "input") and _LETS_IN.search(bare):
            rules.append(line)
        if chain and depth <= 0:
            chain = ""
    return InputChain(policy, tuple(rules))


def parse_opening(rule: str) -> Opening | None:
    """The port that a rule opens; None for a rule that matches on anything else as well."""
    found = _ACCEPT.fullmatch(rule)
    match = (found["match"] or "") if found else ""
    named = _NETWORKS.fullmatch(match)
    if found is None or (match not in _ANYBODY and named is None):
        return None
    texts = (named["set"] or named["one"]).split(",") if named else _ANYBODY[match]
    try:
        networks = tuple(str(ipaddress.ip_network(text.strip())) for text in texts)
    except ValueError:
        return None
    single = named is not None and named["one"] is not None and "/" not in named["one"]
    return Opening(found["protocol"], found["port"], networks, single)


class PortState(str, Enum):
    """The result of a TCP connection attempt from here."""

    OPEN = "open"
    CLOSED = "closed, not filtered"
    FILTERED = "filtered"


@dataclass(frozen=True)
class PortProbe:
    """One attempt: the port, and its result."""

    port: int
    door: PortState


def own_address(reach: ProbeContext) -> str:
    """This machine's source address towards the host, ignoring NAT."""
    family = socket.AF_INET6 if ":" in reach.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((reach.address, 9))  # sends nothing: the kernel only picks the address
        return str(probe.getsockname()[0])


def knocks(reach: ProbeContext, ports: tuple[int, ...]) -> tuple[PortProbe, ...]:
    """Try to connect to each TCP port, all at once; nothing is sent.

    If a command runs over ssh, ssh's port is open. It is not probed: sshd penalises a source whose
    connections never log in (PerSourcePenalties, sshd_config(5)).
    """
    if not ports:
        return ()

    def door(port: int) -> PortState:
        if port == reach.host.port and not reach.host.is_local:
            reach.runner.run(["true"])
            return PortState.OPEN
        return _knock(reach.address, port)

    with ThreadPoolExecutor(max_workers=len(ports)) as pool:
        return tuple(
            PortProbe(port, met) for port, met in zip(ports, pool.map(door, ports), strict=True)
        )


def _knock(address: str, port: int) -> PortState:
    try:
        with socket.create_connection((address, port), timeout=KNOCK_SECONDS):
            return PortState.OPEN
    except ConnectionRefusedError:
        return PortState.CLOSED
    except TimeoutError:
        return PortState.FILTERED
    except OSError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES):
            return PortState.FILTERED
        raise
