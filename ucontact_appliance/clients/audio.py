"""Generate a test tone, and detect it in received or recorded audio."""

from __future__ import annotations

import io
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

FULL_SCALE = 32768
_BLOCK_SECONDS = 0.1  # resolves 10 Hz; clock drift does not matter yet
_QUIET_DBFS = -45.0
_CLEAR_SHARE = 0.5


@dataclass(frozen=True)
class ToneHeard:
    """How much of a recording is the tone.

    `seconds` is the time in which the tone is clearly present, out of `total_seconds`; `level_dbfs`
    and `share` (the tone's share of the total energy, 0 to 1) are means over that time.
    """

    seconds: float
    total_seconds: float
    level_dbfs: float
    share: float


def tone_samples(first: int, count: int, rate: int, hertz: float, level: float = 0.3) -> array[int]:
    """16-bit signed samples of a sine, from sample number `first` on; `level` of full scale."""
    step = 2 * math.pi * hertz / rate
    return array(
        "h", (round(level * FULL_SCALE * math.sin(step * n)) for n in range(first, first + count))
    )


def find_tone(samples: Sequence[int], rate: int, hertz: float) -> ToneHeard:
    """Detect the tone block by block (Goertzel's algorithm)."""
    size = int(rate * _BLOCK_SECONDS)
    blocks = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    judged = [_judge(block, rate, hertz) for block in blocks]
    clear = [
        (level, share) for level, share in judged if share >= _CLEAR_SHARE and level >= _QUIET_DBFS
    ]
    count = len(clear)
    return ToneHeard(
        seconds=count * _BLOCK_SECONDS,
        total_seconds=len(samples) / rate,
        level_dbfs=sum(level for level, _ in clear) / count if count else -math.inf,
        share=sum(share for _, share in clear) / count if count else 0.0,
    )


def _judge(block: Sequence[int], rate: int, hertz: float) -> tuple[float, float]:
    """The tone's level in dBFS and its share of the block's energy."""
    turn = 2 * math.cos(2 * math.pi * hertz / rate)
    before, now = 0.0, 0.0
    for sample in block:
        before, now = now, sample + turn * now - before
    power = now * now + before * before - turn * now * before
    energy = sum(sample * sample for sample in block) / len(block)
    if not energy:
        return -math.inf, 0.0
    tone = 2 * power / len(block) ** 2
    return 20 * math.log10(
        math.sqrt(2 * tone) / FULL_SCALE
    ) if tone > 0 else -math.inf, tone / energy


def decode_gsm(data: bytes) -> tuple[array[int], int]:
    """Samples and sampling rate of a raw GSM 06.10 file. Raises ValueError for anything else."""
    import av  # noqa: PLC0415  loads slowly, and most runs decode no audio

    samples: array[int] = array("h")
    rate = 8000
    try:
        with av.open(io.BytesIO(data), format="gsm") as recording:
            resampler = av.AudioResampler(format="s16", layout="mono")
            for frame in recording.decode(audio=0):
                rate = frame.sample_rate
                for even in resampler.resample(frame):
                    samples.frombytes(mono_bytes(even))
    except av.FFmpegError as error:
        raise ValueError(f"no GSM 06.10 audio: {error}") from error
    if not samples:
        raise ValueError("no GSM 06.10 audio: nothing in it")
    return samples, rate


def mono_bytes(frame: av.AudioFrame) -> bytes:
    """The first channel of a packed 16-bit frame, without the plane's padding."""
    channels = len(frame.layout.channels)
    samples = array("h", bytes(frame.planes[0])[: frame.samples * channels * 2])
    return samples[::channels].tobytes()
