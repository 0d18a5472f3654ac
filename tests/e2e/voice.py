"""What a telephone of the provider says and hears: A-law (ITU-T G.711) in RTP (RFC 3550)."""

from __future__ import annotations

import cmath
import math
import socket
import threading
import time
import wave
from array import array
from collections.abc import Iterable
from pathlib import Path

from ucontact_appliance.clients.audio import tone_samples

RATE = 8000
_PACKET_SAMPLES, _PACKET_SECONDS = 160, 0.02
_ALAW, _RTP_HEADER = 8, 12
_BLOCK_SECONDS, _LEAST_SHARE, _LEAST_SECONDS = 0.1, 0.1, 0.8
_LEAST_ENERGY = 200.0**2  # of a sample


def _decoded(code: int) -> int:
    """The sample of an A-law octet: even bits are inverted, then sign, segment and step."""
    code ^= 0x55
    segment, step = (code >> 4) & 7, code & 15
    size = (step * 2 + 1) << 3 if segment == 0 else (step * 2 + 33) << (segment + 2)
    return size if code & 0x80 else -size


_SAMPLES = tuple(_decoded(code) for code in range(256))
_LEVELS = sorted((sample, code) for code, sample in enumerate(_SAMPLES))


def decoded(payload: bytes) -> array[int]:
    """16-bit samples of A-law octets."""
    return array("h", (_SAMPLES[code] for code in payload))


def encoded(samples: array[int]) -> bytes:
    """A-law octets, each the nearest one."""
    known: dict[int, int] = {}
    for one in set(samples):
        known[one] = min(_LEVELS, key=lambda level: abs(level[0] - one))[1]
    return bytes(known[one] for one in samples)


class Voice(threading.Thread):
    """Says a tone in real time until `hang_up`, and keeps what it hears."""

    def __init__(self, sock: socket.socket, where: tuple[str, int], hertz: float) -> None:
        super().__init__(daemon=True)
        self._sock, self._where = sock, where
        self._heard = bytearray()
        self._over = threading.Event()
        second = encoded(tone_samples(0, RATE, RATE, hertz))
        cuts = range(0, RATE, _PACKET_SAMPLES)
        self._packets = [second[start : start + _PACKET_SAMPLES] for start in cuts]
        self.start()

    def run(self) -> None:
        """Send one packet every 20 ms, whatever the machine's load."""
        begin, number = time.monotonic(), 0
        while not self._over.wait(max(0.0, begin + number * _PACKET_SECONDS - time.monotonic())):
            header = bytes((0x80, _ALAW)) + (number & 0xFFFF).to_bytes(2, "big")
            header += (number * _PACKET_SAMPLES).to_bytes(4, "big") + b"ucon"
            self._sock.sendto(header + self._packets[number % len(self._packets)], self._where)
            number += 1

    def hear(self, packet: bytes) -> None:
        """Take a packet that came."""
        if packet[1] & 0x7F == _ALAW:
            self._heard += packet[_RTP_HEADER:]

    def hang_up(self) -> None:
        """Say nothing any more."""
        self._over.set()
        self.join()

    @property
    def seconds(self) -> float:
        """How much it has heard."""
        return len(self._heard) / RATE

    def heard(self, since: float = 0.0, until: float | None = None) -> array[int]:
        """The samples that came between those seconds, at 8000 Hz."""
        end = None if until is None else int(until * RATE)
        return decoded(bytes(self._heard[int(since * RATE) : end]))


def loudness(samples: array[int]) -> float:
    """Root mean square of the samples, of 32767; 0 for none."""
    return math.sqrt(sum(one * one for one in samples) / max(1, len(samples)))


def bursts(path: Path, hertz: float, rate: int = 48000) -> None:
    """Write a WAV file of short tones, which a browser does not take for noise as it does a hum."""

    on, period = int(rate * 0.35), int(rate * 0.5)
    samples = array("h")
    for start in range(0, rate * 4, period):
        samples += tone_samples(start, on, rate, hertz, 0.5)
        samples.extend([0] * (period - on))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def tones(samples: array[int], rate: int, candidates: Iterable[float]) -> set[float]:
    """Those of the candidates that are in the samples for most of a second, mixed or not."""
    size = int(rate * _BLOCK_SECONDS)
    seconds = dict.fromkeys(candidates, 0.0)
    for start in range(0, len(samples) - size + 1, size):
        block = samples[start : start + size]
        energy = sum(one * one for one in block)
        for hertz in seconds if energy > _LEAST_ENERGY * size else ():
            turn = cmath.exp(-2j * cmath.pi * hertz / rate)
            found: complex = 0
            for one in block:
                found = found * turn + one
            if 2 * abs(found) ** 2 / size / energy > _LEAST_SHARE:
                seconds[hertz] += _BLOCK_SECONDS
    return {hertz for hertz, length in seconds.items() if length > _LEAST_SECONDS}


def likeness(samples: array[int], prompt: array[int], rate: int = RATE) -> float:
    """How well the prompt's loudness over time fits anywhere in the samples; 1 is the prompt."""
    step = rate // 100
    heard, wanted = _envelope(samples, step), _envelope(prompt, step)
    places = range(max(0, len(heard) - len(wanted) + 1))
    return max((_correlation(heard[at : at + len(wanted)], wanted) for at in places), default=0.0)


def _envelope(samples: array[int], step: int) -> list[float]:
    return [loudness(samples[at : at + step]) for at in range(0, len(samples) - step + 1, step)]


def _correlation(one: list[float], other: list[float]) -> float:
    mean, mean_other = sum(one) / len(one), sum(other) / len(other)
    a, b = [value - mean for value in one], [value - mean_other for value in other]
    norm = math.sqrt(sum(value * value for value in a) * sum(value * value for value in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norm if norm else 0.0
