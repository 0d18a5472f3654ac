"""What is read of an SDP: codecs, candidates, payload types, fingerprint."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCPeerConnection

from ucontact_appliance.clients.sdp import (
    audio_codecs,
    candidates,
    fingerprint,
    parse_sdp,
    video_types,
    with_candidates,
)

_ANSWER = (
    "v=0\r\na=fingerprint:SHA-256 AA:BB\r\na=setup:active\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 99\r\na=rtpmap:99 VP8/90000\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 107 0 8 101 13\r\na=rtpmap:107 opus/48000/2\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=rtpmap:13 CN/8000\r\n"
)
_OFFER = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    "m=audio 4000 UDP/TLS/RTP/SAVPF 96\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\n"
    "a=candidate:2 1 udp 1694498815 198.51.100.9 4001 typ srflx raddr 192.0.2.1 rport 4000\r\n"
    "a=candidate:3 1 udp 16777215 203.0.113.7 49200 typ relay raddr 192.0.2.1 rport 4000\r\n"
    "m=video 4000 UDP/TLS/RTP/SAVPF 97 98\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\n"
)


def test_audio_codecs_of_an_answer() -> None:
    assert audio_codecs(parse_sdp(_ANSWER)) == ("opus", "pcmu", "pcma")
    unnamed = "v=0\r\nm=audio 9 RTP/AVP 9\r\n"
    assert audio_codecs(parse_sdp(unnamed)) == ("payload type 9",)


def test_the_fingerprint() -> None:
    assert fingerprint(parse_sdp(_ANSWER)) == "SHA-256 AA:BB"
    assert fingerprint(parse_sdp(_OFFER)) == ""


def test_candidates_are_told_once_each() -> None:
    assert candidates(parse_sdp(_OFFER)) == (
        "host 192.0.2.1:4000",
        "srflx 198.51.100.9:4001",
        "relay 203.0.113.7:49200",
    )


@pytest.mark.parametrize(
    ("kind", "left"),
    [("srflx", ("srflx 198.51.100.9:4001",)), ("relay", ("relay 203.0.113.7:49200",))],
)
def test_an_offer_of_one_way_names_no_other(kind: str, left: tuple[str, ...]) -> None:
    offer = with_candidates(parse_sdp(_OFFER), kind)
    assert candidates(offer) == left
    assert [line for line in str(offer).splitlines() if "candidate" not in line] == [
        line for line in _OFFER.splitlines() if "candidate" not in line
    ]


def test_an_offer_of_aiortc_is_the_same_after_it_was_read() -> None:
    async def offered() -> str:
        peer = RTCPeerConnection()
        peer.addTransceiver("audio")
        peer.addTransceiver("video")
        await peer.setLocalDescription(await peer.createOffer())
        await peer.close()
        return str(peer.localDescription.sdp)

    offer = asyncio.run(offered())
    assert str(parse_sdp(offer)) == offer


def test_the_video_payload_types() -> None:
    assert video_types(parse_sdp(_OFFER)) == frozenset({97, 98})
    assert video_types(parse_sdp("v=0")) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "v=0\r\nm=audio nine RTP/AVP 0\r\n",
        "v=0\r\nm=audio 9 RTP/AVP 0\r\na=candidate:1 1 udp\r\n",
        "v=0\r\nm=audio 9 RTP/AVP 0\r\na=fmtp:96 x=1\r\n",
        "v=0\r\na=setup:never\r\n",
    ],
)
def test_what_cannot_be_read_is_one_error(text: str) -> None:
    with pytest.raises(ConnectionError, match="the SDP can't be read"):
        parse_sdp(text)
