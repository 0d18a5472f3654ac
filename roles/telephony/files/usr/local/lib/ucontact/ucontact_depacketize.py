"""Frames of a stream from its RTP packets: VP8 (RFC 7741), H.264 (RFC 6184), and voice.

Python 3.5 and later.
"""

import struct
from collections import namedtuple

_START_CODE = b"\x00\x00\x00\x01"
_REORDERED = 16  # packets that one may be late
_JUMP_SECONDS = 0.5  # of RTP's clock against arrival: the sender has begun anew

# Milliseconds since the capture's first packet; width and height of a key frame, else 0.
Frame = namedtuple("Frame", "milliseconds is_key width height data")


class Ordered:
    """Packets of one stream in the order of their sequence numbers, without duplicates."""

    def __init__(self):
        self._waiting = {}
        self._next = None
        self._ssrc = None

    def add(self, packet):
        """The packets that are due, each with whether packets before it are missing."""
        if packet.ssrc != self._ssrc:
            yield from self.rest()
            self._ssrc, self._next = packet.ssrc, packet.sequence
        ahead = (packet.sequence - self._next) & 0xFFFF
        if ahead >= 0x8000:
            if (self._next - packet.sequence) & 0xFFFF <= 4 * _REORDERED:
                return  # too late, or twice
            yield from self.rest()
            self._next, ahead = packet.sequence, 0
        self._waiting[packet.sequence] = packet
        yield from self._due()
        while len(self._waiting) > _REORDERED:
            yield from self._skip()

    def _due(self):
        while self._next in self._waiting:
            yield self._waiting.pop(self._next), False
            self._next = (self._next + 1) & 0xFFFF

    def _skip(self):
        nearest = min(self._waiting, key=lambda one: (one - self._next) & 0xFFFF)
        yield self._waiting.pop(nearest), True
        self._next = (nearest + 1) & 0xFFFF
        yield from self._due()

    def rest(self):
        """What is left at the end."""
        while self._waiting:
            yield from self._skip()


class Clock:
    """The time of a stream's packets: RTP's, held to the time of arrival."""

    def __init__(self, rate, begin):
        self._rate, self._begin = rate, begin
        self._anchor = None

    def milliseconds(self, packet):
        """When the packet's content was sent, since the capture's begin."""
        if self._anchor is not None:
            ssrc, timestamp, time = self._anchor
            ahead = (packet.timestamp - timestamp) & 0xFFFFFFFF
            ahead = ahead - (1 << 32) if ahead >= 1 << 31 else ahead
            sent = time + float(ahead) / self._rate
            if ssrc == packet.ssrc and abs(packet.time - sent) < _JUMP_SECONDS:
                self._anchor = (ssrc, packet.timestamp, sent)
                return max(0, int((sent - self._begin) * 1000 + 0.5))
        self._anchor = (packet.ssrc, packet.timestamp, packet.time)
        return max(0, int((packet.time - self._begin) * 1000 + 0.5))


def vp8_payload(data):
    """(whether a frame begins, its octets) of a packet; None for one that is none."""
    if not data:
        return None
    at = 1
    if data[0] & 0x80:
        if len(data) < 2:
            return None
        extension, at = data[1], 2
        if extension & 0x80:
            if len(data) <= at:
                return None
            at += 2 if data[at] & 0x80 else 1
        at += 1 if extension & 0x40 else 0
        at += 1 if extension & 0x30 else 0
    if at >= len(data):
        return None
    return bool(data[0] & 0x10) and not data[0] & 7, data[at:]


def vp8_size(frame):
    """(width, height) of a key frame (RFC 6386 9.1); None for another."""
    if len(frame) < 10 or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    width, height = struct.unpack_from("<HH", frame, 6)
    return width & 0x3FFF, height & 0x3FFF


class Pictures:
    """Frames of a video stream, without incomplete ones and what precedes the first key frame."""

    def __init__(self, begin):
        self._clock = Clock(90000, begin)
        self._parts, self._first, self._broken = [], None, False
        self._begun = False

    def take(self, packet, missing):
        """The frames that this packet completes."""
        if self._first is not None and packet.timestamp != self._first.timestamp:
            yield from self._complete()
        if self._first is None:
            self._first, self._broken = packet, not self.begins(packet.data)
        elif missing:
            self._broken = True
        self._parts.append(packet.data)
        if packet.marker:
            yield from self._complete()

    def _complete(self):
        first, parts, broken = self._first, self._parts, self._broken
        self._first, self._parts = None, []
        data = b"" if broken else self.joined(parts)
        if not data:
            return
        size = self.size(data)
        self._begun = self._begun or size is not None
        if self._begun:
            width, height = size or (0, 0)
            milliseconds = self._clock.milliseconds(first)
            yield Frame(milliseconds, size is not None, width, height, data)


class Vp8Pictures(Pictures):
    """Of VP8."""

    def begins(self, data):
        """Whether a frame begins with this packet."""
        found = vp8_payload(data)
        return found is not None and found[0]

    def joined(self, parts):
        """The frame of these packets."""
        return b"".join(one[1] for one in map(vp8_payload, parts) if one is not None)

    def size(self, data):
        """Width and height if it is a key frame."""
        return vp8_size(data)


class H264Pictures(Pictures):
    """Of H.264, with start codes. FFmpeg reads the size from the parameter sets."""

    def begins(self, data):
        """Whether a NAL unit begins with this packet."""
        return bool(data) and not (data[0] & 31 == 28 and not (len(data) > 1 and data[1] & 0x80))

    def joined(self, parts):
        """The access unit of these packets."""
        made = b""
        for data in parts:
            kind = data[0] & 31
            if 1 <= kind <= 23:
                made += _START_CODE + data
            elif kind == 24:
                at = 1
                while at + 2 <= len(data):
                    length = struct.unpack_from(">H", data, at)[0]
                    made += _START_CODE + data[at + 2 : at + 2 + length]
                    at += 2 + length
            elif kind == 28 and len(data) > 2:
                if data[1] & 0x80:
                    made += _START_CODE + bytes([data[0] & 0xE0 | data[1] & 31])
                made += data[2:]
        return made

    def size(self, data):
        """A size that only says that a parameter set is there: decoding can begin."""
        kinds = {part[0] & 31 for part in data.split(_START_CODE) if part}
        return (640, 480) if 7 in kinds else None


class Voice:
    """Packets of a voice stream as frames."""

    def __init__(self, rate, begin):
        self._clock = Clock(rate, begin)

    def take(self, packet, missing):
        """The packet as a frame."""
        yield Frame(self._clock.milliseconds(packet), True, 0, 0, packet.data)
