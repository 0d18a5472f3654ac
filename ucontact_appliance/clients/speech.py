"""A speech-like signal, and a measure of how much of it comes back intact.

The measure is our own, on purpose (docs/decisions/0003-dependencies.md): a log-spectral distance in
critical bands of the telephone range, which is plain arithmetic and needs no licence. It is not a
MOS-LQO of ITU-T P.862 or P.863, and must never be called one.
"""

from __future__ import annotations

import cmath
import itertools
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

RATE = 8000
SECONDS = 3.0
_PEAK = 0.5 * 32767
_FRAME = 256  # samples: 32 ms
_HOP = 128
# Edges of critical bands after Zwicker, in Hz, within the telephone range.
_EDGES = (300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3400)
_FLOOR_DB = 30.0  # a band this far below a frame's strongest one is inaudible
_ACTIVE_DB = 35.0  # a frame this far below the loudest one is a pause
_INTACT_DB = 6.0
_COARSE = 80  # samples: 10 ms
_FINE = 120  # samples on each side of the coarse position
# A vowel's formants (Hz) from one syllable to the next: a, e, i, o, u and back.
_FORMANTS = ((730, 1090, 2440), (530, 1840, 2480), (300, 2290, 3010), (570, 840, 2410), (320, 870, 2240))  # fmt: skip # noqa: E501
_SYLLABLE = 0.28  # seconds
_BANDWIDTH = 110.0


@dataclass(frozen=True)
class SpeechHeard:
    """The comparison of received with sent speech.

    `delay_ms` is where the speech begins in the received audio; `intact` the share (0 to 1) of its
    frames (32 ms) whose bands differ by less than 6 dB on average; `distance_db` the mean
    difference per band; `gain_db` how much louder it came back.
    """

    delay_ms: float
    intact: float
    distance_db: float
    gain_db: float
    seconds: float


@lru_cache(maxsize=1)
def speech_samples() -> array[int]:
    """Three seconds of a speech-like signal, 16-bit at 8 kHz: voiced syllables with gliding
    formants and pitch, and short pauses between. Deterministic."""
    count = int(RATE * SECONDS)
    made = [0.0] * count
    phase = 0.0
    for n in range(count):
        t = n / RATE
        syllable, place = divmod(t / _SYLLABLE, 1.0)
        # The last part of each syllable is a pause.
        loud = max(0.0, math.sin(math.pi * place / 0.85)) if place < 0.85 else 0.0
        pitch = 120 + 30 * math.sin(2 * math.pi * 0.7 * t) + 10 * math.sin(2 * math.pi * 2.3 * t)
        phase += 2 * math.pi * pitch / RATE
        if loud <= 0.0:
            continue
        now = _FORMANTS[int(syllable) % len(_FORMANTS)]
        after = _FORMANTS[(int(syllable) + 1) % len(_FORMANTS)]
        formants = [a + (b - a) * place for a, b in zip(now, after, strict=True)]
        total = 0.0
        harmonic = 2
        while harmonic * pitch < 3400:
            total += _shape(harmonic * pitch, formants) * math.sin(harmonic * phase)
            harmonic += 1
        made[n] = loud * total
    strongest = max(abs(value) for value in made)
    return array("h", (round(_PEAK * value / strongest) for value in made))


def _shape(hertz: float, formants: Sequence[float]) -> float:
    near = (weight / (1 + ((hertz - formant) / _BANDWIDTH) ** 2)
            for formant, weight in zip(formants, (1.0, 0.6, 0.35), strict=True))  # fmt: skip
    return 0.02 + sum(near)


def resampled(samples: Sequence[int], rate: int, to: int) -> array[int]:
    """The same audio at another sampling rate, 16-bit mono."""
    if rate == to or not samples:
        return array("h", samples)
    import av  # noqa: PLC0415  loads slowly, and most runs decode no audio

    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.planes[0].update(array("h", samples).tobytes())
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="s16", layout="mono", rate=to)
    made: array[int] = array("h")
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        made.frombytes(bytes(part.planes[0])[: part.samples * 2])
    return made


def hear_speech(heard: Sequence[int], rate: int) -> SpeechHeard | None:
    """Find the sent speech in the received audio, and compare; None if it is not in there."""
    sent = speech_samples()
    came = resampled(heard, rate, RATE)
    start = _place(sent, came)
    if start is None:
        return None
    part = came[start : start + len(sent)]
    return _compared(part, start)


def _place(sent: Sequence[int], came: Sequence[int]) -> int | None:
    """The sample in `came` at which `sent` begins."""
    envelope, other = _envelope(sent), _envelope(came)
    least = len(envelope) // 2  # at least half of it must have arrived
    best, where = 0.0, None
    for lag in range(max(len(other) - least, 0)):
        shown = other[lag : lag + len(envelope)]
        level = math.sqrt(sum(value * value for value in shown))
        if level <= 1.0:
            continue
        likeness = sum(a * b for a, b in zip(envelope, shown, strict=False)) / level
        if likeness > best:
            best, where = likeness, lag
    if where is None:
        return None
    around = where * _COARSE
    # A loud section of 0.4 s gives the position to the sample.
    probe = sent[RATE // 2 : RATE // 2 + 3200]

    def alike(shift: int) -> float:
        begin = around + shift + RATE // 2
        return (
            sum(a * b for a, b in zip(probe, came[begin : begin + len(probe)], strict=False))
            if begin >= 0
            else -math.inf
        )

    return max(around + max(range(-_FINE, _FINE + 1), key=alike), 0)


def _envelope(samples: Sequence[int]) -> list[float]:
    """The RMS level of each 10 ms."""
    return [
        math.sqrt(sum(value * value for value in samples[at : at + _COARSE]) / _COARSE)
        for at in range(0, len(samples) - _COARSE + 1, _COARSE)
    ]


@lru_cache(maxsize=1)
def sent_bands() -> tuple[list[float], ...]:
    """The energy per critical band in dB, for each frame of the sent speech."""
    return tuple(_bands(frame) for frame in _frames(speech_samples()))


def _frames(samples: Sequence[int]) -> Iterator[Sequence[int]]:
    return (samples[at : at + _FRAME] for at in range(0, len(speech_samples()) - _FRAME + 1, _HOP))


def _compared(came: Sequence[int], start: int) -> SpeechHeard | None:
    pairs = list(zip(sent_bands(), (_bands(frame) for frame in _frames(came)), strict=True))
    loudest = max(max(bands) for bands, _ in pairs)
    active = [pair for pair in pairs if max(pair[0]) > loudest - _ACTIVE_DB]
    # How much louder it came back: the median, so that lost frames do not distort it.
    gains = sorted(max(back) - max(bands) for bands, back in active)
    gain = gains[len(gains) // 2]
    if gain < -_ACTIVE_DB:
        return None
    distances = [_distance(bands, [value - gain for value in back]) for bands, back in active]
    return SpeechHeard(
        delay_ms=1000 * start / RATE,
        intact=sum(distance < _INTACT_DB for distance in distances) / len(distances),
        distance_db=sum(distances) / len(distances),
        gain_db=gain,
        seconds=len(came) / RATE,
    )


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The mean difference per band in dB; levels masked by the strongest band count as equal."""
    floor = max(one) - _FLOOR_DB
    return sum(
        abs(max(a, floor) - max(b, floor)) for a, b in zip(one, other, strict=True)
    ) / len(one)  # fmt: skip


def _bands(frame: Sequence[int]) -> list[float]:
    """The energy per critical band in dB."""
    window = [
        value * (0.5 - 0.5 * math.cos(2 * math.pi * n / _FRAME)) for n, value in enumerate(frame)
    ]
    window += [0.0] * (_FRAME - len(window))
    spectrum = _fft([complex(value) for value in window])
    width = RATE / _FRAME
    found = []
    for low, high in itertools.pairwise(_EDGES):
        bins = range(math.ceil(low / width), math.ceil(high / width))
        energy = sum(abs(spectrum[n]) ** 2 for n in bins)
        found.append(10 * math.log10(energy + 1.0))
    return found


@lru_cache(maxsize=16)
def _turns(size: int) -> tuple[complex, ...]:
    return tuple(cmath.exp(-2j * math.pi * k / size) for k in range(size // 2))


def _fft(values: list[complex]) -> list[complex]:
    """The Cooley-Tukey FFT; the length must be a power of two."""
    size = len(values)
    if size == 1:
        return values
    even, odd = _fft(values[::2]), _fft(values[1::2])
    turned = [turn * value for turn, value in zip(_turns(size), odd, strict=True)]
    return [a + b for a, b in zip(even, turned, strict=True)] + [
        a - b for a, b in zip(even, turned, strict=True)
    ]
