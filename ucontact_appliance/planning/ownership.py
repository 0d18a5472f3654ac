"""Decide whose installation a server carries, from the site CA's certificate on it.

Every installation puts the site CA's certificate on the server (role certificates). Its key
identifies the site and the installing machine; it stays the same when the certificate is renewed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from ucontact_appliance.language.messages import Message, _
from ucontact_appliance.planning.certificates import spki_pin
from ucontact_appliance.printable import printable

_ORGANISATION = "uContact site "
_NAME_CHARS = 64


@dataclass(frozen=True)
class SiteMark:
    """The identity in a site CA's certificate: site, RFC 7469 pin of its key, SHA-256 fingerprint.

    All three are empty for a file without a certificate.
    """

    site: str = ""
    pin: str = ""
    fingerprint: str = ""

    @property
    def words(self) -> Message:
        """The mark as text for people."""
        if not self.pin:
            return _("a site CA's certificate that can't be read")
        return _(
            "the CA of the site {site}, SHA-256 {fingerprint}",
            site=self.site or _("(unnamed)"),
            fingerprint=self.fingerprint,
        )


def organisation(site: str) -> str:
    """The organisation (X.520) in the subject of that site's CA."""
    return f"{_ORGANISATION}{site}"[:_NAME_CHARS]


def mark_of(pem: bytes) -> SiteMark:
    """The mark in this file's content, which is untrusted."""
    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
        names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        pin = spki_pin(pem)
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm, x509.InvalidVersion):
        return SiteMark()
    owner = str(names[0].value) if names else ""
    return SiteMark(
        site=" ".join(printable(owner.removeprefix(_ORGANISATION)).split())[:_NAME_CHARS],
        pin=pin,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def marks_of(files: Mapping[str, bytes | None]) -> dict[str, SiteMark | None]:
    """The marks in the servers' files, by host; None for a server without one."""
    return {host: None if pem is None else mark_of(pem) for host, pem in files.items()}


def strangers(
    marks: Mapping[str, SiteMark | None], own: str | None, replaced: Collection[str] = ()
) -> dict[str, SiteMark]:
    """The servers that carry another installation, with its mark.

    `marks` has None for a server without a mark. `own` is the pin of this machine's CA for the
    site, None if it has none; `replaced` are the pins of earlier CAs. An unreadable mark counts as
    ours (and is repaired) if this machine has the CA, and as another installation's if not.
    """
    known = {*replaced, own}
    return {
        host: mark
        for host, mark in marks.items()
        if mark is not None and (mark.pin not in known if mark.pin else own is None)
    }
