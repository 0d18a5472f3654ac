"""What somebody without an account does to a telephony server: held lines, guesses, forgeries."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Iterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

_TOKENS = itertools.count()


@contextlib.contextmanager
def held_lines(address: str, port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections on which nothing is ever sent.

    They are opened a little apart. The kernel drops at most eight ended connections per clock tick
    from its count, and so counts those of earlier tests for a while (nf_conncount).
    """
    lines: list[socket.socket] = []
    try:
        for _ in range(count):
            lines.append(socket.create_connection((address, port), timeout=5))
            time.sleep(0.002)
        yield lines
    finally:
        for line in lines:
            line.close()


def request(method: str, address: str, sender: str, *, via: str, more: tuple[str, ...] = ()) -> str:
    """A SIP request whose From header is of `sender`; `via` as "UDP 192.0.2.1:5060"."""
    token = f"stranger{next(_TOKENS)}"
    lines = (
        f"{method} sip:*43@{address} SIP/2.0",
        f"Via: SIP/2.0/{via};branch=z9hG4bK{token};rport",
        "Max-Forwards: 70",
        f"From: <sip:{sender}@{address}>;tag=1",
        f"To: <sip:{sender if method == 'REGISTER' else '*43'}@{address}>",
        f"Call-ID: {token}",
        f"CSeq: 1 {method}",
        "Contact: <sip:x@192.0.2.99>",
        *more,
        "Content-Length: 0",
    )
    return "\r\n".join([*lines, "", ""])


def guess(number: str, *, realm: str = "asterisk") -> tuple[str, ...]:
    """The header of a login with a wrong password."""
    return (
        f'Authorization: Digest username="{number}", realm="{realm}", nonce="abc", '
        f'uri="sip:x", response="{next(_TOKENS):032x}", algorithm=MD5',
    )


def by_datagram(address: str, method: str, sender: str, more: tuple[str, ...] = ()) -> list[str]:
    """The lines of the first answer to a request over UDP, without what differs each time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((address, 5060))
        here = "{}:{}".format(*sock.getsockname())
        sock.send(request(method, address, sender, via=f"UDP {here}", more=more).encode())
        answer = sock.recv(8192).decode()
    changing = ("via:", "call-id:", "www-authenticate:", "from:", "to:")
    return [line for line in answer.splitlines() if not line.lower().startswith(changing)]


async def websocket(address: str, port: int, source: str) -> ClientConnection:
    """A connection for SIP from that address."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await connect(
        f"wss://{address}:{port}/ws",
        ssl=context,
        subprotocols=[Subprotocol("sip")],
        proxy=None,
        ping_interval=None,
        close_timeout=1,
        local_addr=(source, 0),
    )


async def guesses_by_websocket(
    address: str, port: int, number: str, most: int, *, seconds: float = 15
) -> tuple[int, bool]:
    """How many guesses were answered on one connection, and whether the server ended it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answers, ended = 0, False
    async with connect(
        f"wss://{address}:{port}/ws",
        ssl=context,
        subprotocols=[Subprotocol("sip")],
        proxy=None,
        ping_interval=None,
        close_timeout=1,
    ) as line:

        async def listen() -> None:
            nonlocal answers
            async for _ in line:
                answers += 1

        listener = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(seconds):
                for _ in range(most):
                    await line.send(
                        request(
                            "REGISTER", address, number, via="WSS x.invalid", more=guess(number)
                        )
                    )
                await listener
                ended = True
        except TimeoutError:
            pass
        except ConnectionClosed:
            ended = True
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await listener
    return answers, ended
