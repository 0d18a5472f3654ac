"""A recording as WAV, for browsers, while it is sent. Python 3.5 and later.

GSM 06.10 has a constant rate, so the size is known before, and a range of bytes is a range of the
sound. The decoder needs what comes before, so it begins at the first frame and ends at the last
byte that is asked for. `untoast` is of libgsm, the reference implementation.
"""

import os
import struct
import subprocess

UNTOAST = ("/usr/bin/nice", "-n", "15", "/usr/bin/untoast", "-l")
FRAME_BYTES, FRAME_SAMPLES, RATE = 33, 160, 8000
BLOCK_BYTES = 1 << 16
HEADER_BYTES = 44


class DecoderError(Exception):
    """The decoder is missing."""


def size_of(recorded):
    """The bytes of the WAV of so many bytes of GSM 06.10; a broken frame at the end is left out."""
    return HEADER_BYTES + recorded // FRAME_BYTES * FRAME_SAMPLES * 2


def header(size):
    """The header of a WAV of that size: signed 16 bits, one channel, 8 kHz."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
    data = struct.pack("<4sI", b"data", size - HEADER_BYTES)
    return struct.pack("<4sI4s", b"RIFF", size - 8, b"WAVE") + form + data


def demand_decoder():
    """Raises DecoderError when there is none."""
    if not os.access(UNTOAST[-2], os.X_OK):
        raise DecoderError("%s is missing" % UNTOAST[-2])


def pieces(file, size, first, last):
    """The bytes `first` to `last` of the WAV of an open recording, piece by piece."""
    process = subprocess.Popen(
        UNTOAST, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        at, block = 0, header(size)
        while block and at <= last:
            part = block[max(0, first - at) : last + 1 - at]
            if part:
                yield part
            at += len(block)
            block = process.stdout.read(BLOCK_BYTES)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
