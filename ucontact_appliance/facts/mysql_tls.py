"""MySQL's TLS, which starts inside MySQL's own protocol and is reached through a tunnel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ucontact_appliance.clients import tls
from ucontact_appliance.clients.mysql import open_tls
from ucontact_appliance.clients.tls import Endpoint, Handshake, OfferResult
from ucontact_appliance.facts.source import ProbeContext


def greeting(reach: ProbeContext, port: int, ca: str) -> Handshake:
    """A handshake verified against the CA in that file."""
    with _server(reach, port) as where:
        return tls.handshake(where, Path(ca))


def versions(reach: ProbeContext, port: int, names: tuple[str, ...]) -> tuple[OfferResult, ...]:
    """The server's answer to each protocol version offered alone."""
    with _server(reach, port) as where:
        return tuple(tls.offer_version(where, name) for name in names)


def cipher_groups(
    reach: ProbeContext, port: int, groups: tuple[tuple[str, str], ...]
) -> tuple[OfferResult, ...]:
    """The server's answer to each group of ciphers, given as pairs of title and OpenSSL string."""
    with _server(reach, port) as where:
        return tuple(tls.offer_ciphers(where, title, ciphers) for title, ciphers in groups)


@contextmanager
def _server(reach: ProbeContext, port: int) -> Iterator[Endpoint]:
    with reach.runner.forward(port) as local:
        yield Endpoint("127.0.0.1", local, "localhost", open_tls)
