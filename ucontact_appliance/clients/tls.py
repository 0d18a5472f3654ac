"""A server's TLS as seen from outside: handshakes, and which offers it accepts (R01, R08).

All tests use this machine's OpenSSL. What that can't offer is reported as `Offer.UNTESTABLE`,
never as a rejection.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _

_SECONDS = 5.0
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
# Only below security level 1 does OpenSSL offer old protocols and ciphers, which are tested here.
_ANYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


@dataclass(frozen=True)
class Endpoint:
    """A server's address and port, and the name used for SNI and verification.

    `opening` runs the exchange before TLS on a fresh connection, for a protocol that switches to
    TLS on its own port; None if TLS begins at once.
    """

    address: str
    port: int
    name: str
    opening: Callable[[socket.socket], None] | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.port} at {self.address}"


@dataclass(frozen=True)
class Handshake:
    """A finished handshake: the negotiated parameters, and the server's own certificate in DER.

    `problem` says why the certificate did not verify; empty when it did.
    """

    version: str
    cipher: str
    alpn: str
    certificate: bytes
    problem: str


class Offer(str, Enum):
    """The result of offering a protocol version, a group of ciphers or a curve."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNTESTABLE = "not testable here"


@dataclass(frozen=True)
class OfferResult:
    """One offer and its result; `agreed` is the cipher if the offer was accepted."""

    offered: str
    offer: Offer
    agreed: str = ""

    @property
    def line(self) -> str:
        """The answer as one line of evidence."""
        return f"{self.offered}: {self.offer.value}{f' ({self.agreed})' if self.agreed else ''}"


def handshake(
    endpoint: Endpoint, roots: Path | None, alpn: Sequence[str] = (), seconds: float = _SECONDS
) -> Handshake:
    """Perform a handshake with verification; if that fails, repeat it without verification.

    `roots` are the trusted roots in PEM, None the system's. Only the chain and its dates are
    verified, not the name: the caller must check that. Raises UnreachableError when there is no TLS
    server at all, or the roots can't be read.
    """
    problem = ""
    try:
        with _connected(endpoint, _verifying(roots), alpn, seconds) as tls:
            return _record(tls, problem)
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message or str(error)
    except ssl.SSLError as error:
        raise UnreachableError(
            _("the TLS handshake with {endpoint} failed", endpoint=endpoint), evidence=str(error)
        ) from error
    try:
        with _connected(endpoint, _any_certificate(), alpn, seconds) as tls:
            return _record(tls, problem)
    except ssl.SSLError as error:
        raise UnreachableError(
            _("the TLS handshake with {endpoint} failed", endpoint=endpoint), evidence=str(error)
        ) from error


def offer_version(endpoint: Endpoint, version: str, seconds: float = _SECONDS) -> OfferResult:
    """Offer one protocol version alone (`TLSv1` to `TLSv1.3`), with every available cipher."""
    try:
        context = _only(version)
        context.set_ciphers(_ANYTHING)
    except (ssl.SSLError, ValueError):
        return OfferResult(version, Offer.UNTESTABLE)
    try:
        return _offered(endpoint, version, context, seconds)
    except TimeoutError:
        # coturn 4.5 does not answer an offer that it does not accept.
        return OfferResult(version, Offer.REFUSED)


def offer_ciphers(
    endpoint: Endpoint, title: str, ciphers: str, seconds: float = _SECONDS
) -> OfferResult:
    """Offer only one group of TLS 1.2 ciphers, given as an OpenSSL cipher string."""
    context = _only("TLSv1.2")
    try:
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    except ssl.SSLError:  # none of the group was compiled in
        return OfferResult(title, Offer.UNTESTABLE)
    return _offered(endpoint, title, context, seconds)


def offer_curve(endpoint: Endpoint, curve: str, seconds: float = _SECONDS) -> OfferResult:
    """Offer one curve for the key exchange, with openssl(1): Python's ssl can't do that yet."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return OfferResult(curve, Offer.UNTESTABLE)
    where = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    try:
        done = subprocess.run(
            [
                *(openssl, "s_client", "-connect", f"{where}:{endpoint.port}"),
                *("-servername", endpoint.name, "-groups", curve),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(
            _("{endpoint}: no answer when offered curve {curve}", endpoint=endpoint, curve=curve)
        ) from error
    return parse_s_client(curve, done.stdout, done.stderr)


def parse_s_client(curve: str, out: str, err: str) -> OfferResult:
    """Parse the output of `openssl s_client` into an answer for the curve."""
    if "Cipher is " in out and "Cipher is (NONE)" not in out:
        line = next(line for line in out.splitlines() if "Cipher is " in line)
        return OfferResult(curve, Offer.ACCEPTED, line.rpartition("Cipher is ")[2].strip())
    if "CONNECTED" in out:
        return OfferResult(curve, Offer.REFUSED)
    if "connect:" in err or "Connection refused" in err:
        raise UnreachableError(_("no connection"), evidence=err.strip())
    # Nothing was sent at all: this OpenSSL does not know the curve.
    return OfferResult(curve, Offer.UNTESTABLE)


def agreed_cipher(endpoint: Endpoint, ciphers: Sequence[str], seconds: float = _SECONDS) -> str:
    """The cipher that a TLS 1.2 server chose from this list in this order; empty for none."""
    return offer_ciphers(endpoint, ":".join(ciphers), ":".join(ciphers), seconds).agreed


def _offered(
    endpoint: Endpoint, title: str, context: ssl.SSLContext, seconds: float
) -> OfferResult:
    if not _can_greet(context):
        return OfferResult(title, Offer.UNTESTABLE)
    try:
        with _connected(endpoint, context, (), seconds) as tls:
            return OfferResult(title, Offer.ACCEPTED, _record(tls, "").cipher)
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        return OfferResult(title, Offer.REFUSED)


def _can_greet(context: ssl.SSLContext) -> bool:
    """Whether this OpenSSL can build a ClientHello from it: the first step, without any network."""
    outgoing = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_side=False).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.pending > 0
    except ssl.SSLError:
        return False
    return False


def _verifying(roots: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=roots)
    except (OSError, ssl.SSLError) as error:
        raise UnreachableError(
            _("{roots} can't be read", roots=roots), evidence=str(error)
        ) from error
    context.check_hostname = False
    return context


def _any_certificate() -> ssl.SSLContext:
    """A context that accepts any certificate: the server's answers must not be trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _only(version: str) -> ssl.SSLContext:
    context = _any_certificate()
    with warnings.catch_warnings():
        # Offering deprecated versions is intended here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = _VERSIONS[version]
    return context


def _connected(
    endpoint: Endpoint, context: ssl.SSLContext, alpn: Sequence[str], seconds: float
) -> ssl.SSLSocket:
    if alpn:
        context.set_alpn_protocols(list(alpn))
    try:
        plain = socket.create_connection((endpoint.address, endpoint.port), timeout=seconds)
    except OSError as error:
        raise UnreachableError(
            _("no connection to {endpoint}", endpoint=endpoint), evidence=str(error)
        ) from error
    try:
        if endpoint.opening is not None:
            endpoint.opening(plain)
        return context.wrap_socket(plain, server_hostname=endpoint.name)
    except TimeoutError as error:
        plain.close()
        raise TimeoutError(
            _("{endpoint}: no answer within {seconds:g} s", endpoint=endpoint, seconds=seconds)
        ) from error
    except BaseException:
        plain.close()
        raise


def _record(tls: ssl.SSLSocket, problem: str) -> Handshake:
    cipher = tls.cipher()
    return Handshake(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        alpn=tls.selected_alpn_protocol() or "",
        certificate=tls.getpeercert(binary_form=True) or b"",
        problem=problem,
    )
