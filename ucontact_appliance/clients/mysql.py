"""Query MySQL as a service does: over verified TLS, or on purpose without it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mysql.connector
from mysql.connector import errorcode

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _

_SECONDS = 6
_HOST = "127.0.0.1"  # the local end of a tunnel; the server's certificate names this address
# MySQL's client/server protocol, connection phase: capabilities, and the largest packet that the
# client accepts.
_PROTOCOL_41 = 0x0200
_SSL = 0x0800
_SECURE_CONNECTION = 0x8000
_LARGEST = 2**24 - 1
_UTF8MB4 = 45
_REFUSED = 0xFF  # an error packet instead of a greeting


@dataclass(frozen=True)
class Login:
    """An account, the local port to connect to, and the PEM file of the server's CA."""

    user: str
    password: str
    port: int
    ca: str

    def __repr__(self) -> str:
        return f"<login of {self.user}>"


@dataclass(frozen=True)
class MysqlRefusal:
    """The server's error number and text; number 0 means that the login succeeded."""

    number: int
    words: str


class LoginRefusedError(Exception):
    """The server rejected the login, or its certificate did not verify."""


def ask(login: Login, queries: Mapping[str, str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """The rows of each query by its name, as strings, over TLS with the certificate verified.

    Raises LoginRefusedError when the server rejects the account or can't be verified,
    UnreachableError when there is no server.
    """
    secure = {
        "ssl_ca": login.ca,
        "ssl_verify_cert": True,
        "ssl_verify_identity": True,
        "tls_versions": ["TLSv1.2", "TLSv1.3"],
    }
    try:
        with mysql.connector.connect(**_options(login), **secure) as connection:
            return {name: _rows(connection, query) for name, query in queries.items()}
    except mysql.connector.Error as error:
        if error.errno in (errorcode.CR_CONN_HOST_ERROR, errorcode.CR_SERVER_LOST):
            raise _classified(error) from error
        raise LoginRefusedError(f"{error.errno}: {error.msg}") from error


def greets(port: int, seconds: float = 4.0) -> bool:
    """Whether a server speaks first on that local port, as MySQL's protocol requires.

    If it hangs, its kernel still accepts the connection, but nothing is sent.
    """
    try:
        with socket.create_connection((_HOST, port), timeout=seconds) as connection:
            connection.settimeout(seconds)
            return bool(connection.recv(1))
    except OSError:
        return False


def open_tls(connection: socket.socket) -> None:
    """Prepare a fresh connection for TLS: read the server's greeting, and send a request for TLS.

    Raises UnreachableError if this is no MySQL server, or one that does not support TLS.
    """
    size = int.from_bytes(_exactly(connection, 4)[:3], "little")
    greeting = _exactly(connection, size)
    if greeting[:1] == bytes([_REFUSED]):
        raise UnreachableError(
            _("MySQL refuses connections"), evidence=greeting[3:].decode("latin-1")
        )
    __, end, rest = greeting[1:].partition(b"\0")
    # Thread id (4), first half of the salt (8), a filler; then the lower half of the capabilities.
    if not end or len(rest) < 15:
        raise UnreachableError(_("not a MySQL server"), evidence=repr(greeting[:40]))
    if not int.from_bytes(rest[13:15], "little") & _SSL:
        raise UnreachableError(
            _("MySQL offers no TLS"), evidence=_("its greeting lacks CLIENT_SSL")
        )
    request = struct.pack("<IIB23x", _PROTOCOL_41 | _SSL | _SECURE_CONNECTION, _LARGEST, _UTF8MB4)
    connection.sendall(len(request).to_bytes(3, "little") + b"\1" + request)


def _exactly(connection: socket.socket, size: int) -> bytes:
    """Read exactly `size` bytes: any further byte would belong to TLS."""
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise UnreachableError(
                _("MySQL closed the connection during its greeting"), evidence=repr(found[:40])
            )
        found += more
    return found


def plaintext(login: Login) -> MysqlRefusal:
    """The server's answer to the same account without TLS.

    The server checks the password first, so the right one is needed. It is sent only as the salted
    digest of the account's plug-in, and only over the host's loopback or a tunnel.
    """
    try:
        with mysql.connector.connect(**_options(login), ssl_disabled=True):
            return MysqlRefusal(0, "let in")
    except mysql.connector.Error as error:
        if error.errno == errorcode.CR_CONN_HOST_ERROR:
            raise UnreachableError(_("MySQL can't be reached"), evidence=str(error.msg)) from error
        return MysqlRefusal(int(error.errno or -1), str(error.msg))


def _classified(error: mysql.connector.Error) -> Exception:
    # The driver reports a certificate that does not verify as a failed connection.
    words = str(error.msg)
    if "certificate" in words.lower() or "ssl" in words.lower():
        return LoginRefusedError(words)
    return UnreachableError(_("MySQL can't be reached"), evidence=words)


def _options(login: Login) -> dict[str, Any]:
    return {
        "host": _HOST,
        "port": login.port,
        "user": login.user,
        "password": login.password,
        "connection_timeout": _SECONDS,
        "use_pure": True,
    }


def _rows(connection: Any, query: str) -> tuple[tuple[str, ...], ...]:
    cursor = connection.cursor()
    cursor.execute(query)
    found: Sequence[Sequence[Any]] = cursor.fetchall()
    return tuple(tuple(_text(value) for value in row) for row in found)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
