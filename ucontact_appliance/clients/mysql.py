"""Asking MySQL as a service does: over verified TLS, or on purpose without it."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mysql.connector
from mysql.connector import errorcode

from ucontact_appliance.errors import UnreachableError

_SECONDS = 6
_HOST = "127.0.0.1"  # a tunnel's end; the server's certificate names it


@dataclass(frozen=True)
class Login:
    """Who asks, by which local port, and the PEM file of the authority that signed the server."""

    user: str
    password: str
    port: int
    ca: str

    def __repr__(self) -> str:
        return f"<login of {self.user}>"


@dataclass(frozen=True)
class Refusal:
    """The server's error: number and words; number 0 means that it let us in."""

    number: int
    words: str


class LoginRefusedError(Exception):
    """The server, or the verification of its certificate, ended the login."""


def ask(login: Login, queries: Mapping[str, str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """The rows of each query by its name, as texts, over TLS with the certificate verified.

    Raises LoginRefusedError when the server refuses the account or can't be verified,
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
    """Whether a server speaks first on that local port, as MySQL's protocol has it.

    One that hangs is connected to by its kernel, and says nothing.
    """
    try:
        with socket.create_connection((_HOST, port), timeout=seconds) as connection:
            connection.settimeout(seconds)
            return bool(connection.recv(1))
    except OSError:
        return False


def plaintext(login: Login) -> Refusal:
    """What the server says to the same account without TLS.

    It judges the password first, so the right one is needed; it travels as the salted digest of
    the account's plug-in, never itself, and only through the host's loopback or a tunnel.
    """
    try:
        with mysql.connector.connect(**_options(login), ssl_disabled=True):
            return Refusal(0, "let in")
    except mysql.connector.Error as error:
        if error.errno == errorcode.CR_CONN_HOST_ERROR:
            raise UnreachableError("MySQL can't be reached", evidence=str(error.msg)) from error
        return Refusal(int(error.errno or -1), str(error.msg))


def _classified(error: mysql.connector.Error) -> Exception:
    # The driver reports a certificate that does not verify as a failed connection.
    words = str(error.msg)
    if "certificate" in words.lower() or "ssl" in words.lower():
        return LoginRefusedError(words)
    return UnreachableError("MySQL can't be reached", evidence=words)


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
