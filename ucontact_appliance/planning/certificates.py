"""Fields of a certificate: its names, key, issuer and validity (R01, R02, R10)."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from ucontact_appliance.language.messages import _

# CA/Browser Forum baseline requirements 6.1.5: the keys that browsers accept.
_LEAST_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_BROKEN_HASHES = (hashes.MD5, hashes.SHA1)


def spki_pin(pem: str | bytes) -> str:
    """The RFC 7469 pin (base64 of the SHA-256 of the SubjectPublicKeyInfo) for R10.

    `pem` holds a public key or certificates, of which the first counts. Raises ValueError if it
    holds neither.
    """
    data = pem.encode() if isinstance(pem, str) else pem
    if b"-----BEGIN PUBLIC KEY-----" in data:
        key = serialization.load_pem_public_key(data)
    else:
        key = x509.load_pem_x509_certificates(data)[0].public_key()
    return base64.b64encode(hashlib.sha256(public_der(key)).digest()).decode()


def fingerprint(pem: bytes) -> str:
    """SHA-256 of the first certificate, in the format of `openssl x509 -fingerprint -sha256`.

    Raises ValueError if there is none.
    """
    certificate = x509.load_pem_x509_certificates(pem)[0]
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def public_der(key: PublicKeyTypes) -> bytes:
    """The SubjectPublicKeyInfo of the key, in DER."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The certificate's subject alternative names (DNS and IP); clients ignore its CN."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    dns = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return (*dns, *(str(address) for address in addresses))


def speaks_for(certificate: x509.Certificate, name: str) -> bool:
    """Whether the certificate is valid for `name` (RFC 6125: `*` matches one leftmost label)."""
    wanted = name.lower()
    try:
        wanted = str(ipaddress.ip_address(name))
        is_address = True
    except ValueError:
        is_address = False
    for known in (known.lower() for known in names_of(certificate)):
        if known == wanted:
            return True
        if known.startswith("*.") and not is_address and wanted.partition(".")[2] == known[2:]:
            return True
    return False


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the certificate names this issuer and is signed with its key."""
    if has_broken_hash(certificate):
        # Such a signature proves nothing (`judge_chain` reports it): the names must suffice.
        return certificate.issuer == issuer.subject
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether it is signed with its own key: a root, or a self-signed server certificate."""
    return is_issued_by(certificate, certificate)


def has_broken_hash(certificate: x509.Certificate) -> bool:
    """Whether it is signed with SHA-1 or MD5."""
    try:
        return isinstance(certificate.signature_hash_algorithm, _BROKEN_HASHES)
    except UnsupportedAlgorithm:
        return False


def weak_key(key: PublicKeyTypes) -> str:
    """Why browsers reject this key; empty if they accept it."""
    if isinstance(key, rsa.RSAPublicKey):
        return (
            _("its RSA key has only {key_size} bits", key_size=key.key_size)
            if key.key_size < _LEAST_RSA_BITS
            else ""
        )
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, _CURVES):
            return ""
        return _(
            "its key is on the curve {name}, which browsers do not accept", name=key.curve.name
        )
    return _("its key is neither RSA nor ECDSA; browsers accept no other")


def days_left(certificate: x509.Certificate, now: datetime) -> float:
    """Days until it expires; negative if it has expired."""
    return (certificate.not_valid_after_utc - now) / timedelta(days=1)
