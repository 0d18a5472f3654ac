"""Run commands over a shared ssh connection, as a client of its control socket.

The protocol is OpenSSH's PROTOCOL.mux, version 4 (OpenSSH 5.4 and later). Each command is a session
of its own, as with ssh(1), whose start takes more processor than most commands do.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ucontact_appliance.facts.bounded import Pipes, as_text, exchange, no_answer

_VERSION = 4
_HELLO, _NEW_SESSION = 0x00000001, 0x10000002
_EXIT_MESSAGE, _SESSION_OPENED = 0x80000004, 0x80000006
_REQUEST = 1
_NO_ESCAPE = 0xFFFFFFFF
_MOST_BYTES = 1 << 16  # of a message
_CONNECTION_FAILED = 255  # ssh(1), EXIT STATUS
_LOST = "The shared connection was closed."
_LEAST_SECONDS = 0.001


class NoSessionError(Exception):
    """Nobody at the control socket opens a session."""


@dataclass(frozen=True)
class SharedConnection:
    """The control socket of a connection, and a descriptor that is readable once it is to stop."""

    control: Path
    stop: int | None = None


def run_multiplexed(
    connection: SharedConnection, command: str, *, stdin: bytes, timeout: float, limit: int
) -> tuple[int, str, str]:
    """Run a line of shell code over the connection; return its exit status, stdout and stderr.

    `timeout` is in seconds, `limit` in bytes for both outputs together; beyond either, the session
    is closed. The status is 255 if the connection is lost meanwhile, as with ssh(1). Raises
    NoSessionError, TimeoutError, bounded.TooMuchError, or bounded.StoppedError.
    """
    deadline = time.monotonic() + timeout
    try:
        with _connected(connection.control, deadline) as master, _pipes() as (theirs, ours):
            _open_session(master, command, theirs)
            stdout, stderr = exchange(ours, stdin, deadline, limit, connection.stop)
            _limit_time(master, deadline)
            status = _exit_status(master)
    except TimeoutError:
        raise no_answer(timeout) from None
    if status is None:
        return _CONNECTION_FAILED, as_text(stdout), _LOST
    return status, as_text(stdout), as_text(stderr)


@contextmanager
def _connected(control: Path, deadline: float) -> Iterator[socket.socket]:
    """Yield a connection to the master at the socket, after both have sent their version."""
    hello = struct.pack(">II", _HELLO, _VERSION)
    with socket.socket(socket.AF_UNIX) as master:
        _limit_time(master, deadline)
        try:
            master.connect(str(control))
            _send(master, hello)
            answer = _received(master)
        except TimeoutError:
            raise
        except OSError as error:
            raise NoSessionError from error
        if answer[: len(hello)] != hello:  # extensions may follow
            raise NoSessionError
        yield master


@contextmanager
def _pipes() -> Iterator[tuple[tuple[IO[bytes], ...], Pipes]]:
    """Yield the session's ends of its stdin, stdout and stderr, and ours."""
    with ExitStack() as stack:

        def pipe() -> tuple[IO[bytes], IO[bytes]]:
            reading, writing = os.pipe()
            return (
                stack.enter_context(os.fdopen(reading, "rb", buffering=0)),
                stack.enter_context(os.fdopen(writing, "wb", buffering=0)),
            )

        (stdin, to), (out, stdout), (err, stderr) = pipe(), pipe(), pipe()
        yield (stdin, stdout, stderr), Pipes(to, out, err)


def _open_session(master: socket.socket, command: str, ends: Sequence[IO[bytes]]) -> None:
    """Start the command with its ends of the pipes. Raises NoSessionError or TimeoutError."""
    request = [
        struct.pack(">II", _NEW_SESSION, _REQUEST),
        _string(""),
        struct.pack(">IIII", 0, 0, 0, 0),  # no terminal, no X11, no agent, no subsystem
        struct.pack(">I", _NO_ESCAPE),
        _string(""),
        _string(command),
        *map(_string, _environment()),
    ]
    try:
        _send(master, b"".join(request))
        for end in ends:
            socket.send_fds(master, [b"\0"], [end.fileno()])
            end.close()  # the master has it, and its closing is the end of the output
        answer = _received(master)
    except TimeoutError:
        raise
    except OSError as error:
        raise NoSessionError from error
    if answer[:8] != struct.pack(">II", _SESSION_OPENED, _REQUEST):
        raise NoSessionError


def _environment() -> list[str]:
    """Return what ssh sends of the environment by Debian's ssh_config(5), SendEnv."""
    return [f"{k}={v}" for k, v in os.environ.items() if k == "LANG" or k.startswith("LC_")]


def _exit_status(master: socket.socket) -> int | None:
    """Return the command's exit status; None if the connection was lost."""
    try:
        answer = _received(master)
    except TimeoutError:
        raise
    except OSError:
        return None
    kind, _session, status = struct.unpack(">III", answer[:12].ljust(12, b"\0"))
    return int(status) if kind == _EXIT_MESSAGE else None


def _limit_time(master: socket.socket, deadline: float) -> None:
    master.settimeout(max(_LEAST_SECONDS, deadline - time.monotonic()))


def _string(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return struct.pack(">I", len(data)) + data


def _send(master: socket.socket, message: bytes) -> None:
    master.sendall(struct.pack(">I", len(message)) + message)


def _received(master: socket.socket) -> bytes:
    """Return the next message. Raises ConnectionError at the end of the stream."""
    (size,) = struct.unpack(">I", _read(master, 4))
    if size > _MOST_BYTES:
        raise ConnectionError
    return _read(master, size)


def _read(master: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = master.recv(size - len(data))
        if not chunk:
            raise ConnectionError
        data += chunk
    return data
