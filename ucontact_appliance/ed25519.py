"""Load the Ed25519 private keys (PEM) that sign reports and releases."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def private_key(pem: bytes) -> Ed25519PrivateKey | None:
    """Return the key; None if `pem` holds no key, another type of key, or an encrypted one.

    The library's own messages are not passed on: they may quote the file.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PrivateKey) else None
