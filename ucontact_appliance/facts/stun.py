"""coturn as its clients see it: bindings, and relays with good, bad and no credentials."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ucontact_appliance.clients.stun import (
    Allocation,
    Binding,
    Credential,
    Server,
    allocation,
    binding,
    time_limited,
)
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _

T = TypeVar("T")

_USER = "doctor"
# Relays must not reach these (RFC 6890): the server itself, a cloud's metadata service, multicast,
# this network, and an address outside any site (TEST-NET-1). A permission sends nothing to them.
FORBIDDEN_PEERS = ("127.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", "192.0.2.1")


@dataclass(frozen=True)
class StunResult:
    """A binding, or the error text in `error`."""

    server: str
    binding: Binding | None
    error: str = ""


@dataclass(frozen=True)
class Relay:
    """An allocation, or the error text in `error`."""

    server: str
    allocation: Allocation | None
    error: str = ""


def bound(reach: ProbeContext, port: int) -> StunResult:
    """Request a STUN binding over UDP."""
    server = Server(reach.address, port)
    found, error = _tried(lambda: binding(server))
    return StunResult(server.label, found, error)


def bound_by_tls(reach: ProbeContext, port: int, roots: str) -> StunResult:
    """Request a STUN binding over TLS, verified for the portal's name by the roots in that file."""
    try:
        context = ssl.create_default_context(cafile=roots)
    except OSError as error:
        raise UnreachableError(
            _("{roots} can't be read", roots=roots), evidence=str(error)
        ) from error
    server = Server(reach.address, port, context, reach.site.fqdn)
    found, error_words = _tried(lambda: binding(server))
    return StunResult(server.label, found, error_words)


def relay_for_nobody(reach: ProbeContext, port: int) -> Relay:
    """Request a relay without any credential."""
    return _relay(Server(reach.address, port), None)


def relay_for_stranger(reach: ProbeContext, port: int) -> Relay:
    """Request a relay with a credential made from a wrong secret."""
    return _relay(Server(reach.address, port), time_limited("not the secret", _USER))


def relay_for_agent(reach: ProbeContext, port: int, secret: str) -> Relay:
    """Request a relay as an agent, with permissions for the server's address and forbidden ones."""
    return _relay(Server(reach.address, port), time_limited(secret, _USER), with_peers=True)


def _relay(server: Server, credential: Credential | None, *, with_peers: bool = False) -> Relay:
    def peers(relayed: str) -> tuple[str, ...]:
        return (relayed, *FORBIDDEN_PEERS) if with_peers else ()

    found, error = _tried(lambda: allocation(server, credential, peers=peers))
    return Relay(server.label, found, error)


def _tried(ask: Callable[[], T]) -> tuple[T | None, str]:
    try:
        return ask(), ""
    except TimeoutError as error:
        return None, str(error)
    except UnreachableError as error:
        return None, f"{error.what}: {error.evidence}"
