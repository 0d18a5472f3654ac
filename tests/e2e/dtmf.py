"""Digits in G.711 audio (PCMA) and in RFC 4733's events, made and recognised."""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence

RATE = 8000
EVENT_PAYLOAD, PCMA = 101, 8
_FRAME = 160  # samples, 20 ms
_DIGITS = "123A456B789C*0#D"
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_EVENTS = "0123456789*#ABCD"


def tones(digit: str, seconds: float = 0.2) -> list[int]:
    """The two tones of a digit (ITU-T Q.23), 16 bits."""
    row, column = divmod(_DIGITS.index(digit), 4)
    pair = (_ROWS[row], _COLUMNS[column])
    return [
        round(sum(8000 * math.sin(2 * math.pi * hertz * at / RATE) for hertz in pair))
        for at in range(int(RATE * seconds))
    ]


def recognised(samples: Sequence[int]) -> str:
    """The digits whose tones are in the audio, each once however long it lasts."""
    found, last = "", ""
    for start in range(0, len(samples) - 400, 400):  # 50 ms
        block = samples[start : start + 400]
        energy = sum(value * value for value in block)
        powers = {hertz: _power(block, hertz) for hertz in _ROWS + _COLUMNS}
        row = max(_ROWS, key=powers.__getitem__)
        column = max(_COLUMNS, key=powers.__getitem__)
        clear = energy > 400 * 500**2 and powers[row] + powers[column] > 0.7 * energy
        now = _DIGITS[_ROWS.index(row) * 4 + _COLUMNS.index(column)] if clear else ""
        if now and now != last:
            found += now
        last = now
    return found


def _power(block: Sequence[int], hertz: int) -> float:
    """Energy at a frequency (Goertzel), in the units of the sum of squares."""
    factor = 2 * math.cos(2 * math.pi * hertz / RATE)
    first = second = 0.0
    for value in block:
        first, second = value + factor * first - second, first
    return 2 * (first * first + second * second - factor * first * second) / len(block)


def frames(samples: Sequence[int]) -> Iterator[bytes]:
    """The payloads of 20 ms each."""
    for start in range(0, len(samples), _FRAME):
        yield bytes(_to_pcma(value) for value in samples[start : start + _FRAME])


def event(digit: str, duration: int, *, end: bool) -> bytes:
    """The payload of an event of so many samples (RFC 4733, section 2.3)."""
    return struct.pack("!BBH", _EVENTS.index(digit), (0x80 if end else 0) | 10, duration)


def digit_of(payload: bytes) -> str | None:
    """The digit that an event ends; None while it lasts."""
    number, flags = payload[:2]
    return _EVENTS[number] if flags & 0x80 else None


def packet(payload_type: int, sequence: int, timestamp: int, payload: bytes) -> bytes:
    """An RTP packet (RFC 3550, section 5.1)."""
    return struct.pack("!BBHII", 0x80, payload_type, sequence, timestamp, 0x5EED) + payload


def from_pcma(code: int) -> int:
    """G.711, table 1a, to 16 bits."""
    code ^= 0x55
    exponent, mantissa = (code & 0x70) >> 4, code & 0x0F
    size = (mantissa << 4) + 8 if not exponent else ((mantissa << 4) + 0x108) << (exponent - 1)
    return size if code & 0x80 else -size


_LEVELS = sorted((from_pcma(code), code) for code in range(256))


def _to_pcma(value: int) -> int:
    """The code whose level is next below, or the lowest."""
    return _LEVELS[max(bisect_right(_LEVELS, (value, 256)) - 1, 0)][1]
