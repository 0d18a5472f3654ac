"""Signing a report's manifest with the site's own key (Ed25519, RFC 8032), and checking it.

The private half stays on the machine that installs; the auditor takes the public half along on the
day of the installation, and needs nothing else to check every later report.
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
class Signature:
    """The 64 octets of a signature, and the fingerprint of the key that made it."""

    value: bytes
    key: str


def generate() -> bytes:
    """A new private key in PEM (PKCS #8)."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_half(private: bytes) -> bytes:
    """The public key in PEM (SubjectPublicKeyInfo)."""
    return (
        _private(private).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )


def fingerprint(public: bytes) -> str:
    """What people compare keys by: SHA-256 of the 32 octets of the key, as ssh writes it.

    Raises UsageError when it is no Ed25519 key in PEM.
    """
    raw = _public(public).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def sign(private: bytes, data: bytes) -> Signature:
    """The signature of those octets."""
    value = _private(private).sign(data)
    return Signature(value, fingerprint(public_half(private)))


def holds(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether that key made that signature of those very octets.

    Raises UsageError when it is no Ed25519 key in PEM.
    """
    key = _public(public)
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def read_key(path: Path) -> bytes:
    """The public key in that file. Raises UnreachableError, or UsageError when it is none."""
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
            _("the site's key that signs reports is damaged, or no Ed25519 key in PEM"),
            evidence=_("report.key in the site's folder below /etc/ucontact"),
            helps=with_note(
                _("restore report.key from your backup"), _("auditors hold its public half")
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
            _("that is no public key of a site"),
            evidence=_("expected: an Ed25519 key in PEM, '-----BEGIN PUBLIC KEY-----'"),
            helps=with_note("ucontact report key", _("on the machine that installed the site")),
        )
    return key
