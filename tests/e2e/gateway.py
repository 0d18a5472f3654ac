"""A SIP gateway on this machine: digits in each way, T.38, and any answer to OPTIONS.

It behaves as RFC 3261, 4733 and 6086 (INFO) and ITU-T T.38 have it; it is no maker's device.
"""

from __future__ import annotations

import contextlib
import queue
import re
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e import dtmf
from tests.e2e.provider import COPIED, REASONS, Provider, bound
from ucontact_appliance.clients.sip_message import SipMessage

_PACE_SECONDS = 0.02
_GAP_SECONDS = 0.35  # the site sends each digit on for its duration, and a pause
_T38 = (
    "a=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\n"
    "a=T38FaxMaxBuffer:1024\r\na=T38FaxMaxDatagram:238\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
)


@dataclass
class Dialog:
    """A call that is up: the headers of its requests, and where its media goes."""

    call_id: str
    ours: str
    theirs: str
    target: str
    server: tuple[str, int]
    media: tuple[str, int]
    sequence: int = 1
    ended: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Heard:
    """What came in a call: digits by the way they came, and whether SDP offered events."""

    info: str
    events: str
    audio: str


class Gateway(Provider):
    """One address and port of a gateway. Use `gateway`.

    `options` is its answer to OPTIONS (0: none), `events` whether it offers telephone-event, `t38`
    its answer to a re-INVITE with T.38, and `early` what it plays before it answers a call, as the
    tones of these digits.
    """

    def __init__(self, address: str, port: int) -> None:
        self.options, self.events, self.t38, self.early = 200, True, 200, ""
        self.asked: list[int] = []
        self.dialogs: queue.Queue[Dialog] = queue.Queue()
        self.faxes: queue.Queue[bytes] = queue.Queue()
        self.offers: list[SipMessage] = []
        self._info: list[str] = []
        self._events: list[str] = []
        self._audio: list[int] = []
        self._calls: dict[str, Dialog] = {}
        self._udptl = bound(address, 0)
        super().__init__(address, port, 200)

    def stop(self) -> None:
        super().stop()
        self._udptl.close()

    def forget(self) -> None:
        super().forget()
        self.offers.clear()
        self.asked.clear()
        for heard in (self._info, self._events, self._audio):
            heard.clear()
        for waiting in (self.dialogs, self.faxes):
            while not waiting.empty():
                waiting.get()

    def heard(self) -> Heard:
        """Every digit since `forget`."""
        audio = dtmf.recognised(self._audio)
        return Heard("".join(self._info), "".join(self._events), audio)

    def taken(self) -> Dialog:
        """The next call that the site makes to this gateway, once it is acknowledged or soon."""
        return self.dialogs.get(timeout=10)

    @contextmanager
    def dial(self, server: str, number: str, caller: str = "24009999") -> Iterator[Dialog]:
        """Call a number of the site, which must answer; the call is up inside the block."""
        call_id = f"{time.monotonic_ns()}"
        target = f"sip:{number}@{server}:5060"
        dialog = Dialog(
            call_id,
            f"<sip:{caller}@{self.address}>;tag={call_id}",
            f"<{target}>",
            target,
            (server, 5060),
            ("", 0),
        )
        answer = self.request(dialog, "INVITE", self._sdp())
        assert answer.status == 200, answer.start
        dialog.theirs, dialog.media = answer.header("to"), _media(answer, "audio")
        self._calls[call_id] = dialog
        try:
            yield dialog
        finally:
            if not dialog.ended.is_set():
                with contextlib.suppress(queue.Empty):
                    self.request(dialog, "BYE")

    def request(self, dialog: Dialog, method: str, body: str = "", kind: str = "") -> SipMessage:
        """Send a request in the call; the final answer. An INVITE is acknowledged."""
        headers = (("from", dialog.ours), ("to", dialog.theirs), ("call-id", dialog.call_id))
        sequence, dialog.sequence = dialog.sequence, dialog.sequence + 1
        sent = self._request(method, dialog.target, sequence, headers, body)
        if kind:
            named = tuple(pair for pair in sent.headers if pair[0] != "content-type")
            sent = SipMessage(sent.start, (*named, ("content-type", kind)), body)
        self._send(sent, dialog.server)
        answer = self._final(method, dialog.call_id)
        if method == "INVITE":
            headers = (headers[0], ("to", answer.header("to")), headers[2])
            self._send(self._request("ACK", dialog.target, sequence, headers), dialog.server)
        return answer

    def fax(self, dialog: Dialog) -> SipMessage:
        """Ask for T.38 in the call; where it is accepted, `media` is the other end's UDPTL port."""
        answer = self.request(dialog, "INVITE", self._image())
        if answer.status == 200:
            dialog.media = _media(answer, "image")
        return answer

    def send_fax(self, dialog: Dialog, data: bytes, sequence: int) -> None:
        """One UDPTL packet with that primary IFP packet, and no earlier ones repeated."""
        packet = struct.pack("!HB", sequence, len(data)) + data + b"\0\0"
        self._udptl.sendto(packet, dialog.media)

    def press(self, dialog: Dialog, digits: str, way: str) -> None:
        """Send digits as `rfc4733`, `info` or `inband` (tones in the audio)."""
        if way == "info":
            for digit in digits:
                body = f"Signal={digit}\r\nDuration=160\r\n"
                answer = self.request(dialog, "INFO", body, "application/dtmf-relay")
                assert answer.status == 200, answer.start
                time.sleep(_GAP_SECONDS)
            return
        for at, (kind, timestamp, payload) in enumerate(_stream(digits, way)):
            packet = dtmf.packet(kind, at, timestamp, payload)
            self._rtp.sendto(packet, dialog.media)
            time.sleep(_PACE_SECONDS)

    def _request(
        self,
        method: str,
        target: str,
        sequence: int,
        headers: tuple[tuple[str, str], ...],
        body: str = "",
    ) -> SipMessage:
        """Provider's, with a branch of its own for each request of a call."""
        made = super()._request(method, target, sequence, headers, body)
        via = made.headers[0][1].replace(";rport", f"{sequence};rport")
        return SipMessage(made.start, (("via", via), *made.headers[1:]), body)

    def _sdp(self) -> str:
        if not self.events:
            return super()._sdp()
        payload = dtmf.EVENT_PAYLOAD
        audio = super()._sdp().replace("RTP/AVP 8", f"RTP/AVP 8 {payload}")
        return f"{audio}a=rtpmap:{payload} telephone-event/8000\r\na=fmtp:{payload} 0-15\r\n"

    def _image(self) -> str:
        port = self._udptl.getsockname()[1]
        head = super()._sdp().partition("m=audio")[0]
        return f"{head}m=image {port} udptl t38\r\n{_T38}"

    def _answer(self, request: SipMessage, where: tuple[str, int]) -> None:
        if request.method == "INVITE" and "m=image" in request.body:
            self.offers.append(request)
            self._reply(request, where, self.t38, self._image() if self.t38 == 200 else "")
        elif request.method == "OPTIONS":
            self.asked.append(self.options)
            if self.options:
                self._reply(request, where, self.options)
        elif request.method == "INFO":
            self._info.append(re.findall(r"Signal= *(\S)", request.body)[0])
            self._reply(request, where, 200)
        elif request.method == "INVITE" and ";tag=" not in request.header("to"):
            self._ring(request, where)
        else:
            if request.method == "BYE" and request.header("call-id") in self._calls:
                self._calls[request.header("call-id")].ended.set()
            super()._answer(request, where)

    def _ring(self, request: SipMessage, where: tuple[str, int]) -> None:
        """Take a new call."""
        call_id = request.header("call-id")
        target = request.header("contact").partition("<")[2].partition(">")[0]
        ours = f"{request.header('to')};tag=x"
        media = _media(request, "audio")
        dialog = Dialog(call_id, ours, request.header("from"), target, where, media)
        self._calls[call_id] = dialog
        if self.early:
            self._reply(request, where, 183, self._sdp())
            self.press(dialog, self.early, "inband")
        super()._answer(request, where)
        self.dialogs.put(dialog)

    def _reply(
        self, request: SipMessage, where: tuple[str, int], status: int, body: str = ""
    ) -> None:
        headers = [(name, value) for name, value in request.headers if name in COPIED]
        headers = [(n, f"{v};tag=x" if n == "to" and ";tag=" not in v else v) for n, v in headers]
        headers.append(("contact", f"<sip:gateway@{self.address}:{self.port}>"))
        if body:
            headers.append(("content-type", "application/sdp"))
        reply = SipMessage(f"SIP/2.0 {status} {REASONS[status]}", tuple(headers), body)
        self._send(reply, where)

    def _echo(self) -> None:
        """Listen, and send nothing back: two gateways would echo for ever."""
        while not self._stopped.is_set():
            for sock, take in ((self._rtp, self._take_audio), (self._udptl, self.faxes.put)):
                with contextlib.suppress(TimeoutError):
                    sock.settimeout(0.01)
                    take(sock.recv(65535))

    def _take_audio(self, packet: bytes) -> None:
        kind, payload = packet[1] & 0x7F, packet[12:]
        self._packets += 1
        if kind == dtmf.PCMA:
            self._audio.extend(map(dtmf.from_pcma, payload))
        elif kind == dtmf.EVENT_PAYLOAD and (digit := dtmf.digit_of(payload)):
            stamp = packet[4:8]  # an event's end is sent three times
            if stamp != getattr(self, "_last_event", None):
                self._events.append(digit)
            self._last_event = stamp


def _stream(digits: str, way: str) -> Iterator[tuple[int, int, bytes]]:
    """Payload type, timestamp and payload of every packet, with silence around each digit."""
    silence = list(dtmf.frames([0] * 1600))
    now = 0
    for digit in digits:
        for payload in silence:
            yield dtmf.PCMA, now, payload
            now += len(payload)
        if way == "inband":
            for payload in dtmf.frames(dtmf.tones(digit)):
                yield dtmf.PCMA, now, payload
                now += len(payload)
            continue
        for step in range(1, 9):
            yield dtmf.EVENT_PAYLOAD, now, dtmf.event(digit, step * 160, end=False)
        for _ in range(3):
            yield dtmf.EVENT_PAYLOAD, now, dtmf.event(digit, 1280, end=True)
        now += 1280
    for payload in silence:
        yield dtmf.PCMA, now, payload
        now += len(payload)


def _media(message: SipMessage, kind: str) -> tuple[str, int]:
    """Address and port of a media line of the SDP."""
    address = re.search(r"^c=IN IP4 (\S+)", message.body, re.MULTILINE)
    port = re.search(rf"^m={kind} ([1-9]\d*) ", message.body, re.MULTILINE)
    assert address, message.body
    assert port, message.body
    return address[1], int(port[1])


@contextmanager
def gateway(address: str, port: int) -> Iterator[Gateway]:
    """A gateway that answers every call."""
    made = Gateway(address, port)
    try:
        yield made
    finally:
        made.stop()
