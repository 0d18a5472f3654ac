"""Building blocks of certificates: keys, extensions, name constraints, PEM."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificatePublicKeyTypes,
)

from ucontact_appliance.planning.certificates import spki_pin

E = TypeVar("E", bound=x509.ExtensionType)
# Certificates start in the past, because clocks of phones and PCs on site may be slow.
_BACKDATE = timedelta(hours=1)
# Permitted for the servers of any site, so that renumbering needs no new root on the PCs.
_PRIVATE_NETWORKS = (
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip
_EVERY_USAGE = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def pin_of(key: CertificatePublicKeyTypes) -> str:
    """The key's RFC 7469 pin."""
    return spki_pin(public_pem(key))


def public_pem(key: CertificatePublicKeyTypes) -> bytes:
    """The public key in PEM."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def builder(
    subject: x509.Name,
    public: CertificatePublicKeyTypes,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    """Return a builder with the common parts: validity, serial number, key identifiers."""
    start = now - _BACKDATE
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )


def key_usage(*wanted: str) -> x509.KeyUsage:
    """Return the extension with these usages, named like the parameters of x509.KeyUsage."""
    return x509.KeyUsage(**{usage: usage in wanted for usage in _EVERY_USAGE})


def alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    """The extension with these host names and addresses."""
    entries: list[x509.GeneralName] = []
    for name in names:
        try:
            entries.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            entries.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(entries)


def permitted_networks(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return the private networks, and one network per address outside of them."""
    private = [ipaddress.ip_network(network) for network in _PRIVATE_NETWORKS]
    outside = (
        str(ipaddress.ip_network(address))
        for address in addresses
        if not any(ipaddress.ip_address(address) in network for network in private)
    )
    return tuple(dict.fromkeys([*_PRIVATE_NETWORKS, *outside]))


def permits(ca: x509.Certificate, dns: Sequence[str], networks: Sequence[str]) -> bool:
    """Return whether the CA's name constraints permit all of these names and networks."""
    constraints = extension_of(ca, x509.NameConstraints)
    if constraints is None:
        return False
    known = {str(general.value) for general in constraints.permitted_subtrees or ()}
    return known >= {*dns, *networks}


def extension_of(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """That extension's value; None when the certificate has none."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def new_key() -> ec.EllipticCurvePrivateKey:
    """A new ECDSA key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """The private key in PEM (PKCS #8), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """The certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)
