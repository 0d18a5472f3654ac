"""Where a call stops is told by its step: against a WSS server with a certificate of a real CA."""

import asyncio
import ssl
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from av import AudioFrame
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.unit.sites import small_site
from ucontact_appliance.clients import tracks, webrtc
from ucontact_appliance.clients.calls import (
    ANSWERED,
    CONNECTED_TLS,
    GATHERED,
    REFLEXIVE,
    REGISTERED,
    RELAY,
    CallFailedError,
    CallRequest,
    IceRoute,
)
from ucontact_appliance.clients.sip import SipAccount, SipServer
from ucontact_appliance.clients.sip_message import SipMessage, parse_message
from ucontact_appliance.clients.stun import Credential
from ucontact_appliance.clients.webrtc import place_call
from ucontact_appliance.pki.issue import ensure_pki
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.state import StatePaths

Respond = Callable[[SipMessage], str]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    paths = StatePaths(folder / "etc", folder / "var")
    ensure_pki(small_site(), make_plan(small_site(), {}), paths)
    return paths.pki


def _call(
    pki: Path,
    respond: Respond,
    *,
    name: str = "contact.example.com",
    ca_file: str = "portal-ca.pem",
    subprotocols: tuple[str, ...] = ("sip",),
    registers: bool = True,
    mark: str = "",
) -> tuple[CallFailedError, list[SipMessage]]:
    """Call through that server; the failure, and what the server was asked."""
    got: list[SipMessage] = []

    async def handle(socket: ServerConnection) -> None:
        async for frame in socket:
            request = parse_message(str(frame))
            got.append(request)
            status = respond(request)
            if status and request.method != "ACK":
                kept = tuple(
                    pair
                    for pair in request.headers
                    if pair[0] in ("via", "from", "to", "call-id", "cseq")
                )
                await socket.send(SipMessage(f"SIP/2.0 {status}", kept).text())

    async def go() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "portal.pem", pki / "portal.key")
        names = [Subprotocol(one) for one in subprotocols]
        async with serve(handle, "127.0.0.1", 0, ssl=context, subprotocols=names) as server:
            port = int(next(iter(server.sockets)).getsockname()[1])
            asked = SipServer(name, "127.0.0.1", port, "/ws", str(pki / ca_file))
            account = SipAccount("contact.example.com", "6001", "hunter2hunter2")
            request = CallRequest(asked, account, "*43", 440.0, 0.1, ("PCMU",))
            await place_call(replace(request, registers=registers, mark=mark))

    with pytest.raises(CallFailedError) as caught:
        asyncio.run(go())
    return caught.value, got


def _refuse(method: str, status: str) -> Respond:
    return lambda request: status if request.method == method else "200 OK"


def test_a_certificate_for_another_name_is_not_accepted(pki: Path) -> None:
    failure, got = _call(pki, lambda request: "200 OK", name="other.example.com")
    assert failure.step == CONNECTED_TLS
    assert "CERTIFICATE_VERIFY_FAILED" in failure.why
    assert got == []


def test_a_certificate_of_an_unknown_ca_is_not_accepted(pki: Path) -> None:
    stranger = pki / "stranger.pem"
    other = StatePaths(pki / "other", pki / "other")
    ensure_pki(small_site(site="other"), make_plan(small_site(), {}), other)
    stranger.write_bytes((other.pki / "portal-ca.pem").read_bytes())
    failure, got = _call(pki, lambda request: "200 OK", ca_file="stranger.pem")
    assert failure.step == CONNECTED_TLS
    assert "CERTIFICATE_VERIFY_FAILED" in failure.why
    assert got == []


def test_a_refused_registration(pki: Path) -> None:
    failure, got = _call(pki, _refuse("REGISTER", "403 Forbidden"))
    assert failure.step == REGISTERED
    assert failure.why == "REGISTER was answered 403 Forbidden"
    assert [name for name, _ in failure.steps] == [CONNECTED_TLS]
    assert len(got) == 1


def test_a_refused_call_takes_its_registration_back(pki: Path) -> None:
    failure, got = _call(pki, _refuse("INVITE", "404 Not Found"))
    assert failure.step == ANSWERED
    assert [name for name, _ in failure.steps] == [CONNECTED_TLS, REGISTERED, GATHERED]
    last = got[-1]
    assert last.method == "REGISTER"
    assert last.header("expires") == "0"
    assert last.header("contact").endswith(";expires=0")
    offered = next(request for request in got if request.method == "INVITE").body
    assert "a=fingerprint:sha-256" in offered
    assert "PCMU/8000" in offered
    assert "opus" not in offered
    assert all("hunter2" not in request.text() for request in got)


class _Reporting:
    """A peer whose far side reports so: None is no report yet, else the round trip it tells."""

    def __init__(self, *reports: tuple[float | None] | None) -> None:
        self.left = list(reports)

    async def getStats(self) -> dict[str, SimpleNamespace]:  # noqa: N802
        now = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        stats = [
            SimpleNamespace(type="inbound-rtp", packetsReceived=9, packetsLost=0, jitter=48),
            SimpleNamespace(type="outbound-rtp", packetsSent=9),
        ]
        if now is not None:
            kind = "remote-inbound-rtp"
            stats.append(SimpleNamespace(type=kind, roundTripTime=now[0], packetsLost=1))
        return {one.type: one for one in stats}


def test_a_report_without_a_round_trip_is_not_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webrtc, "_REPORTS_STEP_SECONDS", 0)
    peer = _Reporting(None, (None,), (None,), (0.004,))
    media = asyncio.run(webrtc._media(peer, 48000))
    assert (media.round_trip, media.lost_there, media.jitter) == (0.004, 1, 0.001)


@pytest.mark.parametrize(("last", "lost_there"), [((None,), 1), (None, None)])
def test_reports_are_waited_for_no_longer_than_they_may_take(
    monkeypatch: pytest.MonkeyPatch, last: tuple[None] | None, lost_there: int | None
) -> None:
    monkeypatch.setattr(webrtc, "_REPORTS_STEP_SECONDS", 0.01)
    monkeypatch.setattr(webrtc, "_REPORTS_SECONDS", 0.05)
    media = asyncio.run(webrtc._media(_Reporting(None, last), 48000))
    assert (media.round_trip, media.lost_there) == (None, lost_there)


def test_no_public_stun_server_is_ever_asked() -> None:
    assert webrtc._ice_servers(IceRoute()) == []
    (stun,) = webrtc._ice_servers(IceRoute(REFLEXIVE, "192.0.2.7:3478"))
    assert (stun.urls, stun.username) == ("stun:192.0.2.7:3478", None)
    credential = Credential("1:doctor", "secret")
    (turn,) = webrtc._ice_servers(IceRoute(RELAY, "192.0.2.7:3478", credential))
    assert turn.urls == "turn:192.0.2.7:3478?transport=udp"
    assert (turn.username, turn.credential) == ("1:doctor", "secret")


def test_a_call_without_registration_names_the_step_that_it_did_not_reach(pki: Path) -> None:
    def refuse(request: SipMessage) -> str:
        return "503 Service Unavailable"

    error, got = _call(pki, refuse, registers=False, mark="0123456789abopus")
    assert error.step == ANSWERED
    assert [request.method for request in got if request.method != "ACK"] == ["INVITE"]
    assert got[0].header("x-ucontact-doctor") == "0123456789abopus"
    assert "0123456789abopus" in got[0].header("contact")


def test_an_unmarked_call_says_nothing_of_the_doctor(pki: Path) -> None:
    _, got = _call(pki, lambda request: "503 Service Unavailable", registers=False)
    assert got[0].header("x-ucontact-doctor") == ""


def test_what_is_sent_is_a_picture_and_a_frame_of_speech() -> None:
    async def first() -> tuple[int, int, int, int]:
        picture = await tracks.PictureTrack().recv()
        sound = await tracks.SpeechTrack(440.0).recv()
        return picture.width, picture.height, sound.samples, sound.sample_rate

    assert asyncio.run(first()) == (320, 240, 960, 48000)


def _frame(pts: int | None, level: int) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=160)
    frame.planes[0].update(array("h", [level] * 160).tobytes())
    frame.sample_rate = 8000
    frame.pts = pts
    return frame


def test_silence_stands_for_a_lost_packet() -> None:
    ear = tracks.AudioSink()
    for frame in (_frame(1000, 5), _frame(1160, 6), _frame(1480, 7)):
        ear.take(frame)
    assert list(ear.samples) == [5] * 160 + [6] * 160 + [0] * 160 + [7] * 160
    assert ear.rate == 8000


@pytest.mark.parametrize("pts", [500, 100_000, None])
def test_a_stream_that_begins_anew_or_tells_no_time_is_taken_as_it_comes(pts: int | None) -> None:
    ear = tracks.AudioSink()
    ear.take(_frame(1000, 5))
    ear.take(_frame(pts, 6))
    assert list(ear.samples) == [5] * 160 + [6] * 160


class _Sender:
    kind = "video"

    def __init__(self, brings: Callable[[], None]) -> None:
        self.whole = 0
        self._brings = brings

    def _send_keyframe(self) -> None:
        self.whole += 1
        self._brings()


@pytest.mark.parametrize(("late", "asked"), [(0, 0), (1, 1), (3, 3), (99, 6)])
def test_pictures_that_come_late_are_waited_for_with_whole_ones(
    monkeypatch: pytest.MonkeyPatch, late: int, asked: int
) -> None:
    eye = tracks.VideoSink()

    def brings() -> None:
        eye.frames += 5 if sender.whole == late else 0

    async def at_once(seconds: float) -> None:
        assert seconds == 1

    sender = _Sender(brings)
    eye.frames = 5 if late == 0 else 1
    monkeypatch.setattr(webrtc.asyncio, "sleep", at_once)
    asyncio.run(webrtc._seen(SimpleNamespace(getSenders=lambda: [sender]), eye, 5))
    assert sender.whole == asked
