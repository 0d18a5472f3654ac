"""Bans on a telephony server: fail2ban's jails, and the nftables sets that enforce them."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from enum import Enum

from ucontact_appliance.facts.asterisk import CONNECTION_JAIL, DATAGRAM_JAIL, JAIL
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.language.messages import _

TABLE = "inet ucontact_sip"
# Sets of the table by address family: they hold the bans of fail2ban's jails for SIP.
_ADDRESSES = {4: "banned-ip", 6: "banned-ip6"}
_CONNECTIONS = {4: "refused-ip", 6: "refused-ip6"}
_DATAGRAMS = {4: "datagrams-ip", 6: "datagrams-ip6"}
_SETS = (*_ADDRESSES.values(), *_CONNECTIONS.values(), *_DATAGRAMS.values())
_DATAGRAM_PREFIX = "UDP/"
# The jails whose bans are elements of these sets; other jails enforce bans by their own actions.
_SIP_JAILS = frozenset((JAIL, CONNECTION_JAIL, DATAGRAM_JAIL))
_SECONDS = 30.0
_MOST_CHARACTERS = 256  # per banned ID: an address or a connection has fewer than 60
_CONNECTION = re.compile(r"[A-Z]{2,5}/(?P<address>[0-9A-Fa-f:.]+)/(?P<port>\d{1,5})")
# `fail2ban-client get JAIL banip --with-time`: ID, since, seconds (negative: permanent), until.
_WITH_TIME = re.compile(r"(\S.*?) *\t(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \+ (-?\d+) = .+")
_JAILS = re.compile(r"Jail list:[ \t]*(.*)")
_Row = tuple[str, datetime | None, datetime | None]
_BANNED = re.compile(r"Banned IP list:[ \t]*(.*)")


@dataclass(frozen=True)
class Target:
    """What a ban applies to, as fail2ban names it: an address, or a connection from one.

    `address` is empty when another jail bans something that is neither; `port` is None except for
        connections. `datagrams` when the address may send no datagrams, and the rest of it is free.
    """

    id: str
    address: str = ""
    port: int | None = None
    datagrams: bool = False

    @property
    def element(self) -> str:
        """The nftables set and element that block it. Raises ValueError when there is none."""
        version = ipaddress.ip_address(self.address).version
        if self.datagrams:
            return f"{_DATAGRAMS[version]} {{ {self.address} }}"
        if self.port is None:
            return f"{_ADDRESSES[version]} {{ {self.address} }}"
        return f"{_CONNECTIONS[version]} {{ {self.address} . {self.port} }}"

    def covers(self, other: Target) -> bool:
        """Whether lifting this ban lifts the other: an address includes all that is of it."""
        if not self.address:
            return self.id == other.id
        if self.datagrams and not other.datagrams:
            return False
        return self.address == other.address and self.port in (None, other.port)


class BanState(Enum):
    """Whether fail2ban and the nftables sets agree on a ban."""

    IN_FORCE = _("in force")
    LEFT_OVER = _("stale: unknown to fail2ban")
    NOT_ENFORCED = _("not enforced: missing in nftables")


@dataclass(frozen=True)
class Ban:
    """One ban; `jail` is empty when only an nftables set contains it.

    `since` and `until` are aware datetimes, None when fail2ban is too old to report them; `until`
    is None for a permanent ban, too.
    """

    jail: str
    target: Target
    standing: BanState
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class HostBans:
    """The bans of one host, by jail; `error` describes what could not be read, or is empty."""

    bans: tuple[Ban, ...]
    error: str = ""


_LOOK = "\n".join(
    (
        script(zone="date +%z", jails="fail2ban-client status 2>&1"),
        "jails=$(fail2ban-client status 2>/dev/null | sed -n 's/.*Jail list:[[:space:]]*//p')",
        "for jail in $(printf %s \"$jails\" | tr ',' ' '); do",
        'echo "---- jail $jail"',
        # Before 0.10.5 fail2ban lists the addresses without times.
        'fail2ban-client get "$jail" banip --with-time 2>/dev/null '
        '|| fail2ban-client status "$jail" 2>&1',
        "done",
        *(f"echo '---- set {name}'; nft -j list set {TABLE} {name} 2>&1" for name in _SETS),
        "true",
    )
)


def bans(runner: Runner) -> HostBans:
    """Every ban on the host; read-only. Raises UnreachableError, TimeoutError."""
    done = runner.run(["sh", "-c", _LOOK], timeout=_SECONDS)
    with parsing(done, _("the list of bans can't be parsed")):
        return parse_bans(done.stdout)


def parse_bans(text: str) -> HostBans:
    """Parse the probe's output, with fail2ban 0.10 to 1.1. Raises ValueError."""
    parts = sections(text)
    status = parts["jails"].strip()
    errors = [] if _JAILS.search(status) else [f"fail2ban: {_last(status)}"]
    zone = datetime.strptime(parts["zone"].strip(), "%z").tzinfo
    elements: dict[str, Target] = {}
    for name in _SETS:
        answer = parts[f"set {name}"].strip()
        if answer.startswith("{"):
            datagrams = name in _DATAGRAMS.values()
            elements |= {target.element: target for target in _elements(answer, datagrams)}
        else:
            errors.append(f"nftables set {name}: {answer.splitlines()[0] if answer else 'silent'}")
    found = [
        ban
        for name, part in parts.items()
        if name.startswith("jail ")
        for ban in _of_jail(name.removeprefix("jail "), part, zone, elements)
    ]
    known = {ban.target.element for ban in found if ban.jail in _SIP_JAILS and ban.target.address}
    found += [
        Ban("", target, BanState.LEFT_OVER)
        for element, target in elements.items()
        if element not in known
    ]
    return HostBans(tuple(found), "\n".join(errors))


def _last(text: str) -> str:
    return text.splitlines()[-1] if text else _("no response")


def _of_jail(
    jail: str, text: str, zone: tzinfo | None, elements: Mapping[str, Target]
) -> Iterator[Ban]:
    for name, since, until in _listed(text, zone):
        target = parse_target(name)
        if jail == DATAGRAM_JAIL and target.address:
            target = replace(target, datagrams=True)
        standing = BanState.IN_FORCE
        if jail in _SIP_JAILS and (not target.address or target.element not in elements):
            standing = BanState.NOT_ENFORCED
        yield Ban(jail, target, standing, since, until)


def _listed(
    text: str, zone: tzinfo | None
) -> Iterator[tuple[str, datetime | None, datetime | None]]:
    """Yield each banned ID, since when, and until when."""
    without = _BANNED.search(text)
    if without:
        yield from ((name, None, None) for name in without.group(1).split())
        return
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _WITH_TIME.fullmatch(line)
        if not match:
            raise ValueError(f"not a ban: {line[:_MOST_CHARACTERS]!r}")
        since = datetime.strptime(match[2], "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
        since = since.astimezone(timezone.utc)
        yield match[1], since, _end(since, int(match[3]))


def _end(since: datetime, seconds: int) -> datetime | None:
    """The end of a ban; None for a permanent one (negative seconds), or past datetime's range."""
    try:
        return None if seconds < 0 else since + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _elements(text: str, datagrams: bool) -> Iterator[Target]:
    """Parse the elements of a set from `nft -j list set` (libnftables-json(5))."""
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("JSON nested too deep") from error
    for row in document["nftables"]:
        for one in row.get("set", {}).get("elem", []):
            value = one["elem"]["val"] if isinstance(one, dict) and "elem" in one else one
            if isinstance(value, dict):
                address, port = value["concat"]
                yield _target(str(address), str(port))
            elif datagrams:
                yield _datagrams_of(str(value))
            else:
                yield _target(str(value))


def _target(address: str, port: str | None = None) -> Target:
    """Raises ValueError for an invalid address or port. Sets do not store the protocol: TCP."""
    if "%" in address:  # an IPv6 zone may be any text, and no set contains one
        raise ValueError(f"not an address: {address[:_MOST_CHARACTERS]}")
    plain = str(ipaddress.ip_address(address))
    if port is None:
        return Target(plain, plain)
    number = int(port)
    if not 0 < number < 1 << 16:
        raise ValueError(f"not a port: {port[:_MOST_CHARACTERS]}")
    return Target(f"TCP/{plain}/{number}", plain, number)


def _datagrams_of(address: str) -> Target:
    plain = _target(address).address
    return Target(f"{_DATAGRAM_PREFIX}{plain}", plain, datagrams=True)


def parse_target(text: str) -> Target:
    """Parse the ID of a ban; the target has no address if the ID is of no known kind.

    Raises ValueError for more than 256 characters.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"longer than {_MOST_CHARACTERS} characters: {text[:40]!r}")
    connection = _CONNECTION.fullmatch(text)
    try:
        if text.startswith(_DATAGRAM_PREFIX) and not connection:
            return replace(_datagrams_of(text.removeprefix(_DATAGRAM_PREFIX)), id=text)
        found = _target(connection["address"], connection["port"]) if connection else _target(text)
    except ValueError:
        return Target(text)
    # fail2ban looks a ban up by exactly the ID that it assigned.
    return Target(text, found.address, found.port)
