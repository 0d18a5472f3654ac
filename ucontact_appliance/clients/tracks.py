"""Media of a test call: the tracks that it sends, and sinks for those that it receives."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import time
from array import array

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

from ucontact_appliance.clients.audio import mono_bytes, tone_samples
from ucontact_appliance.clients.speech import (
    RATE as SPEECH_RATE,
)
from ucontact_appliance.clients.speech import (
    resampled,
    speech_samples,
)

RATE = 48000
_LONGEST_GAP_SECONDS = 1.0  # a longer gap is not loss, but a restarted stream
_VIDEO_CLOCK = 90000  # RFC 7741
_PICTURES_A_SECOND = 10
_WIDTH, _HEIGHT = 320, 240
_FRAME_SECONDS = 0.02
_FRAME_SAMPLES = int(RATE * _FRAME_SECONDS)


class ToneTrack(MediaStreamTrack):  # type: ignore[misc]
    """An endless sine in frames of 20 ms, in real time."""

    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self._hertz = hertz
        self._pace = _Pace()

    async def recv(self) -> AudioFrame:
        """Return the next frame when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        begin = await self._pace.due()
        samples = tone_samples(begin, _FRAME_SAMPLES, RATE, self._hertz)
        return _audio_frame(samples, begin)


class SpeechTrack(MediaStreamTrack):  # type: ignore[misc]
    """Half a second of tone, the speech, and silence, in frames of 20 ms, in real time."""

    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        lead = tone_samples(0, RATE // 2, RATE, hertz, 0.1)
        self._samples = lead + resampled(speech_samples(), SPEECH_RATE, RATE)
        self._pace = _Pace()

    async def recv(self) -> AudioFrame:
        """Return the next frame when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        begin = await self._pace.due()
        part = self._samples[begin : begin + _FRAME_SAMPLES]
        part.extend([0] * (_FRAME_SAMPLES - len(part)))
        return _audio_frame(part, begin)


class _Pace:
    """Schedules 20 ms audio frames in real time."""

    def __init__(self) -> None:
        self._sent = 0
        self._start: float | None = None

    async def due(self) -> int:
        """Wait until the next frame is due, and return the number of its first sample."""
        if self._start is None:
            self._start = time.monotonic()
        await asyncio.sleep(max(self._start + self._sent / RATE - time.monotonic(), 0))
        begin = self._sent
        self._sent += _FRAME_SAMPLES
        return begin


class PictureTrack(MediaStreamTrack):  # type: ignore[misc]
    """A grey picture with a moving bar, 320 by 240 pixels, 10 frames per second."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self._start: float | None = None

    async def recv(self) -> VideoFrame:
        """Return the next frame when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._start is None:
            self._start = time.monotonic()
        due = self._start + self.sent / _PICTURES_A_SECOND - time.monotonic()
        await asyncio.sleep(max(due, 0))
        frame = VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
        at = self.sent * 8 % (_WIDTH - 16)
        grey, white = bytes([96]), bytes([235])
        row = grey * at + white * 16 + grey * (_WIDTH - 16 - at)
        luma = frame.planes[0]
        luma.update(row.ljust(luma.line_size, b"\0") * _HEIGHT)
        for plane in frame.planes[1:]:
            plane.update(bytes([128]) * (plane.line_size * plane.height))
        frame.pts = self.sent * _VIDEO_CLOCK // _PICTURES_A_SECOND
        frame.time_base = fractions.Fraction(1, _VIDEO_CLOCK)
        self.sent += 1
        return frame


def _audio_frame(samples: array[int], pts: int) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.planes[0].update(samples.tobytes())
    frame.pts = pts
    frame.sample_rate = RATE
    frame.time_base = fractions.Fraction(1, RATE)
    return frame


class VideoSink:
    """Counts the frames of a video track."""

    def __init__(self) -> None:
        self.frames = 0
        self.size = (0, 0)

    async def watch(self, track: MediaStreamTrack) -> None:
        """Count until the track ends."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.frames += 1
                self.size = (frame.width, frame.height)


class AudioSink:
    """Collects an audio track as 16-bit samples; lost frames are replaced by silence."""

    def __init__(self) -> None:
        self.samples: array[int] = array("h")
        self.rate = RATE
        self.first = asyncio.Event()
        self._next: int | None = None

    async def listen(self, track: MediaStreamTrack) -> None:
        """Collect until the track ends."""
        with contextlib.suppress(MediaStreamError):
            while True:
                self.take(await track.recv())

    def take(self, frame: AudioFrame) -> None:
        """Add a frame; its time (pts, in samples) shows how much is missing before it."""
        self.rate = frame.sample_rate
        if frame.pts is not None:
            missing = frame.pts - self._next if self._next is not None else 0
            if 0 < missing <= _LONGEST_GAP_SECONDS * self.rate:
                self.samples.extend([0] * missing)
            self._next = frame.pts + frame.samples
        self.samples.frombytes(mono_bytes(frame))
        self.first.set()
