"""Captures of calls with video: the packets that a call's leg inside this server carried.

A capture is a sequence of records: a header (RECORD), then its content. The first is JSON with the
recording's path; others of that kind describe the streams as SDP does; the rest are RTP packets.
Python 3.5 and later.
"""

import json
import os
import re
import struct
from collections import namedtuple

FOLDER = b"/var/spool/asterisk/video"
GROWING, FINISHED = b".part", b".capture"
# Seconds since the epoch, stream, octets of the content.
RECORD = struct.Struct(">dBH")
ABOUT = 0
# Streams: what the caller and the called party sent.
CALLER, CALLED = 0, 1
STREAMS = {
    1: (CALLER, "audio"),
    2: (CALLER, "video"),
    3: (CALLED, "audio"),
    4: (CALLED, "video"),
}
NUMBERS = {stream: number for number, stream in STREAMS.items()}
# YEAR/MONTH/DAY/NAME_UNIQUEID.gsm, as the dialplan's [record] names it.
PATH = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}/([0-9A-Za-z_*.-]{1,150}_[0-9]+\.[0-9]+)\.gsm")

Media = namedtuple("Media", "kind port payloads")
Packet = namedtuple("Packet", "time stream payload_type sequence timestamp ssrc marker data")


def sdp_media(body):
    """The streams of a session description (RFC 8866) that are not rejected.

    `payloads` are encodings by payload type: {"107": "opus/48000/2"}.
    """
    found = []
    for line in body.splitlines():
        if line.startswith("m="):
            words = line[2:].split()
            if len(words) < 4 or not words[1].isdigit():
                found.append(None)
                continue
            static = {"0": "pcmu/8000", "8": "pcma/8000"}
            known = {one: static[one] for one in words[3:] if one in static}
            found.append(Media(words[0], int(words[1]), known))
        elif line.startswith("a=rtpmap:") and found and found[-1] is not None:
            number, _, encoding = line[len("a=rtpmap:") :].partition(" ")
            found[-1].payloads[number] = encoding.strip().lower()
    return [one for one in found if one is not None and one.port]


def about(content):
    """The content of a description's record."""
    return json.dumps(content, sort_keys=True).encode("ascii")


def record(time, stream, content):
    """A record of a capture."""
    return RECORD.pack(time, stream, len(content)) + content


def records(file):
    """(time, stream, content) of each record; one that was not written to its end is left out."""
    while True:
        head = file.read(RECORD.size)
        if len(head) < RECORD.size:
            return
        time, stream, length = RECORD.unpack(head)
        content = file.read(length)
        if len(content) < length:
            return
        yield time, stream, content


def rtp_packet(time, stream, content):
    """The RTP packet (RFC 3550 5.1) without header, extension and padding; None if it is none."""
    if len(content) < 12 or content[0] >> 6 != 2:
        return None
    start = 12 + 4 * (content[0] & 15)
    if content[0] & 16:
        if len(content) < start + 4:
            return None
        start += 4 + 4 * struct.unpack_from(">H", content, start + 2)[0]
    end = len(content) - (content[-1] if content[0] & 32 else 0)
    if start >= end:
        return None
    sequence, timestamp, ssrc = struct.unpack_from(">HII", content, 2)
    return Packet(
        time,
        stream,
        content[1] & 127,
        sequence,
        timestamp,
        ssrc,
        bool(content[1] & 128),
        content[start:end],
    )


def name_of(path):
    """The name of a recording's captures, without an ending; None for another path."""
    found = PATH.fullmatch(path)
    return os.fsencode(found.group(1)) if found else None
