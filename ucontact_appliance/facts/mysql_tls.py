"""What MySQL's TLS is like: it begins within MySQL's own protocol, and behind a tunnel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ucontact_appliance.clients import tls
from ucontact_appliance.clients.mysql import open_tls
from ucontact_appliance.clients.tls import Answer, Endpoint, Handshake
from ucontact_appliance.facts.source import Reach


def greeting(reach: Reach, port: int, ca: str) -> Handshake:
    """A handshake that verifies against the authority in that file."""
    with _server(reach, port) as where:
        return tls.handshake(where, Path(ca))


def versions(reach: Reach, port: int, names: tuple[str, ...]) -> tuple[Answer, ...]:
    """What comes of offering each protocol version alone."""
    with _server(reach, port) as where:
        return tuple(tls.offer_version(where, name) for name in names)


def cipher_groups(
    reach: Reach, port: int, groups: tuple[tuple[str, str], ...]
) -> tuple[Answer, ...]:
    """What comes of offering each group of ciphers: pairs of title and OpenSSL cipher string."""
    with _server(reach, port) as where:
        return tuple(tls.offer_ciphers(where, title, ciphers) for title, ciphers in groups)


@contextmanager
def _server(reach: Reach, port: int) -> Iterator[Endpoint]:
    with reach.runner.forward(port) as local:
        yield Endpoint("127.0.0.1", local, "localhost", open_tls)
