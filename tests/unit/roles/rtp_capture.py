"""A capture as video-capture.py writes it, of pictures of one colour and of voice."""

from __future__ import annotations

import fractions
import json
import struct
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder
from av import AudioFrame, VideoFrame

BEGIN = 1796061222.0
NAME = "20261130-175342_6001_6002_1796061222.12"
PATH = f"2026/11/30/{NAME}.gsm"
PICTURES_A_SECOND = 15
Colour = tuple[int, int, int]
Record = tuple[float, int, bytes]

_ENCODERS = {"vp8": Vp8Encoder, "h264": H264Encoder}
_PICTURE, _OPUS, _ALAW = 99, 107, 8


def about(codec: str) -> bytes:
    """What the capture says of its streams: 1 and 3 are voices, 2 and 4 pictures."""
    picture = {str(_PICTURE): f"{codec}/90000"}
    payloads = {
        "1": {str(_ALAW): "pcma/8000"},
        "2": picture,
        "3": {str(_OPUS): "opus/48000/2"},
        "4": picture,
    }
    return json.dumps({"path": PATH, "payloads": payloads}).encode()


def rtp(
    kind: int, sequence: int, timestamp: int, ssrc: int, data: bytes, *, last: bool = False
) -> bytes:
    """An RTP packet."""
    head = struct.pack(
        ">BBHII", 0x80, kind | last << 7, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc
    )
    return head + data


def picture(colour: Colour, number: int) -> VideoFrame:
    """The picture of that number."""
    frame = VideoFrame(320, 240, "yuv420p")
    for plane, value in zip(frame.planes, colour, strict=True):
        plane.update(bytes([value]) * (plane.line_size * plane.height))
    frame.pts = number * 90000 // PICTURES_A_SECOND
    frame.time_base = fractions.Fraction(1, 90000)
    return frame


def pictures(codec: str, stream: int, colour: Colour, seconds: float) -> Iterator[Record]:
    """The packets of a stream of pictures; its numbers and times overflow on the way."""
    encoder, sequence = _ENCODERS[codec](), 65530
    for number in range(int(seconds * PICTURES_A_SECOND)):
        packets, __ = encoder.encode(picture(colour, number), force_keyframe=number == 0)
        timestamp = 0xFFFFFF00 + number * 90000 // PICTURES_A_SECOND
        for at, data in enumerate(packets, 1):
            packet = rtp(_PICTURE, sequence, timestamp, stream, data, last=at == len(packets))
            yield BEGIN + number / PICTURES_A_SECOND, stream, packet
            sequence += 1


def voice(stream: int, seconds: float) -> Iterator[Record]:
    """The packets of a voice: 1 sends A-law, 3 opus."""
    encoder = OpusEncoder()
    for number in range(int(seconds * 50)):
        time = BEGIN + number / 50
        if stream == 1:
            yield time, 1, rtp(_ALAW, number, number * 160, 1, b"\xd5" * 160)
            continue
        frame = AudioFrame(format="s16", layout="stereo", samples=960)
        frame.planes[0].update(bytes(3840))
        frame.sample_rate, frame.pts = 48000, number * 960
        frame.time_base = fractions.Fraction(1, 48000)
        for data in encoder.encode(frame)[0]:
            yield time, 3, rtp(_OPUS, number, number * 960, 3, data)


def call(codec: str, colours: dict[int, Colour], seconds: float) -> list[Record]:
    """All records of a call, in the order of their arrival; stream 2 or 4 by its colour."""
    records: list[Record] = [(BEGIN, 0, about(codec))]
    for stream, colour in colours.items():
        records += pictures(codec, stream, colour, seconds)
    records += [*voice(1, seconds), *voice(3, seconds)]
    return sorted(records, key=lambda one: one[0])


def written(video: ModuleType, records: list[Record]) -> bytes:
    """The capture of these records."""
    return b"".join(video.record(*one) for one in records)


def colour_of(frame: Any) -> Colour:
    """The colour in the middle of a picture."""
    luma, blue, red = (
        bytes(plane)[plane.height // 2 * plane.line_size + plane.width // 2]
        for plane in frame.planes
    )
    return luma, blue, red
