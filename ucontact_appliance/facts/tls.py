"""The host's TLS services as seen from here: one record per service and question (R08)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_der_x509_certificate

from ucontact_appliance.clients import tls, wss
from ucontact_appliance.clients.tls import Endpoint, Handshake, OfferResult
from ucontact_appliance.clients.wss import Upgrade
from ucontact_appliance.facts.pace import usual_seconds
from ucontact_appliance.facts.source import ProbeContext


def endpoint(reach: ProbeContext, port: int) -> Endpoint:
    """The host's service on that port, addressed by the portal's name (SNI)."""
    return Endpoint(reach.address, port, reach.site.fqdn)


def greeting(reach: ProbeContext, port: int, roots: str, alpn: tuple[str, ...] = ()) -> Handshake:
    """A handshake verified against the roots in that file."""
    return tls.handshake(endpoint(reach, port), Path(roots), alpn)


def handshake_seconds(reach: ProbeContext, port: int, roots: str) -> float:
    """The usual duration of such a handshake in seconds."""
    return usual_seconds(lambda: greeting(reach, port, roots))


def versions(reach: ProbeContext, port: int, names: tuple[str, ...]) -> tuple[OfferResult, ...]:
    """The server's answer to each protocol version alone, in parallel: some may time out."""
    where = endpoint(reach, port)
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        return tuple(pool.map(lambda name: tls.offer_version(where, name), names))


def cipher_groups(
    reach: ProbeContext, port: int, groups: tuple[tuple[str, str], ...]
) -> tuple[OfferResult, ...]:
    """The server's answer to each group of ciphers, given as pairs of title and OpenSSL string."""
    return tuple(
        tls.offer_ciphers(endpoint(reach, port), title, ciphers) for title, ciphers in groups
    )


def curves(reach: ProbeContext, port: int, names: tuple[str, ...]) -> tuple[OfferResult, ...]:
    """The server's answer to each curve alone."""
    return tuple(tls.offer_curve(endpoint(reach, port), name) for name in names)


@dataclass(frozen=True)
class Preference:
    """The server's choice from a list of ciphers, and from the same list reversed."""

    offered: tuple[str, ...]
    forwards: str
    backwards: str


def preference(
    reach: ProbeContext, port: int, certificate: bytes, ciphers: tuple[str, ...]
) -> Preference:
    """Offer the ciphers that match the certificate's key type, in both orders."""
    key = load_der_x509_certificate(certificate).public_key()
    kind = "ECDSA" if isinstance(key, ec.EllipticCurvePublicKey) else "RSA"
    # ChaCha20 is left out: a server may legitimately prefer it for a client that puts it first.
    offered = tuple(c for c in ciphers if f"-{kind}-" in c and "CHACHA20" not in c)
    where = endpoint(reach, port)
    return Preference(
        offered=offered,
        forwards=tls.agreed_cipher(where, offered),
        backwards=tls.agreed_cipher(where, offered[::-1]),
    )


def sip_upgrade(reach: ProbeContext, port: int, path: str, roots: str) -> Upgrade:
    """Open the SIP WebSocket on that port (R02)."""
    return wss.upgrade(endpoint(reach, port), path, Path(roots))
