"""STUN bindings (RFC 8489) and TURN allocations (RFC 8656), encoded and authenticated by aioice."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aioice import stun, turn

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _

T = TypeVar("T")

_SECONDS = 4.0
_LIFETIME = 60  # seconds, of an allocation that is released at once anyway
_CREDENTIAL_SECONDS = 300
_ANY_PORT = 9  # permissions are per address; the port is ignored (RFC 8656 9.1)


@dataclass(frozen=True)
class Server:
    """The server's address; with `tls` its certificate is verified for `name`, None means UDP."""

    address: str
    port: int
    tls: ssl.SSLContext | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """The server's name in evidence."""
        return f"{'tls' if self.tls else 'udp'}:{self.address}:{self.port}"


@dataclass(frozen=True)
class Credential:
    """A user and its password, which repr() omits."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"<credential of {self.user}>"


@dataclass(frozen=True)
class Binding:
    """Our address as the server sees it, our local address, and the round trip in milliseconds."""

    mapped: str
    local: str
    milliseconds: float


@dataclass(frozen=True)
class Allocation:
    """The result of an allocation request.

    `error` is the STUN error code of a rejection (0: granted), `relayed` the relay's address,
    `relayed_port` its port, and `permissions` the error code per requested peer (0: granted).
    """

    error: int
    relayed: str = ""
    permissions: tuple[tuple[str, int], ...] = ()
    relayed_port: int = 0


def time_limited(secret: str, name: str, *, now: float | None = None) -> Credential:
    """A credential for 5 minutes (draft-uberti-behave-turn-rest) for coturn's `use-auth-secret`.

    The user is `EXPIRY:NAME`, the password base64(HMAC-SHA1(secret, user)).
    """
    expiry = int(now if now is not None else time.time()) + _CREDENTIAL_SECONDS
    user = f"{expiry}:{name}"
    digest = hmac.new(secret.encode(), user.encode(), hashlib.sha1).digest()
    return Credential(user, base64.b64encode(digest).decode())


def binding(server: Server, *, seconds: float = _SECONDS) -> Binding:
    """Request our address as the server sees it. Raises UnreachableError or TimeoutError."""

    async def ask(client: turn.TurnClientProtocol) -> Binding:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        begun = time.monotonic()
        answer, _ = await client.request(message)
        milliseconds = (time.monotonic() - begun) * 1000
        mapped = answer.attributes["XOR-MAPPED-ADDRESS"][0]
        local = client.transport.get_extra_info("sockname")[0]
        return Binding(str(mapped), str(local), milliseconds)

    return _run(server, None, ask, seconds)


def allocation(
    server: Server,
    credential: Credential | None,
    *,
    peers: Callable[[str], Sequence[str]] = lambda relayed: (),
    seconds: float = _SECONDS,
) -> Allocation:
    """Request a relay, then permission to send to each of `peers(relayed address)`.

    The relay is released at the end. Raises UnreachableError or TimeoutError when there is no
    answer; a rejection is an answer.
    """

    async def ask(client: turn.TurnClientProtocol) -> Allocation:
        try:
            address = await client.connect()
        except stun.TransactionFailed as refused:
            return Allocation(int(refused.response.error_code or 0))
        try:
            relayed = str(address[0])
            asked = [(peer, await _permission(client, peer)) for peer in peers(relayed)]
            return Allocation(0, relayed, tuple(asked), int(address[1]))
        finally:
            await client.delete()

    return _run(server, credential, ask, seconds)


async def _permission(client: turn.TurnClientProtocol, peer: str) -> int:
    message = stun.Message(stun.Method.CREATE_PERMISSION, stun.Class.REQUEST)
    message.attributes["XOR-PEER-ADDRESS"] = (peer, _ANY_PORT)
    try:
        await client.request_with_retry(message)
    except stun.TransactionFailed as refused:
        return int(refused.response.error_code or 0)
    return 0


def _run(
    server: Server,
    credential: Credential | None,
    ask: Callable[[turn.TurnClientProtocol], Awaitable[T]],
    seconds: float,
) -> T:
    async def bounded() -> T:
        client = await _connected(server, credential)
        try:
            return await ask(client)
        finally:
            client.transport.close()

    async def limited() -> T:
        return await asyncio.wait_for(bounded(), seconds)

    try:
        return asyncio.run(limited())
    except (TimeoutError, asyncio.TimeoutError, stun.TransactionTimeout) as error:
        raise TimeoutError(
            _("{label}: no answer within {seconds:g} s", label=server.label, seconds=seconds)
        ) from error
    except (OSError, stun.TransactionError, ValueError) as error:
        raise UnreachableError(
            _("{label} can't be reached", label=server.label),
            evidence=str(error) or type(error).__name__,
        ) from error


async def _connected(server: Server, credential: Credential | None) -> turn.TurnClientProtocol:
    loop = asyncio.get_running_loop()
    kind = turn.TurnClientTcpProtocol if server.tls else turn.TurnClientUdpProtocol
    address = (server.address, server.port)

    def made() -> Any:
        return kind(
            address,
            username=credential.user if credential else None,
            password=credential.password if credential else None,
            lifetime=_LIFETIME,
            channel_refresh_time=turn.DEFAULT_CHANNEL_REFRESH_TIME,
        )

    if server.tls:
        _, client = await loop.create_connection(
            made, *address, ssl=server.tls, server_hostname=server.name
        )
    else:
        _, client = await loop.create_datagram_endpoint(made, remote_addr=address)
    found: turn.TurnClientProtocol = client
    return found
