"""A small Matroska writer (RFC 9559), for FFmpeg to read: frames with their own times.

Python 3.5 and later.
"""

import struct
from collections import namedtuple

# A track: its codec and private data in Matroska's terms, and "video" or "audio".
Track = namedtuple("Track", "kind codec private width height rate channels")

_UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"
_CLUSTER_MS = 5000  # a block's time is 16 bits, relative to its cluster
_OPUS_HEAD = b"OpusHead" + struct.pack("<BBHIhB", 1, 2, 0, 48000, 0, 0)
_WAVE_TAGS = {"pcma": 6, "pcmu": 7}


def vp8_track(width, height):
    """A track of VP8 frames."""
    return Track("video", "V_VP8", b"", width, height, 0, 0)


def h264_track(width, height):
    """A track of H.264 with start codes: only Video for Windows' mapping allows them."""
    private = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"H264", 0, 0, 0, 0, 0)
    return Track("video", "V_MS/VFW/FOURCC", private, width, height, 0, 0)


def audio_track(encoding):
    """A track of packets with that encoding of SDP; None for one that is not known."""
    name = encoding.partition("/")[0]
    if name == "opus":
        return Track("audio", "A_OPUS", _OPUS_HEAD, 0, 0, 48000, 2)
    if name in _WAVE_TAGS:
        private = struct.pack("<HHIIHHH", _WAVE_TAGS[name], 1, 8000, 8000, 1, 8, 0)
        return Track("audio", "A_MS/ACM", private, 0, 0, 8000, 1)
    return None


def _element(identity, content):
    size = len(content)
    return bytes.fromhex(identity) + struct.pack(">Q", size | 1 << 56) + content


def _number(identity, value):
    return _element(identity, struct.pack(">Q", value))


def _text(identity, value):
    return _element(identity, value.encode("ascii"))


def _entry(number, track):
    content = (
        _number("d7", number)
        + _number("73c5", number)
        + _number("83", 1 if track.kind == "video" else 2)
        + _number("9c", 0)  # no lacing
        + _text("86", track.codec)
    )
    if track.private:
        content += _element("63a2", track.private)
    if track.kind == "video":
        content += _element("e0", _number("b0", track.width) + _number("ba", track.height))
    else:
        rate = _element("b5", struct.pack(">d", track.rate))
        content += _element("e1", rate + _number("9f", track.channels))
    return _element("ae", content)


class Writer:
    """Writes frames of some tracks to a file, as they come."""

    def __init__(self, file, tracks):
        self._file = file
        self._cluster = None
        file.write(
            _element(
                "1a45dfa3", _text("4282", "matroska") + _number("4287", 4) + _number("4285", 2)
            )
            + bytes.fromhex("18538067")
            + _UNKNOWN_SIZE
            + _element("1549a966", _number("2ad7b1", 1000000))  # times are in milliseconds
            + _element("1654ae6b", b"".join(_entry(n, t) for n, t in enumerate(tracks, 1)))
        )

    def frame(self, number, milliseconds, is_key, data):
        """Add a frame to the track of that number, from 1 on."""
        start = self._cluster
        if start is None or not -_CLUSTER_MS < milliseconds - start < _CLUSTER_MS:
            self._cluster = start = milliseconds
            self._file.write(bytes.fromhex("1f43b675") + _UNKNOWN_SIZE + _number("e7", start))
        head = struct.pack(">BhB", number | 128, milliseconds - start, 128 if is_key else 0)
        self._file.write(_element("a3", head + data))
