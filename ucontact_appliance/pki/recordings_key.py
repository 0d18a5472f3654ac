"""The key that decrypts a site's recordings, and the certificate that they are encrypted for."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from ucontact_appliance.pki.builder import builder, certificate_pem, key_pem, key_usage, new_key
from ucontact_appliance.pki.folder import PkiFolder

# CMS names the recipient by the certificate; nobody judges its dates.
_DAYS = 36500
_KEY, _CERTIFICATE = "recordings.key", "recordings.pem"


def ensure_recordings_key(folder: PkiFolder, now: datetime) -> None:
    """Ensure both files. A key that exists is kept: without it no recording could be played."""
    key = folder.key(_KEY)
    if key is None:
        key = new_key()
        folder.put(_KEY, key_pem(key), private=True)
    elif folder.certificate(_CERTIFICATE) is not None:
        return
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "uContact recordings")])
    certificate = (
        builder(name, key.public_key(), key, now, _DAYS)
        .issuer_name(name)
        .add_extension(key_usage("key_agreement"), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.put(_CERTIFICATE, certificate_pem(certificate))
