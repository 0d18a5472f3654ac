"""Private Ed25519 keys in PEM: those that sign reports and releases."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def private_key(pem: bytes) -> Ed25519PrivateKey | None:
    """The key; None where there is none, another kind, or one behind a passphrase.

    The library's own messages are not passed on: they may quote the file.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PrivateKey) else None
