"""Predict the speech quality of a call over a measured path: the E-model of ITU-T G.107 (06/2015).

Everything but the path has the standard's default values: loudness and noise of a handset, and
no noticeable echo. Narrow-band speech only: wide-band codecs such as opus have their own model
(G.107.1), and their behaviour under loss is not published.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# G.107, table 3: send and receive loudness (dB), side tone (dB), D-values, talker echo (dB), echo
# path loss (dB), room noise (dB(A)), circuit noise (dBm0p), noise floor (dBmp).
_SLR, _RLR, _STMR = 8.0, 2.0, 15.0
_DS, _DR = 3.0, 3.0
_TELR, _WEPL = 65.0, 110.0
_PS, _PR, _NC, _NFOR = 35.0, 35.0, -70.0, -64.0
_QDU = 1.0
_JUST_HEARD_MS = 100.0  # mT: below this delay, double talk is not noticed


@dataclass(frozen=True)
class CodecImpairment:
    """A codec's impairment `ie` and packet-loss robustness `bpl` (ITU-T G.113, appendix I).

    `packet_ms` is the speech per packet.
    """

    name: str
    ie: float
    bpl: float
    packet_ms: float = 20.0


# G.711 (ulaw, alaw) with packet loss concealment, as in browsers and Asterisk.
G711 = CodecImpairment("G.711", 0.0, 25.1)


@dataclass(frozen=True)
class SpeechQuality:
    """Speech quality: the rating factor R (0 to 100) and the estimated mean opinion score."""

    rating: float
    mos: float


def sound(
    one_way_ms: float, jitter_ms: float, loss_percent: float, codec: CodecImpairment = G711
) -> SpeechQuality:
    """The quality of a call over such a path: one-way delay, jitter (RFC 3550), one-way loss.

    The total delay adds one packet's length and a jitter buffer of twice the jitter, which is
    what a receiver needs to lose no packet to jitter.
    """
    delay = one_way_ms + codec.packet_ms + 2 * jitter_ms
    rated = rating(delay, loss_percent, codec)
    return SpeechQuality(rated, opinion(rated))


def rating(delay_ms: float, loss_percent: float, codec: CodecImpairment = G711) -> float:
    """R for a mouth-to-ear delay and random loss (BurstR 1). Equation 7-1."""
    noise = _circuit_noise()
    signal = 15 - 1.5 * (_SLR + noise)
    return (
        signal
        - _simultaneous(signal, noise, delay_ms)
        - _delayed(signal, noise, delay_ms)
        - _equipment(loss_percent, codec)
    )


def opinion(rated: float) -> float:
    """The mean opinion score for R, 1 to 4.5. Equation B-4."""
    if rated <= 0:
        return 1.0
    if rated >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * rated + rated * (rated - 60) * (100 - rated) * 7e-6)


def _circuit_noise() -> float:
    """No: the circuit noise, in dBm0p. Equations 7-3 to 7-7."""
    olr = _SLR + _RLR
    send = _PS - _SLR - _DS - 100 + 0.004 * (_PS - olr - _DS - 14) ** 2
    room = _PR + 10 * math.log10(1 + 10 ** ((10 - (_STMR + _DR)) / 10))
    receive = _RLR - 121 + room + 0.008 * (room - 35) ** 2
    return 10 * math.log10(sum(10 ** (one / 10) for one in (_NC, send, receive, _NFOR + _RLR)))


def _simultaneous(signal: float, noise: float, delay_ms: float) -> float:
    """Is: impairments simultaneous with speech. Equations 7-8 to 7-18."""
    loudness = _SLR + _RLR + 0.2 * (64 + noise - _RLR)
    too_loud = 20 * ((1 + (loudness / 8) ** 8) ** (1 / 8) - loudness / 8)
    tone = _side_tone(delay_ms)
    side_tone = (
        12 * (1 + ((tone - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((tone + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((tone - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )
    quality = 37 - 15 * math.log10(_QDU)
    gain = 1.07 + 0.258 * quality + 0.0602 * quality**2
    y = (signal - 100) / 15 + 46 / 8.4 - gain / 9
    z = 46 / 30 - gain / 40
    quantised = 15 * math.log10(1 + 10**y + 10**z)
    impairment: float = too_loud + side_tone + quantised
    return impairment


def _side_tone(delay_ms: float) -> float:
    echo = math.exp(-delay_ms / 4) * 10 ** (-_TELR / 10)
    tone: float = -10 * math.log10(10 ** (-_STMR / 10) + echo)
    return tone


def _delayed(signal: float, noise: float, delay_ms: float) -> float:
    """Id: impairments by delay (echo, double talk). Equations 7-19 to 7-28."""
    heard = -1.5 * (noise - _RLR)
    echo = (
        _TELR
        - 40 * math.log10((1 + delay_ms / 10) / (1 + delay_ms / 150))
        + 6 * math.exp(-0.3 * delay_ms**2)
    )
    talker = 80 + 2.5 * (echo - 14)
    half = (heard - talker) / 2
    talker_echo = (half + math.sqrt(half**2 + 100) - 1) * (1 - math.exp(-delay_ms))
    listener = 10.5 * (_WEPL + 7) * (2 * delay_ms + 1) ** -0.25
    half = (signal - listener) / 2
    listener_echo = half + math.sqrt(half**2 + 169)
    impairment: float = talker_echo + listener_echo + _too_late(delay_ms)
    return impairment


def _too_late(delay_ms: float) -> float:
    """Idd: impairment by absolute delay, without echo. Equation 7-27, sT = 1."""
    if delay_ms <= _JUST_HEARD_MS:
        return 0.0
    x = math.log2(delay_ms / _JUST_HEARD_MS)
    late: float = 25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return late


def _equipment(loss_percent: float, codec: CodecImpairment) -> float:
    """Ie,eff: impairment by the codec and by packet loss. Equation 7-29."""
    if loss_percent <= 0:
        return codec.ie
    return codec.ie + (95 - codec.ie) * loss_percent / (loss_percent + codec.bpl)
