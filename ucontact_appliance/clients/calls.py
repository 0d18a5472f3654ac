"""The request for a call, and the record of one; nothing here needs the media stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ucontact_appliance.clients.audio import ToneHeard
from ucontact_appliance.clients.marks import MarkedPackets
from ucontact_appliance.clients.sip import SipAccount, SipServer
from ucontact_appliance.clients.speech import SpeechHeard
from ucontact_appliance.clients.stun import Credential

# The steps of a call in order: keys of a record's times, and names in failures.
CONNECTED_TLS = "connected over TLS"
REGISTERED = "registered"
GATHERED = "candidates gathered"
ANSWERED = "answered"
CONNECTED_ICE = "way found by ICE"
CONNECTED_MEDIA = "media connected"
HEARD = "first audio back"
ENDED = "tone sent and hung up"
STEPS = (
    CONNECTED_TLS,
    REGISTERED,
    GATHERED,
    ANSWERED,
    CONNECTED_ICE,
    CONNECTED_MEDIA,
    HEARD,
    ENDED,
)
# Kinds of ICE candidates: our own addresses, only the one that the STUN server reports, or only the
# TURN server's relay.
DIRECT, REFLEXIVE, RELAY = "host", "srflx", "relay"


@dataclass(frozen=True)
class IceRoute:
    """The route that media must take; `server` is the STUN or TURN server's `ADDRESS:PORT`."""

    kind: str = DIRECT
    server: str = ""
    credential: Credential | None = None


@dataclass(frozen=True)
class CallRequest:
    """A call to place: `hertz` of tone for `seconds`. `codecs` are MIME subtypes.

    With `speech`, the speech-like signal follows half a second of tone, and is compared with what
    comes back. `video` is a MIME subtype: frames are sent too, and the call waits for `pictures` of
    them to come back. `mark` is sent with the call, so that its traces can be found. Without
    `registers` the account only calls. `reports`: wait for the far side's RTCP reports.
    """

    server: SipServer
    account: SipAccount
    number: str
    hertz: float
    seconds: float
    codecs: tuple[str, ...]
    route: IceRoute = field(default_factory=IceRoute)
    speech: bool = False
    video: str = ""
    pictures: int = 0
    mark: str = ""
    registers: bool = True
    reports: bool = True

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of this call."""
        return tuple(step for step in STEPS if self.registers or step != REGISTERED)


@dataclass(frozen=True)
class Media:
    """Counters of the call's audio; times in seconds, None when the far side sent no report."""

    sent: int
    received: int
    lost: int
    jitter: float
    round_trip: float | None
    lost_there: int | None


@dataclass(frozen=True)
class VideoSeen:
    """Video frames sent and received, and the size of the last one in pixels."""

    sent: int
    received: int
    width: int
    height: int


@dataclass(frozen=True)
class CallRecord:
    """Everything that was observed of one call.

    `local_port` is our end of the connection, by which servers list a registration. `steps` are
    (name, seconds) in order; `during` is the result of the caller's callback during the call.
    `dtls` is the state and `srtp` the negotiated profile (RFC 7714, RFC 5764). `offered_ways` are
    our candidates as `TYPE ADDRESS:PORT`, `chosen_way` the pair that ICE nominated: ours and the
    far side's. `arrived` are datagrams by kind, source and DSCP, and `signalling` segments of the
    SIP connection by DSCP; None: reading them requires root.
    """

    number: str
    local_port: int
    steps: tuple[tuple[str, float], ...]
    offered: tuple[str, ...]
    answered: tuple[str, ...]
    dtls: str
    srtp: str
    fingerprint: str
    heard: ToneHeard
    media: Media
    during: Any
    offered_ways: tuple[str, ...] = ()
    chosen_way: tuple[str, str] = ("", "")
    arrived: tuple[MarkedPackets, ...] = ()
    signalling: tuple[tuple[int, int], ...] | None = None
    speech: SpeechHeard | None = None
    video: VideoSeen | None = None

    @property
    def evidence(self) -> str:
        """The call as lines of text."""
        timed = "\n".join(f"{name}: {seconds * 1000:.0f} ms" for name, seconds in self.steps)
        media = self.media
        trip = "-" if media.round_trip is None else f"{media.round_trip * 1000:.1f} ms"
        return (
            f"{timed}\n"
            f"offered {', '.join(self.offered)}; answered {', '.join(self.answered)}\n"
            f"DTLS {self.dtls}, {self.srtp or 'no SRTP profile'}\n"
            f"{media.sent} packets sent, {media.received} received, {media.lost} lost; jitter "
            f"{media.jitter * 1000:.1f} ms; round trip {trip}; lost on the way there: "
            f"{'-' if media.lost_there is None else media.lost_there}\n"
            f"tone heard for {self.heard.seconds:.1f} s of {self.heard.total_seconds:.1f} s, "
            f"{self.heard.level_dbfs:.1f} dBFS, {self.heard.share:.0%} of the energy"
        )


class CallFailedError(Exception):
    """A call that failed: the step that it did not reach, why, and what was observed."""

    def __init__(
        self, step: str, why: str, steps: tuple[tuple[str, float], ...], during: Any = None
    ) -> None:
        super().__init__(why)
        self.step = step
        self.why = why
        self.steps = steps
        self.during = during
