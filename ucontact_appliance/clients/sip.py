"""A small SIP user agent over secure WebSockets (RFC 3261, RFC 7118), like a softphone.

Registers, places one call and hangs up. Answers the server's own requests (OPTIONS, BYE).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import secrets
import ssl
import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from ucontact_appliance.clients.sip_digest import choose_challenge, digest_answer
from ucontact_appliance.clients.sip_message import SipMessage, parse_message
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _

_BRANCH = "z9hG4bK"  # RFC 3261 8.1.1.7
_USER_AGENT = "uContact appliance doctor"
_ANSWER_SECONDS = 8.0


class SipRefusedError(Exception):
    """The server's final response was not a success; has its status and reason."""

    def __init__(self, method: str, status: int, reason: str) -> None:
        super().__init__(f"{method} was answered {status} {reason}")
        self.status = status


@dataclass(frozen=True)
class SipAccount:
    """An extension at a site: SIP domain, number and secret."""

    domain: str
    number: str
    secret: str = field(repr=False)

    @property
    def uri(self) -> str:
        """The address of record."""
        return f"sip:{self.number}@{self.domain}"


@dataclass(frozen=True)
class Call:
    """An answered call: the dialog's data that BYE needs, and the answer's SDP."""

    call_id: str
    local: str
    remote: str
    target: str
    route: tuple[str, ...]
    sequence: int
    answer: str


def _token(length: int = 12) -> str:
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=length))


class SipLine:
    """One WebSocket connection to a SIP server, for one account. Use `open_line`."""

    def __init__(self, socket: ClientConnection, account: SipAccount, mark: str = "") -> None:
        self.account = account
        # RFC 7118 5: the client can't know an address at which it is reachable.
        self.contact_host = f"{mark}{_token()}.invalid"
        self._mark = mark
        self._socket = socket
        self._tag = _token()
        self._register_id = f"{_token(20)}@{self.contact_host}"
        self._sequence = random.randint(1, 1000)
        self._answers: asyncio.Queue[SipMessage] = asyncio.Queue()
        self.hung_up = asyncio.Event()

    @property
    def contact(self) -> str:
        """Our contact URI: the server reaches us over this very connection."""
        return f"<sip:{self.account.number}@{self.contact_host};transport=ws>"

    @property
    def local_port(self) -> int:
        """The TCP port of our end of the connection."""
        return int(self._socket.local_address[1])

    async def register(self, expires: int = 120) -> SipMessage:
        """Register, or with `expires` 0 remove the registration. Raises SipRefusedError."""
        return await self._transact(
            "REGISTER",
            f"sip:{self.account.domain}",
            (
                ("from", f"<{self.account.uri}>;tag={self._tag}"),
                ("to", f"<{self.account.uri}>"),
                ("call-id", self._register_id),
                ("contact", f"{self.contact};expires={expires}"),
                ("expires", str(expires)),
            ),
        )

    async def bindings(self) -> SipMessage:
        """Query the account's bindings without registering anything (RFC 3261 10.2.3).

        The server requires the account's secret for it. Raises SipRefusedError.
        """
        return await self._transact(
            "REGISTER",
            f"sip:{self.account.domain}",
            (
                ("from", f"<{self.account.uri}>;tag={self._tag}"),
                ("to", f"<{self.account.uri}>"),
                ("call-id", self._register_id),
            ),
        )

    async def call(self, number: str, offer: str, seconds: float = _ANSWER_SECONDS) -> Call:
        """Call `number` with that SDP. Raises SipRefusedError; TimeoutError without an answer."""
        target = f"sip:{number}@{self.account.domain}"
        call_id = f"{_token(20)}@{self.contact_host}"
        local = f"<{self.account.uri}>;tag={_token()}"
        answer = await self._transact(
            "INVITE",
            target,
            (
                ("from", local),
                ("to", f"<{target}>"),
                ("call-id", call_id),
                ("contact", self.contact),
                ("allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"),
                ("content-type", "application/sdp"),
                *((("x-ucontact-doctor", self._mark),) if self._mark else ()),
            ),
            offer,
            seconds,
        )
        call = Call(
            call_id=call_id,
            local=local,
            remote=answer.header("to"),
            target=_uri_of(answer.header("contact")) or target,
            route=tuple(reversed(answer.all("record-route"))),
            sequence=int(answer.header("cseq").split()[0]),
            answer=answer.body,
        )
        await self._send(self._in_call("ACK", call, call.sequence))
        return call

    async def hang_up(self, call: Call) -> None:
        """End the call; does nothing if the other side has already ended it."""
        if self.hung_up.is_set():
            return
        self._sequence = max(self._sequence, call.sequence) + 1
        await self._send(self._in_call("BYE", call, self._sequence))
        with contextlib.suppress(SipRefusedError):
            await self._final("BYE", call.call_id, self._sequence, _ANSWER_SECONDS)

    def _in_call(self, method: str, call: Call, sequence: int) -> SipMessage:
        return SipMessage(
            f"{method} {call.target} SIP/2.0",
            (
                self._via(),
                ("max-forwards", "70"),
                *(("route", hop) for hop in call.route),
                ("from", call.local),
                ("to", call.remote),
                ("call-id", call.call_id),
                ("cseq", f"{sequence} {method}"),
                ("user-agent", _USER_AGENT),
            ),
        )

    def _via(self) -> tuple[str, str]:
        return "via", f"SIP/2.0/WSS {self.contact_host};branch={_BRANCH}{_token(16)};rport"

    async def _transact(
        self,
        method: str,
        uri: str,
        headers: tuple[tuple[str, str], ...],
        body: str = "",
        seconds: float = _ANSWER_SECONDS,
    ) -> SipMessage:
        """Send the request, answer one challenge, and return the final successful response."""
        known = dict(headers)
        authorization: tuple[tuple[str, str], ...] = ()
        for __ in range(2):
            self._sequence += 1
            request = SipMessage(
                f"{method} {uri} SIP/2.0",
                (
                    self._via(),
                    ("max-forwards", "70"),
                    *headers,
                    ("cseq", f"{self._sequence} {method}"),
                    ("user-agent", _USER_AGENT),
                    *authorization,
                ),
                body,
            )
            await self._send(request)
            try:
                return await self._final(method, known["call-id"], self._sequence, seconds, request)
            except _ChallengedError as challenge:
                if authorization:
                    raise SipRefusedError(
                        method, challenge.answer.status, challenge.answer.reason
                    ) from None
                authorization = (self._authorization(challenge.answer, method, uri),)
        raise AssertionError("unreachable: the second challenge is a refusal")

    def _authorization(self, answer: SipMessage, method: str, uri: str) -> tuple[str, str]:
        proxy = answer.status == 407
        asked = answer.all("proxy-authenticate" if proxy else "www-authenticate")
        value = digest_answer(
            choose_challenge(asked),
            (self.account.number, self.account.secret),
            (method, uri),
            secrets.token_hex(8),
        )
        return ("proxy-authorization" if proxy else "authorization"), value

    async def _final(
        self,
        method: str,
        call_id: str,
        sequence: int,
        seconds: float,
        request: SipMessage | None = None,
    ) -> SipMessage:
        answer = await asyncio.wait_for(self._awaited(method, call_id, sequence), seconds)
        if answer.status >= 300 and method == "INVITE" and request is not None:
            await self._send(_ack_of(request, answer))
        if answer.status in (401, 407):
            raise _ChallengedError(answer)
        if answer.status >= 300:
            raise SipRefusedError(method, answer.status, answer.reason)
        return answer

    async def _awaited(self, method: str, call_id: str, sequence: int) -> SipMessage:
        """The next final response to that request; provisional and unrelated ones are dropped."""
        while True:
            answer = await self._answers.get()
            key = (answer.header("call-id"), answer.header("cseq").split())
            if key == (call_id, [str(sequence), method]) and answer.status >= 200:
                return answer

    async def _send(self, message: SipMessage) -> None:
        await self._socket.send(message.text())

    async def listen(self) -> None:
        """Read until the connection ends: queue responses for their callers, answer requests."""
        with contextlib.suppress(ConnectionClosed):
            async for frame in self._socket:
                text = frame if isinstance(frame, str) else frame.decode(errors="replace")
                if not text.strip():
                    continue  # a keep-alive (RFC 7118 6)
                message = parse_message(text)
                if message.status:
                    self._answers.put_nowait(message)
                elif message.method != "ACK":
                    await self._send(self._reply(message))

    def _reply(self, request: SipMessage) -> SipMessage:
        if request.method == "BYE":
            self.hung_up.set()
        status = "486 Busy Here" if request.method == "INVITE" else "200 OK"
        copied = ("via", "from", "to", "call-id", "cseq")
        return SipMessage(
            f"SIP/2.0 {status}",
            tuple(
                (
                    name,
                    f"{value};tag={self._tag}" if name == "to" and ";tag=" not in value else value,
                )
                for name, value in request.headers
                if name in copied
            ),
        )


class _ChallengedError(Exception):
    def __init__(self, answer: SipMessage) -> None:
        super().__init__(answer.start)
        self.answer = answer


def _ack_of(request: SipMessage, answer: SipMessage) -> SipMessage:
    """The ACK of a rejected INVITE, in the same transaction (RFC 3261 17.1.1.3)."""
    sequence = request.header("cseq").split()[0]
    return SipMessage(
        request.start.replace("INVITE", "ACK", 1),
        (
            ("via", request.header("via")),
            ("max-forwards", "70"),
            ("from", request.header("from")),
            ("to", answer.header("to")),
            ("call-id", request.header("call-id")),
            ("cseq", f"{sequence} ACK"),
        ),
    )


def _uri_of(contact: str) -> str:
    found = re.search(r"<([^>]+)>", contact)
    return found.group(1) if found else contact.partition(";")[0].strip()


@dataclass(frozen=True)
class SipServer:
    """The SIP server's name, the address and port to connect to, and its trust anchor."""

    name: str
    address: str
    port: int
    path: str
    ca_file: str


@asynccontextmanager
async def open_line(
    server: SipServer, account: SipAccount, seconds: float = 8.0, mark: str = ""
) -> AsyncIterator[SipLine]:
    """Open a line over verified TLS: the certificate must match `server.name` at any address.

    `mark` (letters and digits) is sent with registrations and calls, so that they can be found.
    Raises UnreachableError when the connection, TLS or the WebSocket handshake fails.
    """
    context = ssl.create_default_context(cafile=server.ca_file)
    url = f"wss://{server.name}:{server.port}{server.path}"
    try:
        socket = await connect(
            url,
            host=server.address,
            port=server.port,
            ssl=context,
            server_hostname=server.name,
            subprotocols=[Subprotocol("sip")],
            proxy=None,
            open_timeout=seconds,
            close_timeout=2,
        )
    except (OSError, ssl.SSLError, WebSocketException, TimeoutError, asyncio.TimeoutError) as error:
        raise UnreachableError(
            _(
                "the secure WebSocket {url} at {address} can't be opened",
                url=url,
                address=server.address,
            ),
            evidence=f"{type(error).__name__}: {error}",
        ) from error
    line = SipLine(socket, account, mark)
    listener = asyncio.create_task(line.listen())
    try:
        yield line
    finally:
        await socket.close()
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener
