"""Throw-away TLS servers on the loopback, for clients to be tried on."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "contact.example.com"


@dataclass(frozen=True)
class Identity:
    """A self-made certificate, its own root, and its key, as files."""

    certificate: Path
    key: Path


def identity(folder: Path, days: float = 30) -> Identity:
    """A certificate for NAME that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = Identity(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


def server_context(made: Identity) -> ssl.SSLContext:
    """TLS 1.2 and 1.3, ALPN, and the server's own order, as the portal has it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that shakes hands with everybody and says goodbye."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                with plain, suppress(OSError):
                    plain.settimeout(2)
                    context.wrap_socket(plain, server_side=True).unwrap()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(3)


CLIENT_SSL = 0x0800
# Protocol 10, a version, thread id, half a salt, a filler; then capabilities and the rest.
_START = b"\x0a" + b"9.4.0-Debian\0" + struct.pack("<I", 11) + b"saltsalt" + b"\0"


def mysql_greeting(capabilities: int) -> bytes:
    """A MySQL server's first packet, with these lower capabilities."""
    rest = struct.pack("<H", capabilities) + b"\xff\x02\x00\xff\xdf\x15" + bytes(10)
    body = _START + rest + b"twelvebytes!\0caching_sha2_password\0"
    return len(body).to_bytes(3, "little") + b"\0" + body


@contextmanager
def mysql_server(first: bytes, made: Identity | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A MySQL server that says `first`, reads a request of 36 octets, and turns to TLS."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                # In two parts, as a network may bring it.
                with plain, suppress(OSError, ssl.SSLError):
                    plain.sendall(first[:5])
                    plain.sendall(first[5:])
                    if made is not None:
                        asked.append(plain.recv(36))
                        with server_context(made).wrap_socket(plain, server_side=True) as tls:
                            tls.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], asked
