"""Place a real call as a browser does: SIP over WSS, ICE, DTLS-SRTP, and audio both ways.

Media goes directly, by the address that the site's STUN server reports, or only by its TURN relay.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aioice import TransportPolicy
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamTrack
from aiortc.sdp import SessionDescription

from ucontact_appliance.clients.audio import find_tone
from ucontact_appliance.clients.calls import (
    ANSWERED,
    CONNECTED_ICE,
    CONNECTED_MEDIA,
    CONNECTED_TLS,
    DIRECT,
    ENDED,
    GATHERED,
    HEARD,
    REFLEXIVE,
    REGISTERED,
    RELAY,
    CallFailedError,
    CallRecord,
    CallRequest,
    IceRoute,
    Media,
    VideoSeen,
)
from ucontact_appliance.clients.marks import CountingEventLoop, run_seeing, tcp_ear
from ucontact_appliance.clients.sdp import (
    audio_codecs,
    candidates,
    fingerprint,
    parse_sdp,
    video_types,
    with_candidates,
)
from ucontact_appliance.clients.sip import Call, SipLine, open_line
from ucontact_appliance.clients.speech import hear_speech, speech_samples
from ucontact_appliance.clients.tracks import (
    RATE,
    AudioSink,
    PictureTrack,
    SpeechTrack,
    ToneTrack,
    VideoSink,
)
from ucontact_appliance.language.messages import _, concatenated, what_of

_NARROW_RATE = 8000
_PICTURES_SECONDS = 6  # at most, for frames that a busy machine sends late
_MEDIA_SECONDS = 8.0  # ICE and DTLS: well below 1 s on a LAN
_REPORTS_STEP_SECONDS = 0.2
_REPORTS_SECONDS = 8.0  # RFC 3550 6.3.1: reports come every 5 s, or up to half as much later


class _Stopwatch:
    """Records how long each step took, and the result of the `during` callback."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []
        self.seen: Any = None
        self._last = time.monotonic()

    def step(self, name: str) -> None:
        now = time.monotonic()
        self.steps.append((name, now - self._last))
        self._last = now


async def _seen(peer: RTCPeerConnection, eye: VideoSink, pictures: int) -> None:
    """Wait up to 6 s until `pictures` frames are back, and send a key frame every second.

    If the first key frame is lost, the far side can't decode the inter frames that follow.
    """
    senders = [one for one in peer.getSenders() if one.kind == "video"]
    for __ in range(_PICTURES_SECONDS):
        if eye.frames >= pictures:
            return
        for sender in senders:
            sender._send_keyframe()  # aiortc has no public name for it
        await asyncio.sleep(1)


async def place_call(
    request: CallRequest, during: Callable[[], Awaitable[Any]] | None = None
) -> CallRecord:
    """Register, call, send the tone, record, hang up and remove the registration.

    `during` is awaited while the call is up. Raises CallFailedError.
    """
    watch = _Stopwatch()
    try:
        with tcp_ear(request.server.address, request.server.port) as ear:
            record = await _line_and_call(request, during, watch)
            if ear is None:
                return record
            ear.listen()
            return replace(record, signalling=tuple(sorted(ear.to(record.local_port).items())))
    except Exception as error:
        evidence = getattr(error, "evidence", "")
        why = what_of(error) or _("{error}: no answer in time", error=type(error).__name__)
        steps = request.steps
        raise CallFailedError(
            steps[min(len(watch.steps), len(steps) - 1)],
            concatenated((why, ": ", evidence)) if evidence else why,
            tuple(watch.steps),
            watch.seen,
        ) from error


def call_now(
    request: CallRequest, during: Callable[[], Awaitable[Any]] | None = None
) -> CallRecord:
    """Place the call in its own event loop, which counts the DSCP of what arrives.

    Raises CallFailedError.
    """
    if request.speech:
        speech_samples()  # computed before the clock runs
    return run_seeing(lambda loop: place_call(request, during))


async def _line_and_call(
    request: CallRequest, during: Callable[[], Awaitable[Any]] | None, watch: _Stopwatch
) -> CallRecord:
    async with open_line(request.server, request.account, mark=request.mark) as line:
        watch.step(CONNECTED_TLS)
        if not request.registers:
            return await _call(line, request, during, watch)
        await line.register()
        watch.step(REGISTERED)
        try:
            return await _call(line, request, during, watch)
        finally:
            with contextlib.suppress(Exception):  # report the call's own failure instead
                await line.register(expires=0)


def _ice_servers(route: IceRoute) -> list[RTCIceServer]:
    """The route's ICE servers; empty for none, as aiortc's default is a public STUN server."""
    if route.kind == REFLEXIVE:
        return [RTCIceServer(urls=f"stun:{route.server}")]
    if route.kind == RELAY and route.credential is not None:
        user, password = route.credential.user, route.credential.password
        url = f"turn:{route.server}?transport=udp"
        return [RTCIceServer(urls=url, username=user, credential=password)]
    return []


async def _call(
    line: SipLine,
    request: CallRequest,
    during: Callable[[], Awaitable[Any]] | None,
    watch: _Stopwatch,
) -> CallRecord:
    loop = asyncio.get_running_loop()
    peer = RTCPeerConnection(RTCConfiguration(iceServers=_ice_servers(request.route)))
    ear, eye = AudioSink(), VideoSink()
    listening: list[asyncio.Task[None]] = []

    def take(track: MediaStreamTrack) -> None:
        sense = ear.listen(track) if track.kind == "audio" else eye.watch(track)
        listening.append(asyncio.create_task(sense))

    peer.on("track", take)
    call: Call | None = None
    looking: asyncio.Task[None] | None = None
    try:
        picture = PictureTrack() if request.video else None
        sender = _add_tracks(peer, request, picture)
        offer = await _offer(peer, sender, request)
        watch.step(GATHERED)
        call = await line.call(request.number, str(offer))
        watch.step(ANSWERED)
        if during:
            looking = asyncio.create_task(_look(during, watch))
        agreed = parse_sdp(call.answer)
        if isinstance(loop, CountingEventLoop):
            loop.video_types = video_types(agreed)
        await peer.setRemoteDescription(RTCSessionDescription(sdp=call.answer, type="answer"))
        await _within(_MEDIA_SECONDS, _found_way(peer), _("no media path (ICE)"))
        watch.step(CONNECTED_ICE)
        await _within(_MEDIA_SECONDS, _connected(peer), _("no media connection (DTLS)"))
        watch.step(CONNECTED_MEDIA)
        await _within(_MEDIA_SECONDS, ear.first.wait(), _("no audio came back"))
        watch.step(HEARD)
        await asyncio.sleep(request.seconds)
        await _seen(peer, eye, request.pictures)
        answered = audio_codecs(agreed)
        clock = RATE if answered[:1] == ("opus",) else _NARROW_RATE  # RFC 7587, RFC 3551
        media = await _media(peer, clock, wait=request.reports)
        dtls = sender.transport
        profile = _profile(dtls)
        state = str(dtls.state)
        chosen = _nominated(sender.transport.transport)
    finally:
        if looking is not None:
            await looking
        if call is not None:
            with contextlib.suppress(Exception):  # report the call's own failure instead
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
        fingerprint=fingerprint(agreed),
        heard=find_tone(ear.samples, ear.rate, request.hertz),
        media=media,
        during=watch.seen,
        offered_ways=candidates(offer),
        chosen_way=chosen,
        arrived=loop.arrived if isinstance(loop, CountingEventLoop) else (),
        speech=hear_speech(ear.samples, ear.rate) if request.speech else None,
        video=None if picture is None else VideoSeen(picture.sent, eye.frames, *eye.size),
    )


def _add_tracks(
    peer: RTCPeerConnection, request: CallRequest, picture: PictureTrack | None
) -> RTCRtpSender:
    """Add the tracks to send, and return the sender of the audio."""
    track = SpeechTrack if request.speech else ToneTrack
    sender = peer.addTrack(track(request.hertz))
    if picture is not None:
        peer.addTrack(picture)
    _prefer(peer, request.codecs, request.video)
    return sender


async def _offer(
    peer: RTCPeerConnection, sender: RTCRtpSender, request: CallRequest
) -> SessionDescription:
    """Create our offer, with only the candidates of the requested route."""
    route = request.route
    if route.kind == RELAY:
        # Only later releases of aiortc have a public name for it.
        sender.transport.transport.iceGatherer._connection._transport_policy = TransportPolicy.RELAY
    await peer.setLocalDescription(await peer.createOffer())
    offer = parse_sdp(peer.localDescription.sdp)
    if route.kind != DIRECT:
        offer = with_candidates(offer, route.kind)
    if not candidates(offer):
        raise ConnectionError(
            _(
                "no {kind} candidate from {server}",
                kind=route.kind,
                server=route.server or _("this machine"),
            )
        )
    return offer


def _nominated(ice: Any) -> tuple[str, str]:
    """The candidate pair that ICE nominated, ours and theirs; aiortc has no public name for it."""
    pair = ice._connection._nominated.get(1)
    if pair is None:
        return "", ""
    ours, theirs = pair.local_candidate, pair.remote_candidate
    return f"{ours.type} {ours.host}:{ours.port}", f"{theirs.type} {theirs.host}:{theirs.port}"


async def _found_way(peer: RTCPeerConnection) -> None:
    while peer.iceConnectionState not in ("connected", "completed"):
        if peer.iceConnectionState in ("failed", "closed"):
            raise ConnectionError(
                _(
                    "no media path: ICE {iceconnectionstate}",
                    iceconnectionstate=peer.iceConnectionState,
                )
            )
        await asyncio.sleep(0.005)


async def _look(during: Callable[[], Awaitable[Any]], watch: _Stopwatch) -> None:
    with contextlib.suppress(Exception):  # a failed callback does not affect the call
        watch.seen = await during()


async def _within(seconds: float, awaited: Awaitable[Any], otherwise: str) -> None:
    try:
        await asyncio.wait_for(awaited, seconds)
    except asyncio.TimeoutError:  # Python 3.10 does not yet alias it to the built-in one
        raise TimeoutError(
            _("{otherwise} within {seconds:g} s", otherwise=otherwise, seconds=seconds)
        ) from None


async def _connected(peer: RTCPeerConnection) -> None:
    while peer.connectionState != "connected":
        if peer.connectionState in ("failed", "closed"):
            raise ConnectionError(
                _(
                    "the media connection {connectionstate} (ICE {iceconnectionstate})",
                    connectionstate=peer.connectionState,
                    iceconnectionstate=peer.iceConnectionState,
                )
            )
        await asyncio.sleep(0.01)


def _prefer(peer: RTCPeerConnection, codecs: tuple[str, ...], video: str = "") -> None:
    """Offer only these codecs, in this order."""
    for transceiver in peer.getTransceivers():
        names = codecs if transceiver.kind == "audio" else (video,)
        known = RTCRtpReceiver.getCapabilities(transceiver.kind).codecs
        wanted = [
            codec
            for name in names
            for codec in known
            if codec.mimeType.lower() == f"{transceiver.kind}/{name}".lower()
        ]
        transceiver.setCodecPreferences(wanted)


async def _media(peer: RTCPeerConnection, clock: int, *, wait: bool = True) -> Media:
    """The audio counters, as soon as the far side has sent an RTCP report, or after a time limit.

    A report sent before the far side had one of ours contains no round trip: the next one does.
    """
    end = time.monotonic() + (_REPORTS_SECONDS if wait else 0.0)
    while True:
        found = (await peer.getStats()).values()
        stats = {item.type: item for item in found if getattr(item, "kind", "audio") == "audio"}
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
    """The negotiated SRTP profile: aiortc has no public name for it, but OpenSSL has."""
    connection = getattr(dtls, "_ssl", None)
    chosen = connection.get_selected_srtp_profile() if connection is not None else b""
    return str(chosen.decode())
