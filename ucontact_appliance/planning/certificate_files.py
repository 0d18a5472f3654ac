"""Parse certificates and private keys from a file's bytes, or report what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from ucontact_appliance.language.messages import Message, _, concatenated
from ucontact_appliance.planning.certificates import names_of

_BEGIN = b"-----BEGIN "
_PRIVATE = b"PRIVATE KEY-----"
_ASN1_SEQUENCE = 0x30
PLACES = {
    "chain": _("the chain file"),
    "key": _("the key file"),
    "ca": _("the root certificate file"),
}


@dataclass(frozen=True)
class CertificateProblem:
    """Why a chain or key can't be used: what is wrong, where, and what to do about it.

    `file` is the input that it is about: `chain`, `key` or `ca`.
    """

    what: str
    where: str
    remedy: str
    file: str

    def __str__(self) -> str:
        return str(self.words)

    @property
    def words(self) -> Message:
        """The problem as one text."""
        return concatenated((self.where, ": ", self.what, ". ", self.remedy, "."))


def read_certificates(
    pem: bytes, file: str
) -> tuple[list[x509.Certificate] | None, list[CertificateProblem]]:
    """The certificates in these bytes, or None and the reasons; `file` as in `Problem`."""
    where = PLACES[file]
    problem = _not_pem(
        pem, file, _("certificates"), "openssl x509 -inform der -in FILE -out FILE.pem"
    )
    if problem:
        return None, [problem]
    if _PRIVATE in pem:
        # The chain is readable by everybody on the server and served to everybody outside.
        return None, [
            CertificateProblem(
                _("it contains a private key in addition to the certificates"),
                where,
                _("Keep the key in a separate file and leave only certificates here"),
                file,
            )
        ]
    try:
        found = x509.load_pem_x509_certificates(pem)
        for certificate in found:
            # Extensions and keys are parsed lazily: parse them here to report a bad one.
            names_of(certificate)
            certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        return None, [
            CertificateProblem(
                _("no certificate can be read from it ({one_line})", one_line=_one_line(error)),
                where,
                _("Get the PEM file from your certificate authority again"),
                file,
            )
        ]
    return found, []


def read_key(pem: bytes) -> tuple[PrivateKeyTypes | None, list[CertificateProblem]]:
    """The private key in these bytes, or None and the reasons."""
    where = PLACES["key"]
    problem = _not_pem(
        pem, "key", _("a private key"), "openssl pkey -inform der -in FILE -out FILE.pem"
    )
    if problem:
        return None, [problem]
    if b"ENCRYPTED" in pem:
        return None, [
            CertificateProblem(
                _("the private key is encrypted; services could not start unattended"),
                where,
                _("Remove the passphrase: openssl pkey -in FILE -out FILE.plain"),
                "key",
            )
        ]
    try:
        return serialization.load_pem_private_key(pem, password=None), []
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's message is left out: it may quote the file's content.
        return None, [
            CertificateProblem(
                _("no private key can be read from it"),
                where,
                _("Provide the key that the certificate was requested with, in PEM format"),
                "key",
            )
        ]


def _not_pem(data: bytes, file: str, holds: str, convert: str) -> CertificateProblem | None:
    where = PLACES[file]
    if not data.strip():
        return CertificateProblem(
            _("it is empty"), where, _("Provide {holds} in PEM format", holds=holds), file
        )
    if _BEGIN in data:
        return None
    if data[0] == _ASN1_SEQUENCE and not data.isascii():
        what, remedy = (
            _("it is binary (DER or PKCS#12), not PEM"),
            _("Convert it: {convert}", convert=convert),
        )
    elif b"\0" in data or not _is_text(data):
        what, remedy = (
            _("it is a binary file, not PEM"),
            _("Provide {holds} in PEM format", holds=holds),
        )
    else:
        what = _("it holds no PEM block ('-----BEGIN …')")
        remedy = _("Provide {holds} in PEM format", holds=holds)
    return CertificateProblem(what, where, remedy, file)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
