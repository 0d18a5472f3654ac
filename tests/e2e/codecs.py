"""Calls between two agents with one codec each: how speech arrives at both, and video frames."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from tests.e2e.phone import Phone, a_phone
from ucontact_appliance.clients.sdp import audio_codecs, parse_sdp
from ucontact_appliance.clients.sip import SipServer
from ucontact_appliance.clients.sip_message import SipMessage
from ucontact_appliance.clients.speech import (
    SECONDS,
    SpeechHeard,
    hear_speech,
    sent_bands,
    speech_samples,
)
from ucontact_appliance.clients.tracks import AudioSink, PictureTrack, SpeechTrack, VideoSink
from ucontact_appliance.facts.deep_calls import MIME, VIDEO_MIME

AUDIO, VIDEO = tuple(MIME), tuple(VIDEO_MIME)
_TALK_SECONDS = SECONDS + 1.5  # with the tone before it, and the round trip
_PICTURE_SECONDS = 6.0
_KEY_FRAME_SECONDS = 1.0


@dataclass(frozen=True)
class PairHeard:
    """A call between two codecs: those that were agreed on, and the speech at each end.

    Speech is None where none was recognised.
    """

    caller: str
    callee: str
    agreed: tuple[tuple[str, ...], tuple[str, ...]]
    at_caller: SpeechHeard | None
    at_callee: SpeechHeard | None

    @property
    def is_transcoded(self) -> bool:
        """Whether the server had to translate."""
        return self.caller != self.callee

    @property
    def worse(self) -> SpeechHeard | None:
        """What the end heard at which less arrived intact; None if one of them heard nothing."""
        if self.at_caller is None or self.at_callee is None:
            return None
        return min(self.at_caller, self.at_callee, key=lambda heard: heard.intact)


@dataclass(frozen=True)
class PicturesSeen:
    """A video call: the codec, the frames that each end sent, and those that the other one saw."""

    codec: str
    sent: tuple[int, int]
    seen: tuple[int, int]


class _Peer:
    """One end's media: tracks of one codec per kind, and what arrives."""

    def __init__(self, audio: str, video: str = "") -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.ear, self.eye, self.picture = AudioSink(), VideoSink(), PictureTrack()
        self._listening: list[asyncio.Task[None]] = []
        self.peer.on("track", self._take)
        self._add(SpeechTrack(440.0), f"audio/{MIME[audio]}")
        if video:
            self._add(self.picture, f"video/{VIDEO_MIME[video]}")

    def _add(self, track: MediaStreamTrack, mime: str) -> None:
        self.peer.addTrack(track)
        codecs = RTCRtpSender.getCapabilities(track.kind).codecs
        wanted = [one for one in codecs if one.mimeType.lower() == mime.lower()]
        self.peer.getTransceivers()[-1].setCodecPreferences(wanted)

    def _take(self, track: MediaStreamTrack) -> None:
        sense = self.ear.listen(track) if track.kind == "audio" else self.eye.watch(track)
        self._listening.append(asyncio.create_task(sense))

    async def show(self, seconds: float) -> None:
        """Send for so long, with a key frame per second: a lost one would hide what follows."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            for sender in self.peer.getSenders():
                if sender.kind == "video":
                    sender._send_keyframe()  # aiortc has no public name for it
            await asyncio.sleep(_KEY_FRAME_SECONDS)


class CodecPhone(Phone):
    """An agent's phone that offers and accepts one codec."""

    async def dial_with(self, peer: _Peer, number: str, seconds: float) -> tuple[str, ...]:
        """Call, talk for so long, hang up; returns the codecs of the answer."""
        self.hung_up.clear()
        await peer.peer.setLocalDescription(await peer.peer.createOffer())
        call = await self.call(number, peer.peer.localDescription.sdp)
        await peer.peer.setRemoteDescription(RTCSessionDescription(call.answer, "answer"))
        await peer.show(seconds)
        await self.hang_up(call)
        await peer.peer.close()
        return tuple(audio_codecs(parse_sdp(call.answer)))

    async def take_with(self, peer: _Peer) -> tuple[str, ...]:
        """Answer the next call until the caller hangs up; returns the codecs of our answer."""
        invite = await asyncio.wait_for(self.invites.get(), 15)
        self.hung_up.clear()
        await peer.peer.setRemoteDescription(RTCSessionDescription(invite.body, "offer"))
        await peer.peer.setLocalDescription(await peer.peer.createAnswer())
        sdp = peer.peer.localDescription.sdp
        headers = (("contact", self.contact), ("content-type", "application/sdp"))
        await self._send(SipMessage("SIP/2.0 200 OK", self._ringing(invite) + headers, sdp))
        shown = asyncio.create_task(peer.show(_PICTURE_SECONDS))
        with suppress(TimeoutError):
            await asyncio.wait_for(self.hung_up.wait(), 30)
        shown.cancel()
        await peer.peer.close()
        return tuple(audio_codecs(parse_sdp(sdp)))

    def _ringing(self, invite: SipMessage) -> tuple[tuple[str, str], ...]:
        reply = super(Phone, self)._reply(invite)
        return tuple(reply.headers)


async def _between(
    server: SipServer, secrets: dict[str, str], peers: tuple[_Peer, _Peer], seconds: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first account calls the second: the codecs on which each agreed with the server."""
    (one, first), (two, second) = secrets.items()
    async with (
        a_phone(server, one, first, CodecPhone) as caller,
        a_phone(server, two, second, CodecPhone) as callee,
    ):
        assert isinstance(caller, CodecPhone)
        assert isinstance(callee, CodecPhone)
        taken = asyncio.create_task(callee.take_with(peers[1]))
        dialled = await caller.dial_with(peers[0], two, seconds)
        return dialled, await taken


async def speak(server: SipServer, secrets: dict[str, str], caller: str, callee: str) -> PairHeard:
    """A call between two agents, each with one voice codec; both speak at once."""
    speech_samples()  # computed before the clock of the call runs
    sent_bands()
    ends = _Peer(caller), _Peer(callee)
    agreed = await _between(server, secrets, ends, _TALK_SECONDS)
    heard = [hear_speech(end.ear.samples, end.ear.rate) for end in ends]
    return PairHeard(caller, callee, agreed, heard[0], heard[1])


async def show(server: SipServer, secrets: dict[str, str], codec: str) -> PicturesSeen:
    """A video call between two agents; the server passes video on untranslated."""
    ends = _Peer("opus", codec), _Peer("opus", codec)
    await _between(server, secrets, ends, _PICTURE_SECONDS)
    one, two = ends
    return PicturesSeen(
        codec, (one.picture.sent, two.picture.sent), (one.eye.frames, two.eye.frames)
    )


def pairs() -> Iterator[tuple[str, str]]:
    """Every codec with every other and with itself: caller, callee."""
    return ((one, two) for one in AUDIO for two in AUDIO)
