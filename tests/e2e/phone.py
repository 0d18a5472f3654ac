"""An agent's phone: it registers over secure WebSockets, dials, rings, and takes calls."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ucontact_appliance.clients.sip import SipAccount, SipLine, SipServer
from ucontact_appliance.clients.sip_message import SipMessage
from ucontact_appliance.clients.tracks import AudioSink, ToneTrack

_RING_SECONDS, _TALK_SECONDS = 15, 30


class Phone(SipLine):
    """A line that rings and can take the call."""

    def __init__(self, sock: ClientConnection, account: SipAccount) -> None:
        super().__init__(sock, account)
        self.invites: asyncio.Queue[SipMessage] = asyncio.Queue()
        self.dtls = ""  # state at the end of the last call

    def _reply(self, request: SipMessage) -> SipMessage:
        reply = super()._reply(request)
        if request.method != "INVITE":
            return reply
        self.invites.put_nowait(request)
        return SipMessage("SIP/2.0 180 Ringing", reply.headers)

    async def take_call(self, hertz: float, seconds: float | None = None) -> AudioSink:
        """Answer the next call with a tone; what is heard gathers in the sink.

        It lasts until the other side hangs up, or for so many seconds.
        """
        invite = await asyncio.wait_for(self.invites.get(), _RING_SECONDS)
        self.hung_up.clear()
        peer, sink = _peer(), AudioSink()
        self._hear(peer, sink)
        await peer.setRemoteDescription(RTCSessionDescription(invite.body, "offer"))
        self._send_media(peer, hertz)
        await peer.setLocalDescription(await peer.createAnswer())
        headers = (("contact", self.contact), ("content-type", "application/sdp"))
        ringing = super()._reply(invite)
        sdp = peer.localDescription.sdp
        await self._send(SipMessage("SIP/2.0 200 OK", ringing.headers + headers, sdp))
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(self.hung_up.wait(), seconds or _TALK_SECONDS)
        await self._end(peer)
        return sink

    async def dial(self, number: str, seconds: float = 8.0, hertz: float = 440.0) -> AudioSink:
        """Call a number and stay until the other side hangs up. Raises SipRefusedError."""
        self.hung_up.clear()
        peer, sink = _peer(), AudioSink()
        self._hear(peer, sink)
        self._send_media(peer, hertz)
        await peer.setLocalDescription(await peer.createOffer())
        call = await self.call(number, peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(call.answer, "answer"))
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(self.hung_up.wait(), seconds)
        await self.hang_up(call)
        await self._end(peer)
        return sink

    def _send_media(self, peer: RTCPeerConnection, hertz: float) -> None:
        peer.addTrack(ToneTrack(hertz))

    def _hear(self, peer: RTCPeerConnection, sink: AudioSink) -> None:
        self.listening: list[asyncio.Task[None]] = []
        peer.on("track", lambda t: self.listening.append(asyncio.create_task(sink.listen(t))))

    async def _end(self, peer: RTCPeerConnection) -> None:
        self.dtls = peer.getSenders()[0].transport.state
        await peer.close()


def _peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


@asynccontextmanager
async def a_phone(
    server: SipServer, number: str, secret: str, kind: type[Phone] = Phone, *, source: str = ""
) -> AsyncIterator[Phone]:
    """A phone that is registered inside the block, from that address of this machine."""
    context = ssl.create_default_context(cafile=server.ca_file)
    async with connect(
        f"wss://{server.name}:{server.port}{server.path}",
        host=server.address,
        port=server.port,
        ssl=context,
        server_hostname=server.name,
        subprotocols=[Subprotocol("sip")],
        proxy=None,
        local_addr=(source, 0) if source else None,
    ) as sock:
        phone = kind(sock, SipAccount(server.name, number, secret))
        listener = asyncio.create_task(phone.listen())
        try:
            await phone.register()
            yield phone
            await phone.register(expires=0)
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener
