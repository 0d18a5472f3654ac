"""A real call as a browser makes it: SIP over WSS, ICE, DTLS-SRTP, a tone there and back."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import time
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

from ucontact_appliance.clients.audio import ToneHeard, find_tone, mono_bytes, tone_samples
from ucontact_appliance.clients.sip import Account, Call, Door, SipLine, open_line

# The steps of a call, in order: what a record's times and a failure name.
CONNECTED_TLS = "connected over TLS"
REGISTERED = "registered"
GATHERED = "candidates gathered"
ANSWERED = "answered"
CONNECTED_MEDIA = "media connected"
HEARD = "first audio back"
ENDED = "tone sent and hung up"
STEPS = (CONNECTED_TLS, REGISTERED, GATHERED, ANSWERED, CONNECTED_MEDIA, HEARD, ENDED)

_RATE = 48000
_NARROW_RATE = 8000
_FRAME_SECONDS = 0.02
_FRAME_SAMPLES = int(_RATE * _FRAME_SECONDS)
_MEDIA_SECONDS = 8.0  # ICE and DTLS: a LAN takes well below one
_REPORTS_STEP_SECONDS = 0.2
_REPORTS_SECONDS = 8.0  # RFC 3550 6.3.1: reports come every 5 s, or up to half as much later


@dataclass(frozen=True)
class Request:
    """What to call and with what: `hertz` of tone for `seconds`. `codecs` are MIME subtypes."""

    door: Door
    account: Account
    number: str
    hertz: float
    seconds: float
    codecs: tuple[str, ...]


@dataclass(frozen=True)
class Media:
    """Counters of the call's audio; times in seconds, None when the far side reported nothing."""

    sent: int
    received: int
    lost: int
    jitter: float
    round_trip: float | None
    lost_there: int | None


@dataclass(frozen=True)
class CallRecord:
    """Everything that was seen of one call.

    `local_port` is our end of the connection, by which servers list a registration. `steps` are
    (name, seconds) in order; `during` is what the caller's own look at the server
    during the call returned. `dtls` is the state and `srtp` the negotiated profile (RFC 7714,
    RFC 5764).
    """

    number: str
    local_port: int
    steps: tuple[tuple[str, float], ...]
    offered: tuple[str, ...]
    answered: tuple[str, ...]
    dtls: str
    srtp: str
    fingerprint: str
    heard: ToneHeard
    media: Media
    during: Any

    @property
    def evidence(self) -> str:
        """The call as lines of text."""
        timed = "\n".join(f"{name}: {seconds * 1000:.0f} ms" for name, seconds in self.steps)
        media = self.media
        trip = "-" if media.round_trip is None else f"{media.round_trip * 1000:.1f} ms"
        return (
            f"{timed}\n"
            f"offered {', '.join(self.offered)}; answered {', '.join(self.answered)}\n"
            f"DTLS {self.dtls}, {self.srtp or 'no SRTP profile'}\n"
            f"{media.sent} packets sent, {media.received} received, {media.lost} lost; jitter "
            f"{media.jitter * 1000:.1f} ms; round trip {trip}; lost on the way there: "
            f"{'-' if media.lost_there is None else media.lost_there}\n"
            f"tone heard for {self.heard.seconds:.1f} s of {self.heard.total_seconds:.1f} s, "
            f"{self.heard.level_dbfs:.1f} dBFS, {self.heard.share:.0%} of the energy"
        )


class CallFailedError(Exception):
    """A call that did not get through: the step it did not reach, why, and what was seen."""

    def __init__(
        self, step: str, why: str, steps: tuple[tuple[str, float], ...], during: Any = None
    ) -> None:
        super().__init__(why)
        self.step = step
        self.why = why
        self.steps = steps
        self.during = during


class _Stopwatch:
    """Remembers how long each step took, and what was seen on the way."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []
        self.seen: Any = None
        self._last = time.monotonic()

    def step(self, name: str) -> None:
        now = time.monotonic()
        self.steps.append((name, now - self._last))
        self._last = now


class _ToneTrack(MediaStreamTrack):  # type: ignore[misc]
    """An endless sine in frames of 20 ms, in real time."""

    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self._hertz = hertz
        self._sent = 0
        self._start: float | None = None

    async def recv(self) -> AudioFrame:
        """The next frame, when its time has come."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._start is None:
            self._start = time.monotonic()
        due = self._start + self._sent / _RATE - time.monotonic()
        await asyncio.sleep(max(due, 0))
        frame = AudioFrame(format="s16", layout="mono", samples=_FRAME_SAMPLES)
        samples = tone_samples(self._sent, _FRAME_SAMPLES, _RATE, self._hertz)
        frame.planes[0].update(samples.tobytes())
        frame.pts = self._sent
        frame.sample_rate = _RATE
        frame.time_base = fractions.Fraction(1, _RATE)
        self._sent += _FRAME_SAMPLES
        return frame


class _Ear:
    """Collects what a track brings, as 16 bit samples."""

    def __init__(self) -> None:
        self.samples: array[int] = array("h")
        self.rate = _RATE
        self.first = asyncio.Event()

    async def listen(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.rate = frame.sample_rate
                self.samples.frombytes(mono_bytes(frame))
                self.first.set()


async def place_call(
    request: Request, during: Callable[[], Awaitable[Any]] | None = None
) -> CallRecord:
    """Register, call, send the tone, listen, hang up and take the registration back.

    `during` is awaited while the call is up. Raises CallFailedError.
    """
    watch = _Stopwatch()
    try:
        return await _registered_call(request, during, watch)
    except Exception as error:
        evidence = getattr(error, "evidence", "")
        why = str(error) or f"{type(error).__name__}: no answer in time"
        raise CallFailedError(
            STEPS[min(len(watch.steps), len(STEPS) - 1)],
            f"{why}: {evidence}" if evidence else why,
            tuple(watch.steps),
            watch.seen,
        ) from error


async def _registered_call(
    request: Request, during: Callable[[], Awaitable[Any]] | None, watch: _Stopwatch
) -> CallRecord:
    async with open_line(request.door, request.account) as line:
        watch.step(CONNECTED_TLS)
        await line.register()
        watch.step(REGISTERED)
        try:
            return await _call(line, request, during, watch)
        finally:
            with contextlib.suppress(Exception):  # the call's own failure is the one to tell
                await line.register(expires=0)


async def _call(
    line: SipLine,
    request: Request,
    during: Callable[[], Awaitable[Any]] | None,
    watch: _Stopwatch,
) -> CallRecord:
    # An empty list: aiortc would ask a public STUN server otherwise, and closed sites have none.
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    ear = _Ear()
    listening: list[asyncio.Task[None]] = []
    peer.on("track", lambda track: listening.append(asyncio.create_task(ear.listen(track))))
    call: Call | None = None
    looking: asyncio.Task[None] | None = None
    try:
        sender = peer.addTrack(_ToneTrack(request.hertz))
        _prefer(peer, request.codecs)
        await peer.setLocalDescription(await peer.createOffer())
        offer = peer.localDescription.sdp
        watch.step(GATHERED)
        call = await line.call(request.number, offer)
        watch.step(ANSWERED)
        if during:
            looking = asyncio.create_task(_look(during, watch))
        await peer.setRemoteDescription(RTCSessionDescription(sdp=call.answer, type="answer"))
        await _within(_MEDIA_SECONDS, _connected(peer), "no media connection (ICE, DTLS)")
        watch.step(CONNECTED_MEDIA)
        await _within(_MEDIA_SECONDS, ear.first.wait(), "no audio came back")
        watch.step(HEARD)
        await asyncio.sleep(request.seconds)
        answered = audio_codecs(call.answer)
        clock = _RATE if answered[:1] == ("opus",) else _NARROW_RATE  # RFC 7587, RFC 3551
        media = await _media(peer, clock)
        dtls = sender.transport
        profile = _profile(dtls)
        state = str(dtls.state)
    finally:
        if looking is not None:
            await looking
        if call is not None:
            with contextlib.suppress(Exception):  # the call's own failure is the one to tell
                await line.hang_up(call)
        await peer.close()
        for task in listening:
            task.cancel()
    watch.step(ENDED)
    return CallRecord(
        number=request.number,
        local_port=line.local_port,
        steps=tuple(watch.steps),
        offered=audio_codecs(offer),
        answered=answered,
        dtls=state,
        srtp=profile,
        fingerprint=sdp_value(call.answer, "fingerprint"),
        heard=find_tone(ear.samples, ear.rate, request.hertz),
        media=media,
        during=watch.seen,
    )


async def _look(during: Callable[[], Awaitable[Any]], watch: _Stopwatch) -> None:
    with contextlib.suppress(Exception):  # a look that fails leaves the call as it is
        watch.seen = await during()


async def _within(seconds: float, awaited: Awaitable[Any], otherwise: str) -> None:
    try:
        await asyncio.wait_for(awaited, seconds)
    except asyncio.TimeoutError:  # on Python 3.10 not yet the built-in one
        raise TimeoutError(f"{otherwise} within {seconds:g} s") from None


async def _connected(peer: RTCPeerConnection) -> None:
    while peer.connectionState != "connected":
        if peer.connectionState in ("failed", "closed"):
            raise ConnectionError(
                f"the media connection {peer.connectionState} (ICE {peer.iceConnectionState})"
            )
        await asyncio.sleep(0.01)


def _prefer(peer: RTCPeerConnection, codecs: tuple[str, ...]) -> None:
    """Offer these codecs only, in this order."""
    known = RTCRtpReceiver.getCapabilities("audio").codecs
    wanted = [
        codec
        for name in codecs
        for codec in known
        if codec.mimeType.lower() == f"audio/{name}".lower()
    ]
    for transceiver in peer.getTransceivers():
        transceiver.setCodecPreferences(wanted)


async def _media(peer: RTCPeerConnection, clock: int) -> Media:
    """The counters, once the far side has reported what it got, or after a while without.

    A report from before the far side had one of ours tells no round trip: the next one does.
    """
    end = time.monotonic() + _REPORTS_SECONDS
    while True:
        stats = {item.type: item for item in (await peer.getStats()).values()}
        report = stats.get("remote-inbound-rtp")
        told = report is not None and report.roundTripTime is not None
        if told or time.monotonic() > end:
            break
        await asyncio.sleep(_REPORTS_STEP_SECONDS)
    inbound, outbound = stats["inbound-rtp"], stats["outbound-rtp"]
    return Media(
        sent=outbound.packetsSent,
        received=inbound.packetsReceived,
        lost=max(inbound.packetsLost, 0),
        jitter=inbound.jitter / clock,
        round_trip=report.roundTripTime if report else None,
        lost_there=max(report.packetsLost, 0) if report else None,
    )


def _profile(dtls: Any) -> str:
    """The negotiated SRTP profile: aiortc has no public name for it, OpenSSL has."""
    connection = getattr(dtls, "_ssl", None)
    chosen = connection.get_selected_srtp_profile() if connection is not None else b""
    return str(chosen.decode())


def audio_codecs(sdp: str) -> tuple[str, ...]:
    """The codecs of the audio section, in order of preference, as small names (`opus`, `pcmu`).

    Telephone events and comfort noise are no codecs. Static payload types need no rtpmap
    (RFC 3551).
    """
    named = {"0": "pcmu", "8": "pcma"}
    types: list[str] = []
    in_audio = False
    for line in sdp.splitlines():
        if line.startswith("m="):
            in_audio = line.startswith("m=audio ")
            types = line.split()[3:] if in_audio else types
        elif in_audio and line.startswith("a=rtpmap:"):
            number, _, codec = line[len("a=rtpmap:") :].partition(" ")
            named[number] = codec.partition("/")[0].lower()
    codecs = (named.get(number, f"payload type {number}") for number in types)
    return tuple(name for name in codecs if name not in ("telephone-event", "cn"))


def sdp_value(sdp: str, attribute: str) -> str:
    """The first value of that attribute."""
    start = f"a={attribute}:"
    return next((line[len(start) :] for line in sdp.splitlines() if line.startswith(start)), "")
