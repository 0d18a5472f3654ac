"""An agent's phone with a camera: it sends pictures of one colour and counts those that come."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import time

from aiortc import RTCPeerConnection, RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import VideoFrame

from tests.e2e.phone import Phone
from ucontact_appliance.clients.tracks import AudioSink

Colour = tuple[int, int, int]
"""Luma, blue and red difference of every pixel."""

_PICTURES_A_SECOND, _CLOCK = 15, 90000
_WIDTH, _HEIGHT = 320, 240


class ColourTrack(MediaStreamTrack):  # type: ignore[misc]
    """Pictures of one colour, 15 per second, in real time."""

    kind = "video"

    def __init__(self, colour: Colour) -> None:
        super().__init__()
        self._colour = colour
        self._sent = 0
        self._start: float | None = None

    async def recv(self) -> VideoFrame:
        """Return the next picture when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._start is None:
            self._start = time.monotonic()
        due = self._start + self._sent / _PICTURES_A_SECOND - time.monotonic()
        await asyncio.sleep(max(due, 0))
        frame = VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
        for plane, value in zip(frame.planes, self._colour, strict=True):
            plane.update(bytes([value]) * (plane.line_size * plane.height))
        frame.pts = self._sent * _CLOCK // _PICTURES_A_SECOND
        frame.time_base = fractions.Fraction(1, _CLOCK)
        self._sent += 1
        return frame


class ColourSink:
    """The colour and the number of the pictures that came, and when each did."""

    def __init__(self) -> None:
        self.colour: Colour | None = None
        self.times: list[float] = []

    async def watch(self, track: MediaStreamTrack) -> None:
        """Look until the track ends."""
        with contextlib.suppress(MediaStreamError):
            while True:
                self.colour = colour_of(await track.recv())
                self.times.append(time.monotonic())


def colour_of(frame: VideoFrame) -> Colour:
    """The colour in the middle of a picture."""
    luma, blue, red = (
        bytes(plane)[plane.height // 2 * plane.line_size + plane.width // 2]
        for plane in frame.planes
    )
    return luma, blue, red


class VideoPhone(Phone):
    """A phone whose calls have video: of `colour`, by `codec` alone (vp8 or h264)."""

    colour: Colour = (128, 128, 128)
    codec = "vp8"

    def _send_media(self, peer: RTCPeerConnection, hertz: float) -> None:
        super()._send_media(peer, hertz)
        peer.addTrack(ColourTrack(self.colour))
        known = RTCRtpReceiver.getCapabilities("video").codecs
        wanted = [one for one in known if one.mimeType.lower() == f"video/{self.codec}"]
        for transceiver in peer.getTransceivers():
            if transceiver.kind == "video":
                transceiver.setCodecPreferences(wanted)

    def _hear(self, peer: RTCPeerConnection, sink: AudioSink) -> None:
        self.seen = ColourSink()
        self.listening: list[asyncio.Task[None]] = []

        def take(track: MediaStreamTrack) -> None:
            wait = self.seen.watch(track) if track.kind == "video" else sink.listen(track)
            self.listening.append(asyncio.create_task(wait))

        peer.on("track", take)
        self.listening.append(asyncio.create_task(_key_frames(peer)))


async def _key_frames(peer: RTCPeerConnection) -> None:
    """Send one every second of the call: the first may come before the other side is connected.

    Asterisk asks for one by FIR (RFC 5104), which browsers know and aiortc does not.
    """
    while peer.connectionState != "closed":
        await asyncio.sleep(1.0)
        for sender in peer.getSenders():
            if sender.kind == "video":
                sender._send_keyframe()  # aiortc has no public name for it
