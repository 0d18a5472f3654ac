"""Read a call's SDP (RFC 8866) with aiortc's parser."""

from __future__ import annotations

from copy import deepcopy

from aiortc.sdp import MediaDescription, SessionDescription

from ucontact_appliance.language.messages import _

# Static payload types need no rtpmap (RFC 3551).
_STATIC = {0: "pcmu", 8: "pcma"}
_NO_CODECS = ("telephone-event", "cn")


def parse_sdp(text: str) -> SessionDescription:
    """Parse an SDP. Raises ConnectionError for anything else: a server may send any text."""
    try:
        return SessionDescription.parse(text)
    except Exception as error:  # the parser asserts, and lets Python errors of every kind through
        raise ConnectionError(
            _("the SDP can't be read ({kind})", kind=type(error).__name__)
        ) from error


def audio_codecs(session: SessionDescription) -> tuple[str, ...]:
    """The codecs of the audio section, in order of preference, in lower case (`opus`, `pcmu`).

    Telephone events and comfort noise do not count as codecs.
    """
    names: list[str] = []
    for media in _of_kind(session, "audio"):
        mapped = {codec.payloadType: codec.name.lower() for codec in media.rtp.codecs}
        named = _STATIC | mapped
        names += [named.get(number, f"payload type {number}") for number in media.fmt]
    return tuple(name for name in names if name not in _NO_CODECS)


def video_types(session: SessionDescription) -> frozenset[int]:
    """The payload types of the video section."""
    return frozenset(number for media in _of_kind(session, "video") for number in media.fmt)


def candidates(session: SessionDescription) -> tuple[str, ...]:
    """The ICE candidates as `TYPE ADDRESS:PORT`, each once (RFC 8839)."""
    found = (one for media in session.media for one in media.ice_candidates)
    return tuple(dict.fromkeys(f"{one.type} {one.ip}:{one.port}" for one in found))


def with_candidates(session: SessionDescription, kind: str) -> SessionDescription:
    """A copy of the description with only the ICE candidates of that type."""
    left = deepcopy(session)
    for media in left.media:
        media.ice_candidates = [one for one in media.ice_candidates if one.type == kind]
    return left


def fingerprint(session: SessionDescription) -> str:
    """The first certificate fingerprint for DTLS; empty when there is none (RFC 8122)."""
    found = (one for media in session.media if media.dtls for one in media.dtls.fingerprints)
    return next((f"{one.algorithm} {one.value}" for one in found), "")


def _of_kind(session: SessionDescription, kind: str) -> list[MediaDescription]:
    return [media for media in session.media if media.kind == kind]
