"""Agents for the load bench: logins over secure WebSockets, and DTLS-SRTP calls in opus.

An agent's voice was encoded before, and nothing is decoded: the bench shares its processor with the
server. aiortc sends a packet (`av.Packet`) of a track as it is.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from fractions import Fraction

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ucontact_appliance.clients.sip import SipAccount, SipLine, SipServer

_AT_ONCE = 20  # logins in progress
_LOGIN_SECONDS = 10.0
_TICK = 0.02
_SAMPLES = 960
_QUIET = 0.5


@dataclass(frozen=True)
class Logins:
    """How many agents were registered at once, in how many seconds, and what stopped others."""

    registered: int
    seconds: float
    reasons: tuple[str, ...]


class Agents:
    """Open connections of agents; all end with the block `async with`."""

    def __init__(self, server: SipServer, secrets: dict[str, str]) -> None:
        self.server = server
        self.accounts = [SipAccount(server.name, n, s) for n, s in secrets.items()]
        self.lines: list[SipLine] = []
        self._stack = AsyncExitStack()
        self._listeners: list[asyncio.Task[None]] = []
        self._context = ssl.create_default_context(cafile=server.ca_file)

    async def __aenter__(self) -> Agents:
        return self

    async def __aexit__(self, *_unused: object) -> None:
        for listener in self._listeners:
            listener.cancel()
        await self._stack.aclose()

    async def log_in(self, count: int) -> Logins:
        """Register so many agents, and keep them registered."""
        begin, gate = time.monotonic(), asyncio.Semaphore(_AT_ONCE)
        reasons: list[str] = []

        async def one(account: SipAccount) -> None:
            async with gate:
                try:
                    await asyncio.wait_for(self._one(account), _LOGIN_SECONDS)
                except Exception as error:  # whatever it is, it is the bench's finding
                    reasons.append(type(error).__name__)

        await asyncio.gather(*(one(account) for account in self.accounts[:count]))
        return Logins(len(self.lines), time.monotonic() - begin, tuple(sorted(set(reasons))))

    async def _one(self, account: SipAccount) -> None:
        sock: ClientConnection = await connect(
            f"wss://{self.server.name}:{self.server.port}{self.server.path}",
            host=self.server.address,
            port=self.server.port,
            ssl=self._context,
            server_hostname=self.server.name,
            subprotocols=[Subprotocol("sip")],
            proxy=None,
            close_timeout=1,
        )
        self._stack.push_async_callback(sock.close)
        line = SipLine(sock, account)
        self._listeners.append(asyncio.create_task(line.listen()))
        await line.register(expires=600)
        self.lines.append(line)


class _Spoken(MediaStreamTrack):
    """Encoded speech in real time, while `speaking` is set."""

    kind = "audio"

    def __init__(self, packets: list[bytes]) -> None:
        super().__init__()
        self._packets = packets
        self._number = 0
        self._due = 0.0
        self.speaking = asyncio.Event()
        self.speaking.set()
        self.sent, self.left = 0, -1  # packets sent; packets until it is quiet, -1: no end

    async def recv(self) -> av.Packet:
        await self.speaking.wait()
        now = time.monotonic()
        self._due = max(self._due + _TICK, now - 1)
        if self._due > now:
            await asyncio.sleep(self._due - now)
        packet = av.Packet(self._packets[self._number % len(self._packets)])
        packet.pts, packet.time_base = self._number * _SAMPLES, Fraction(1, 48000)
        self._number += 1
        self.sent += 1
        self.left -= 1
        if self.left == 0:
            self.speaking.clear()
        return packet


@dataclass
class AgentCall:
    """A call of an agent's that is up."""

    peer: RTCPeerConnection
    track: _Spoken
    received: list[int] = field(default_factory=lambda: [0])


async def dial(line: SipLine, number: str, packets: list[bytes]) -> AgentCall:
    """Call in opus; media is encrypted by DTLS-SRTP. Raises SipRefusedError, TimeoutError."""
    peer, track = RTCPeerConnection(RTCConfiguration(iceServers=[])), _Spoken(packets)
    peer.addTrack(track)
    await peer.setLocalDescription(await peer.createOffer())
    made = AgentCall(peer, track)

    async def counted(_packet: object, arrival_time_ms: int) -> None:
        made.received[0] += 1

    # In place of the decoder, of which there would be a thread per call.
    peer.getReceivers()[0]._handle_rtp_packet = counted
    connected = asyncio.Event()

    @peer.on("connectionstatechange")
    def _changed() -> None:
        if peer.connectionState == "connected":
            connected.set()

    try:
        call = await line.call(number, peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(call.answer, "answer"))
        await asyncio.wait_for(connected.wait(), _LOGIN_SECONDS)
    except BaseException:
        await peer.close()
        raise
    return made


async def quiet(calls: list[AgentCall]) -> None:
    """Send nothing from now on, and wait for what is on its way."""
    for call in calls:
        call.track.speaking.clear()
    await asyncio.sleep(_QUIET)


async def talk(calls: list[AgentCall], seconds: float) -> tuple[int, int]:
    """After `quiet`: packets sent in so many seconds, and those that the far end sent back."""
    ticks = int(seconds / _TICK)
    for call in calls:
        call.received[0], call.track.sent, call.track.left = 0, 0, ticks
        call.track.speaking.set()
    await asyncio.sleep(seconds)
    while any(call.track.speaking.is_set() for call in calls):
        await asyncio.sleep(_TICK)
    await asyncio.sleep(_QUIET)
    sent = sum(call.track.sent for call in calls)
    received = sum(min(call.received[0], ticks) for call in calls)
    for call in calls:
        call.track.left = -1
        call.track.speaking.set()
    return sent, received
