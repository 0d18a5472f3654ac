"""The deep doctor's additional calls: one per codec, one per ICE route, and video.

None of them registers: they use an extension's account. The only traces to remove are those that
every call leaves, and they carry the run's mark.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ucontact_appliance.clients import speech, stun
from ucontact_appliance.clients.calls import REFLEXIVE, RELAY, IceRoute
from ucontact_appliance.facts.call import Attempt, attempted, echo_request
from ucontact_appliance.facts.source import ProbeContext

# R06, as SDP names them (RFC 7587, RFC 3551).
MIME = {"opus": "opus", "alaw": "PCMA", "ulaw": "PCMU"}
VIDEO_MIME = {"vp8": "VP8", "h264": "H264"}
WAY_SECONDS = 2.0
VIDEO_SECONDS = 3.0
# An extension's number, its secret, and the file of the CA that signed the server's certificate.
Caller = tuple[str, str, str]
_SPEECH_SECONDS = speech.SECONDS + 1.2  # plus the tone before it and the round trip


@dataclass(frozen=True)
class NamedAttempt:
    """One call of several: the name of its codec or ICE route, and its result."""

    name: str
    attempt: Attempt


def keeps_marks(reach: ProbeContext) -> bool:
    """Whether the installed dialplan stores a call's mark (it does from this version on)."""
    shown = reach.runner.run(["asterisk", "-rx", "dialplan show mark"]).stdout
    return "X-uContact-Doctor" in shown


def quality_call(reach: ProbeContext, caller: Caller, take: int) -> Attempt:
    """Repeat the main call, with the far side's RTCP reports but without a registration."""
    request = replace(echo_request(reach, *caller, f"again{take}"), registers=False, reports=True)
    return attempted(reach, request)


def codec_calls(
    reach: ProbeContext, caller: Caller, codecs: tuple[str, ...], take: int = 1
) -> tuple[NamedAttempt, ...]:
    """Place one call per codec (R06's names), all at once.

    Each call's audio is judged. Concurrent calls can disturb each other, so a second attempt runs
    alone. `take` distinguishes the calls of second and third attempts from the first.
    """

    def one(codec: str) -> NamedAttempt:
        request = replace(
            echo_request(reach, *caller, f"{codec}{take}"),
            codecs=(MIME[codec],),
            seconds=_SPEECH_SECONDS,
            speech=True,
            registers=False,
            reports=False,
        )
        return NamedAttempt(codec, attempted(reach, request))

    speech.sent_bands()  # computed once, before the clock of any call runs
    return _at_once(one, codecs)


def way_calls(
    reach: ProbeContext, caller: Caller, port: int, stun_secret: str
) -> tuple[NamedAttempt, ...]:
    """Place two calls at once: by the STUN server's reflexive address, and by TURN relay only."""
    server = f"{reach.address}:{port}"

    def one(kind: str) -> NamedAttempt:
        credential = stun.time_limited(stun_secret, "doctor") if kind == RELAY else None
        request = replace(
            echo_request(reach, *caller, kind),
            route=IceRoute(kind, server, credential),
            seconds=WAY_SECONDS,
            registers=False,
            reports=False,
        )
        return NamedAttempt(kind, attempted(reach, request))

    return _at_once(one, (REFLEXIVE, RELAY))


def video_calls(
    reach: ProbeContext, caller: Caller, codecs: tuple[str, ...], pictures: int
) -> tuple[NamedAttempt, ...]:
    """Place one call per video codec, all at once, each until `pictures` frames are back."""

    def one(codec: str) -> NamedAttempt:
        request = replace(
            echo_request(reach, *caller, codec),
            video=VIDEO_MIME[codec],
            pictures=pictures,
            seconds=VIDEO_SECONDS,
            registers=False,
            reports=False,
        )
        return NamedAttempt(codec, attempted(reach, request))

    return _at_once(one, codecs)


def _at_once(
    one: Callable[[str], NamedAttempt], names: tuple[str, ...]
) -> tuple[NamedAttempt, ...]:
    with ThreadPoolExecutor(len(names) or 1) as pool:
        return tuple(pool.map(one, names))
