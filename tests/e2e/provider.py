"""A telephony provider on this machine: SIP over UDP (RFC 3261), and media that it sends back.

It answers OPTIONS, answers calls with a status, and places calls. Asterisk knows it by its address.
"""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.e2e.voice import Voice
from ucontact_appliance.clients.sip_message import SipMessage, parse_message

_MOST = 65535
_STEP_SECONDS = 0.2
_ANSWER_SECONDS = 20.0
_MEDIA = re.compile(r"^m=audio (\d+) ", re.MULTILINE)
_CHALLENGE = 'Digest realm="provider", nonce="{}", algorithm=MD5'
COPIED = ("via", "record-route", "from", "to", "call-id", "cseq")
REASONS = {
    183: "Session Progress",
    200: "OK",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    486: "Busy Here",
    488: "Not Acceptable Here",
    501: "Not Implemented",
    503: "Service Unavailable",
}


@dataclass
class Leg:
    """A call of ours to the site: its final status, and how many packets of media came."""

    number: str
    status: int = 0
    packets: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    voice: Voice | None = None


class Provider:
    """One address and port of a provider. Use `provider`."""

    def __init__(self, address: str, port: int, status: int) -> None:
        self.address, self.port, self.status = address, port, status
        self.register_status = 200
        self.invites: list[SipMessage] = []
        self.provisional: list[SipMessage] = []  # answers to our calls before the final one
        self._sip = bound(address, port)
        self._rtp = bound(address, 0)
        self._packets = 0
        self._voice: Voice | None = None
        self._responses: queue.Queue[SipMessage] = queue.Queue()
        self._ended = threading.Event()
        self._stopped = threading.Event()
        self._dialog: tuple[str, str, tuple[tuple[str, str], ...]] = ("", "", ())
        self._threads = [
            threading.Thread(target=one, daemon=True) for one in (self._listen, self._echo)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End its threads and give the ports back."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._sip.close()
        self._rtp.close()

    def called(self) -> list[str]:
        """The user part of each request URI that the site has called, in order."""
        return [one.start.split()[1].partition(":")[2].partition("@")[0] for one in self.invites]

    def forget(self) -> None:
        """Begin a new list of calls."""
        self.invites.clear()
        self.provisional.clear()

    @contextmanager
    def call(
        self, server: str, number: str, caller: str = "24009999", hertz: float | None = None
    ) -> Iterator[Leg]:
        """Call a number of the site; the call is up, or refused, inside the block.

        With `hertz` the caller says that tone, and `voice` of the leg has what is heard; else
        what comes is sent back.
        """
        leg, self._ended = Leg(number), threading.Event()
        leg.ended = self._ended
        tag = call_id = f"{time.monotonic_ns()}"
        target = f"sip:{number}@{server}:5060"
        headers = (
            ("from", f"<sip:{caller}@{self.address}>;tag={tag}"),
            ("to", f"<{target}>"),
            ("call-id", call_id),
        )
        before = self._packets
        self._send(self._request("INVITE", target, 1, headers, self._sdp()), (server, 5060))
        answer = self._final("INVITE", call_id)
        leg.status = answer.status
        headers = (headers[0], ("to", answer.header("to")), headers[2])
        self._send(self._request("ACK", target, 1, headers), (server, 5060))
        self._dialog = (server, target, headers)
        if hertz and (media := _MEDIA.search(answer.body)):
            leg.voice = self._voice = Voice(self._rtp, (server, int(media[1])), hertz)
        try:
            yield leg
        finally:
            if leg.voice:
                leg.voice.hang_up()
                self._voice = None
            leg.packets = self._packets - before
            if leg.status == 200 and not self._ended.is_set():
                self._send(self._request("BYE", target, 99, headers), (server, 5060))
                with contextlib.suppress(queue.Empty):
                    self._final("BYE", call_id)

    def press(self, keys: str) -> None:
        """Press these keys in our call, by INFO."""
        server, target, headers = self._dialog
        for sequence, key in enumerate(keys, start=2):
            body = f"Signal={key}\r\nDuration=160\r\n"
            request = self._request("INFO", target, sequence, headers, body)
            changed = tuple(
                (name, "application/dtmf-relay" if name == "content-type" else value)
                if name != "via"
                else (name, value.replace("INFO", f"INFO{sequence}"))
                for name, value in request.headers
            )
            self._send(replace(request, headers=changed), (server, 5060))
            assert self._final("INFO", headers[2][1]).status == 200

    def _request(
        self,
        method: str,
        target: str,
        sequence: int,
        headers: tuple[tuple[str, str], ...],
        body: str = "",
    ) -> SipMessage:
        branch = f"z9hG4bK{headers[2][1]}{method if method != 'ACK' else 'INVITE'}"
        return SipMessage(
            f"{method} {target} SIP/2.0",
            (
                ("via", f"SIP/2.0/UDP {self.address}:{self.port};branch={branch};rport"),
                ("max-forwards", "70"),
                *headers,
                ("cseq", f"{sequence} {method}"),
                ("contact", f"<sip:provider@{self.address}:{self.port}>"),
                *((("content-type", "application/sdp"),) if body else ()),
            ),
            body,
        )

    def _final(self, method: str, call_id: str) -> SipMessage:
        end = time.monotonic() + _ANSWER_SECONDS
        while True:
            answer = self._responses.get(timeout=max(0.0, end - time.monotonic()))
            key = (answer.header("call-id"), answer.header("cseq").split()[1])
            if key == (call_id, method) and answer.status >= 200:
                return answer
            if key == (call_id, method):
                self.provisional.append(answer)

    def _sdp(self) -> str:
        port = self._rtp.getsockname()[1]
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.address}\r\ns=-\r\nc=IN IP4 {self.address}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        )

    def _send(self, message: SipMessage, where: tuple[str, int]) -> None:
        self._sip.sendto(message.text().encode(), where)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                data, where = self._sip.recvfrom(_MOST)
            except TimeoutError:
                continue
            if not data.strip():
                continue
            message = parse_message(data.decode())
            if message.status:
                self._responses.put(message)
            elif message.method != "ACK":
                self._answer(message, where)

    def _answer(self, request: SipMessage, where: tuple[str, int]) -> None:
        status, body = 200, ""
        if request.method == "INVITE":
            new = ";tag=" not in request.header("to")  # else a call that is up is changed
            if new:
                self.invites.append(request)
            status = self.status if new else 200
            body = self._sdp() if status == 200 else ""
        elif request.method == "REGISTER":
            status = self.register_status
        elif request.method == "BYE":
            self._ended.set()
        headers = [(name, value) for name, value in request.headers if name in COPIED]
        headers = [(n, f"{v};tag=x" if n == "to" and ";tag=" not in v else v) for n, v in headers]
        headers.append(("contact", f"<sip:provider@{self.address}:{self.port}>"))
        if body:
            headers.append(("content-type", "application/sdp"))
        if status == 401:
            headers.append(("www-authenticate", _CHALLENGE.format(time.monotonic_ns())))
        start = f"SIP/2.0 {status} {REASONS.get(status, 'Answer')}"
        self._send(SipMessage(start, tuple(headers), body), where)

    def _echo(self) -> None:
        while not self._stopped.is_set():
            try:
                data, where = self._rtp.recvfrom(_MOST)
            except TimeoutError:
                continue
            self._packets += 1
            if voice := self._voice:
                voice.hear(data)
            else:
                self._rtp.sendto(data, where)


def bound(address: str, port: int) -> socket.socket:
    """A UDP socket at that port, or at any free one for 0, whose reads time out."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    sock.settimeout(_STEP_SECONDS)
    return sock


@contextmanager
def provider(address: str, port: int, status: int = 200) -> Iterator[Provider]:
    """A provider that answers calls with that status."""
    made = Provider(address, port, status)
    try:
        yield made
    finally:
        made.stop()
