"""Sign a report's manifest with the site's own key (Ed25519, RFC 8032), and verify it.

The private key stays on the machine that installs. The auditor gets the public key on the day of
the installation, and needs nothing else to verify every later report.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from ucontact_appliance.ed25519 import private_key
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, with_note


@dataclass(frozen=True)
class ReportSignature:
    """The 64 octets of a signature, and the fingerprint of the key that made it."""

    value: bytes
    key: str


def generate() -> bytes:
    """Return a new private key in PEM (PKCS #8)."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_half(private: bytes) -> bytes:
    """Return the public key of a private key, in PEM (SubjectPublicKeyInfo)."""
    return (
        _private(private).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )


def fingerprint(public: bytes) -> str:
    """Return the SHA-256 fingerprint of the key's 32 octets, in the format of ssh.

    Raises UsageError if `public` is no Ed25519 key in PEM.
    """
    raw = _public(public).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def sign(private: bytes, data: bytes) -> ReportSignature:
    """Return the signature of the data."""
    value = _private(private).sign(data)
    return ReportSignature(value, fingerprint(public_half(private)))


def holds(public: bytes, signature: bytes, data: bytes) -> bool:
    """Return whether `signature` is that key's signature of exactly this data.

    Raises UsageError if `public` is no Ed25519 key in PEM.
    """
    key = _public(public)
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def read_key(path: Path) -> bytes:
    """Return the public key in that file. Raises UnreachableError, or UsageError for no key."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreachableError(
            _("the key can't be read"),
            evidence=str(error),
            helps=with_note("ucontact report key", _("on the machine that installed the site")),
        ) from error
    _public(data)
    return data


def _private(data: bytes) -> Ed25519PrivateKey:
    key = private_key(data)
    if key is None:
        raise UsageError(
            _("the site's report signing key is damaged, or is not an Ed25519 key in PEM"),
            evidence=_("report.key in the site's folder below /etc/ucontact"),
            helps=with_note(
                _("restore report.key from your backup"), _("auditors have its public key")
            ),
        )
    return key


def _public(data: bytes) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(
            _("that is not the public key of a site"),
            evidence=_("expected: an Ed25519 key in PEM, '-----BEGIN PUBLIC KEY-----'"),
            helps=with_note("ucontact report key", _("on the machine that installed the site")),
        )
    return key
