"""Which packets of the loopback interface belong to which call, and what is kept of them."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.roles.services import telephony_service

NAME = "20261130-175342_6001_6002_1796061222.12"
PATH = f"2026/11/30/{NAME}.gsm"
CALL_ID = "fd4553d1-c9b3-473a-b77c-f897f2eedf07"
OFFER = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
c=IN IP4 127.0.0.1
m=audio 10312 RTP/AVP 107 8 101
a=rtpmap:107 opus/48000/2
a=rtpmap:101 telephone-event/48000
m=video 10356 RTP/AVP 100
a=rtpmap:100 VP8/90000
"""
ANSWER = OFFER.replace("10312", "10252").replace("10356", "10350")
CALLERS_VOICE, CALLERS_PICTURE, CALLEDS_VOICE, CALLEDS_PICTURE = 10312, 10356, 10252, 10350


def message(start: str, method: str, sdp: str = "", to: str = ";tag=b", **more: str) -> bytes:
    """A message of the dialog as Asterisk 22.10 writes it; all requests are the caller's."""
    headers = [
        start,
        "Via: SIP/2.0/UDP 127.0.0.1:5066;rport;branch=z9hG4bKPj16fa5a83",
        "From: <sip:ucontact-video-vp8@127.0.0.1>;tag=a",
        f"To: <sip:6002@127.0.0.1>{to}",
        f"Call-ID: {CALL_ID}",
        f"CSeq: 8404 {method}",
        *([f"X-uContact-Recording: {more['path']}"] if "path" in more else []),
        *(["Content-Type: application/sdp"] if sdp else []),
    ]
    return ("\r\n".join([*headers, "", ""]) + sdp.replace("\n", "\r\n")).encode()


INVITE = message("INVITE sip:6002@127.0.0.1:5066 SIP/2.0", "INVITE", OFFER, "", path=PATH)
REFUSED = message("SIP/2.0 401 Unauthorized", "INVITE")
RINGING = message("SIP/2.0 180 Ringing", "INVITE")
ANSWERED = message("SIP/2.0 200 OK", "INVITE", ANSWER)
BYE = message("BYE sip:127.0.0.1:5066 SIP/2.0", "BYE")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = telephony_service("video-capture")
    monkeypatch.setattr(module.video, "FOLDER", os.fsencode(tmp_path))
    return module


def up(service: ModuleType) -> Any:
    """What captures, with a call that was answered at 100 s."""
    capture = service.Capture()
    for text in (INVITE, REFUSED, INVITE, RINGING, ANSWERED):
        capture.sip(text, 100.0)
    return capture


def records(service: ModuleType, folder: Path) -> list[tuple[float, int, bytes]]:
    """The packets of the one finished capture."""
    (path,) = folder.iterdir()
    assert path.name == f"{NAME}.capture"
    with path.open("rb") as file:
        return [one for one in service.video.records(file) if one[1] != service.video.ABOUT]


def test_each_party_is_known_by_the_port_it_sends_from(service: ModuleType, tmp_path: Path) -> None:
    capture = up(service)
    ports = (CALLERS_VOICE, CALLERS_PICTURE, CALLEDS_VOICE, CALLEDS_PICTURE)
    for port in (*ports, CALLERS_VOICE + 1, 10999):
        capture.media(port, b"%d" % port, 101.0)
    capture.sip(BYE, 102.0)
    capture.media(CALLERS_VOICE, b"late", 103.0)
    assert records(service, tmp_path) == [
        (101.0, number, b"%d" % port) for number, port in enumerate(ports, 1)
    ]


def test_what_the_streams_are_is_in_the_capture(service: ModuleType, tmp_path: Path) -> None:
    capture = up(service)
    capture.sip(BYE, 102.0)
    (path,) = tmp_path.iterdir()
    remux = telephony_service("video-remux")
    with path.open("rb") as file:
        about = remux.description(file)
    assert about["path"] == PATH
    assert about["payloads"]["3"]["107"] == "opus/48000/2"
    assert about["payloads"]["2"] == about["payloads"]["4"] == {"100": "vp8/90000"}
    assert about["payloads"]["1"]["8"] == "pcma/8000"


@pytest.mark.parametrize(
    "texts",
    [
        (INVITE, message("SIP/2.0 486 Busy Here", "INVITE")),
        (INVITE, message("CANCEL sip:6002@127.0.0.1:5066 SIP/2.0", "CANCEL")),
        (INVITE, message("SIP/2.0 200 OK", "INVITE", ANSWER.replace("10350", "0")), BYE),
        (INVITE.replace(b"X-uContact-Recording", b"X-Other"), ANSWERED, BYE),
        (INVITE.replace(b"2026/11/30", b"../../etc/"), ANSWERED, BYE),
        (b"\xff\x00\r\n\r\n", b"", b"SIP/2.0", b"SIP/2.0 abc\r\nCSeq: 1 INVITE\r\n\r\n", BYE),
    ],
)
def test_other_calls_leave_nothing(
    service: ModuleType, tmp_path: Path, texts: tuple[bytes, ...]
) -> None:
    capture = service.Capture()
    for text in texts:
        capture.sip(text, 100.0)
        capture.media(CALLERS_PICTURE, b"x", 100.0)
    assert list(tmp_path.iterdir()) == []
    assert capture.calls == {}


def test_a_killed_service_goes_on_with_its_calls(service: ModuleType, tmp_path: Path) -> None:
    capture = up(service)
    capture.media(CALLERS_PICTURE, b"one", 101.0)
    capture.look(101.0)
    (growing,) = tmp_path.iterdir()
    with growing.open("ab") as file:
        file.write(b"\0\0\0")  # a record that was not written to its end
    again = service.Capture()
    again.resume(103.0)
    again.media(CALLEDS_PICTURE, b"two", 104.0)
    again.sip(BYE, 105.0)
    assert records(service, tmp_path) == [(101.0, 2, b"one"), (104.0, 4, b"two")]


def test_a_call_that_ended_unseen_ends_without_packets(service: ModuleType, tmp_path: Path) -> None:
    up(service).look(101.0)
    again = service.Capture()
    again.resume(200.0)
    again.look(200.0 + service.IDLE_SECONDS)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    again.look(201.0 + service.IDLE_SECONDS)
    assert records(service, tmp_path) == []


def test_a_full_disk_ends_captures_and_nothing_else(
    service: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capture = up(service)
    capture.media(CALLERS_PICTURE, b"one", 101.0)
    monkeypatch.setattr(service, "LEAST_FREE", 1.1)
    capture.look(102.0)
    capture.media(CALLERS_PICTURE, b"two", 103.0)
    for text in (INVITE, ANSWERED):
        capture.sip(text, 104.0)
    capture.sip(BYE, 105.0)
    assert records(service, tmp_path) == [(101.0, 2, b"one")]
    assert capsys.readouterr().err.count(f"{PATH}: {service.FULL}") == 2


def ran(program: bytes, packet: bytes, kind: int) -> int:
    """What the kernel's classic BPF would return (bpf(4), the instructions that are used)."""
    steps = list(struct.iter_unpack("HBBI", program))
    at, value = 0, 0
    while True:
        code, true, false, number = steps[at]
        at += 1
        if code == 6:
            return int(number)
        if code in (0x20, 0x28, 0x30):
            size = {0x20: 4, 0x28: 2, 0x30: 1}[code]
            ancillary = number == 0xFFFFF004
            value = kind if ancillary else int.from_bytes(packet[number : number + size], "big")
            continue
        holds = {
            0x15: value == number,
            0x35: value >= number,
            0x25: value > number,
            0x45: bool(value & number),
        }[code]
        at += true if holds else false


def datagram(source: str, target: str, port: int, protocol: int = 17, fragment: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 40, 1, fragment, 64, protocol, 0)
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    return head + addresses + struct.pack(">HHHH", port, 10001, 13, 0) + b"hello"


HERE = "127.0.0.1"


@pytest.mark.parametrize(
    ("packet", "kind", "kept"),
    [
        (datagram(HERE, HERE, 5066), 0, True),
        (datagram(HERE, HERE, 10000), 0, True),
        (datagram(HERE, HERE, 10479), 0, True),
        (datagram(HERE, HERE, 10480), 0, False),
        (datagram(HERE, HERE, 53), 0, False),
        (datagram(HERE, HERE, 10000), 4, False),  # on its way out: it comes in again
        (datagram(HERE, HERE, 10000, protocol=6), 0, False),
        (datagram(HERE, HERE, 10000, fragment=100), 0, False),
        (datagram("192.0.2.1", HERE, 10000), 0, False),
        (datagram(HERE, "192.0.2.1", 10000), 0, False),
    ],
)
def test_the_kernel_passes_on_nothing_else(
    service: ModuleType, packet: bytes, kind: int, kept: bool
) -> None:
    program = service.packet_filter(5066, 10000, 10479)
    assert bool(ran(program, packet, kind)) is kept


def test_a_datagram_is_taken_apart(service: ModuleType) -> None:
    assert service.udp(datagram(HERE, HERE, 10000)) == (10000, 10001, b"hello")
    assert service.udp(datagram(HERE, HERE, 10000)[:24]) is None
