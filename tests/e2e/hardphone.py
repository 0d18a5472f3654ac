"""A hardphone: it fetches its file, reads it as its maker's phones do, and speaks SIP over TLS.

Media is SRTP with its keys in SDP (RFC 4568), in G.711.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import socket
import ssl
import struct
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from pylibsrtp import Error, Policy, Session

from ucontact_appliance.clients.sip_digest import choose_challenge, digest_answer
from ucontact_appliance.clients.sip_message import SipMessage, parse_message

_SUITE = "AES_CM_128_HMAC_SHA1_80"
_PACKET_SECONDS, _SAMPLES = 0.02, 160
_ANSWER_SECONDS = 10.0
_COPIED = ("via", "from", "to", "call-id", "cseq")  # into a response


@dataclass(frozen=True)
class Settings:
    """What a phone takes from its file."""

    server: str
    port: int
    tls: bool
    srtp: bool
    user: str
    login: str
    password: str
    admin_password: str
    url: str
    url_user: str
    url_password: str
    clock: str  # as the maker writes three hours west of UTC


def yealink(text: str) -> Settings:
    """Lines `name = value`, behind the line with the format's version."""
    first, *lines = text.splitlines()
    assert first == "#!version:1.0.0.1"
    pairs = (line.split("=", 1) for line in lines if line.strip() and not line.startswith("#"))
    found = {name.strip(): value.strip() for name, value in pairs}
    admin, _, password = found["static.security.user_password"].partition(":")
    assert found["account.1.enable"] == "1"
    assert admin == found["static.security.user_name.admin"]
    return Settings(
        server=found["account.1.sip_server.1.address"],
        port=int(found["account.1.sip_server.1.port"]),
        tls=found["account.1.sip_server.1.transport_type"] == "2",
        srtp=found["account.1.srtp_encryption"] == "2",
        user=found["account.1.user_name"],
        login=found["account.1.auth_name"],
        password=found["account.1.password"],
        admin_password=password,
        url=found["static.auto_provision.server.url"],
        url_user=found["static.auto_provision.server.username"],
        url_password=found["static.auto_provision.server.password"],
        clock=found["local_time.time_zone"],
    )


def grandstream(text: str) -> Settings:
    """P values below `config`."""
    root = ET.fromstring(text)
    assert root.tag == "gs_provision"
    config = root.find("config")
    assert config is not None
    found = {one.tag: one.text or "" for one in config}
    server, _, port = found["P47"].partition(":")
    assert found["P271"] == found["P31"] == "1"
    scheme = {"2": "https://"}[found["P212"]]
    return Settings(
        server=server,
        port=int(port),
        tls=found["P130"] == "2",
        srtp=found["P183"] == "2",
        user=found["P35"],
        login=found["P36"],
        password=found["P34"],
        admin_password=found["P2"],
        url=f"{scheme}{found['P237']}/",
        url_user=found["P1360"],
        url_password=found["P1361"],
        clock=found["P246"],
    )


def polycom(text: str) -> Settings:
    """Attributes of any elements; a `device.` parameter counts if its `.set` is 1."""
    found = {key: value for one in ET.fromstring(text).iter() for key, value in one.items()}
    assert found["device.set"] == "1"
    device = {
        name: value
        for name, value in found.items()
        if name.startswith("device.") and found.get(f"{name}.set") == "1"
    }
    scheme = {"HTTPS": "https://"}[device["device.prov.serverType"]]
    return Settings(
        server=found["reg.1.server.1.address"],
        port=int(found["reg.1.server.1.port"]),
        tls=found["reg.1.server.1.transport"] == "TLS",
        srtp=found["sec.srtp.require"] == found["sec.srtp.offer"] == "1",
        user=found["reg.1.address"],
        login=found["reg.1.auth.userId"],
        password=found["reg.1.auth.password"],
        admin_password=device["device.auth.localAdminPassword"],
        url=f"{scheme}{device['device.prov.serverName']}/",
        url_user=device["device.prov.user"],
        url_password=device["device.prov.password"],
        clock=found["tcpIpApp.sntp.gmtOffset"],
    )


def fanvil(text: str) -> Settings:
    """Lines `name :value` between the first line and the last."""
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[0].startswith("<<VOIP CONFIG FILE>>Version:")
    assert lines[-1] == "<<END OF FILE>>"
    pairs = (line.split(":", 1) for line in lines[1:-1] if not line.startswith("<"))
    found = {name.strip(): value for name, value in pairs}
    assert found["SIP1 Enable Reg"] == "1"
    return Settings(
        server=found["SIP1 Register Addr"],
        port=int(found["SIP1 Register Port"]),
        tls=found["SIP1 Transport"] == "3",
        srtp=found["SIP1 Media Crypto"] == "2",
        user=found["SIP1 Phone Number"],
        login=found["SIP1 Register User"],
        password=found["SIP1 Register Pswd"],
        admin_password=found["Account1 Password"],
        url=found["Download Server IP"],
        url_user=found["Download Username"],
        url_password=found["Download password"],
        clock=found["Time Zone"],
    )


READERS: dict[str, Callable[[str], Settings]] = {
    "yealink": yealink,
    "grandstream": grandstream,
    "polycom": polycom,
    "fanvil": fanvil,
}


@dataclass(frozen=True)
class Portal:
    """The portal's name, its address, and the file of roots that verify it."""

    name: str
    address: str
    roots: str

    def get(
        self, path: str, login: tuple[str, str] | None = None, method: str = "GET"
    ) -> httpx.Response:
        """One request over verified TLS."""
        context = ssl.create_default_context(cafile=self.roots)
        with httpx.Client(verify=context, trust_env=False) as client:
            return client.request(
                method,
                f"https://{self.address}{path}",
                headers={"Host": self.name},
                auth=login,
                extensions={"sni_hostname": self.name},
            )


class Hardphone:
    """A registered phone. Use `registered`."""

    def __init__(self, stream: ssl.SSLSocket, settings: Settings) -> None:
        self.settings = settings
        self._stream, self._settings = stream, settings
        self._address, self._port = stream.getsockname()[:2]
        self._buffer = b""
        self._sequence = 0
        self._tag = secrets.token_hex(6)

    @property
    def _contact(self) -> str:
        return f"<sip:{self._settings.user}@{self._address}:{self._port};transport=tls>"

    def register(self, expires: int = 300) -> int:
        """The status of a registration."""
        aor = f"<sip:{self._settings.user}@{self._settings.server}>"
        headers = (
            ("from", f"{aor};tag={self._tag}"),
            ("to", aor),
            ("call-id", f"register-{self._tag}"),
            ("contact", f"{self._contact};expires={expires}"),
        )
        return self._transact("REGISTER", f"sip:{self._settings.server}", headers).status

    def call(self, number: str, seconds: float, *, srtp: bool = True) -> Heard:
        """Call a number, send G.711 for so long, and hang up. A refusal has its status only."""
        media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        media.bind((self._address, 0))
        key = os.urandom(30)
        target = f"sip:{number}@{self._settings.server}"
        local = f"<sip:{self._settings.user}@{self._settings.server}>;tag={secrets.token_hex(6)}"
        headers = (
            ("from", local),
            ("to", f"<{target}>"),
            ("call-id", secrets.token_hex(10)),
            ("contact", self._contact),
            ("content-type", "application/sdp"),
        )
        with media:
            offer = self._offer(media.getsockname()[1], key if srtp else None)
            answer = self._transact("INVITE", target, headers, offer)
            if answer.status != 200:
                return Heard(answer.status, "", 0, 0)
            remote = re.search(r"<([^>]+)>", answer.header("contact"))
            assert remote
            dialog = (headers[0], ("to", answer.header("to")), headers[2])
            sequence = int(answer.header("cseq").split()[0])
            self._send(self._request("ACK", remote[1], dialog, sequence))
            heard = _talk(media, answer.body, key, seconds)
            self._sequence = max(self._sequence, sequence) + 1
            self._send(self._request("BYE", remote[1], dialog, self._sequence))
            assert self._final("BYE", headers[2][1]).status == 200
        return Heard(200, answer.body, *heard)

    def refuse_a_call(self) -> str:
        """Wait for a call, answer that the phone is busy, and return the SDP that it offered."""
        while True:
            message = self._message()
            if message.status or message.method == "ACK":
                continue
            kept = tuple(pair for pair in message.headers if pair[0] in _COPIED)
            if message.method == "INVITE":
                tagged = tuple(
                    (name, f"{value};tag={self._tag}" if name == "to" else value)
                    for name, value in kept
                )
                self._send(SipMessage("SIP/2.0 486 Busy Here", tagged))
                return message.body
            self._send(SipMessage("SIP/2.0 200 OK", kept))

    def _offer(self, port: int, key: bytes | None) -> str:
        lines = [
            "v=0",
            f"o=- 1 1 IN IP4 {self._address}",
            "s=-",
            f"c=IN IP4 {self._address}",
            "t=0 0",
            f"m=audio {port} RTP/{'SAVP' if key else 'AVP'} 8 0",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:0 PCMU/8000",
        ]
        if key:
            lines.append(f"a=crypto:1 {_SUITE} inline:{base64.b64encode(key).decode()}")
        return "\r\n".join(lines) + "\r\n"

    def _request(
        self,
        method: str,
        target: str,
        headers: tuple[tuple[str, str], ...],
        sequence: int,
        body: str = "",
    ) -> SipMessage:
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        return SipMessage(
            f"{method} {target} SIP/2.0",
            (
                ("via", f"SIP/2.0/TLS {self._address}:{self._port};branch={branch};rport"),
                ("max-forwards", "70"),
                *headers,
                ("cseq", f"{sequence} {method}"),
            ),
            body,
        )

    def _transact(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: str = ""
    ) -> SipMessage:
        """The final response, after one challenge."""
        known = dict(headers)["call-id"]
        login: tuple[tuple[str, str], ...] = ()
        for _ in range(2):
            self._sequence += 1
            request = self._request(method, target, (*headers, *login), self._sequence, body)
            self._send(request)
            answer = self._final(method, known)
            if method == "INVITE" and answer.status >= 300:
                # In the same transaction (RFC 3261, 17.1.1.3).
                copied = ("via", "from", "call-id", "max-forwards")
                kept = tuple(pair for pair in request.headers if pair[0] in copied)
                more = (("to", answer.header("to")), ("cseq", f"{self._sequence} ACK"))
                self._send(SipMessage(f"ACK {target} SIP/2.0", kept + more))
            if answer.status != 401 or login:
                return answer
            value = digest_answer(
                choose_challenge(answer.all("www-authenticate")),
                (self._settings.login, self._settings.password),
                (method, target),
                secrets.token_hex(8),
            )
            login = (("authorization", value),)
        raise AssertionError("a second challenge is returned above")

    def _send(self, message: SipMessage) -> None:
        self._stream.sendall(message.text().encode())

    def _final(self, method: str, call_id: str) -> SipMessage:
        end = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < end:
            message = self._message()
            if not message.status:  # a request of the server's, such as OPTIONS
                kept = tuple(pair for pair in message.headers if pair[0] in _COPIED)
                if message.method != "ACK":
                    self._send(SipMessage("SIP/2.0 200 OK", kept))
                continue
            wanted = (message.header("call-id"), message.header("cseq").split()[-1])
            if wanted == (call_id, method) and message.status >= 200:
                return message
        raise AssertionError(f"{method}: no final response")

    def _message(self) -> SipMessage:
        """The next message of the stream, by its length (RFC 3261, 18.3)."""
        while b"\r\n\r\n" not in self._buffer.lstrip(b"\r\n"):
            self._more()
        self._buffer = self._buffer.lstrip(b"\r\n")
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        length = re.search(
            rb"^(?:content-length|l)\s*:\s*(\d+)", head, re.IGNORECASE | re.MULTILINE
        )
        size = int(length[1]) if length else 0
        while len(rest) < size:
            self._more()
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[size:]
        return parse_message((head + b"\r\n\r\n" + rest[:size]).decode())

    def _more(self) -> None:
        data = self._stream.recv(65536)
        assert data, "the server closed the connection"
        self._buffer += data


@dataclass(frozen=True)
class Heard:
    """A call's status, the answer's SDP, SRTP packets that came, and those that were authentic."""

    status: int
    sdp: str
    packets: int
    authentic: int


def _talk(media: socket.socket, sdp: str, key: bytes, seconds: float) -> tuple[int, int]:
    """Send silence as SRTP; count what comes, and what the other side's key verifies."""
    address = re.search(r"^c=IN IP4 (\S+)", sdp, re.MULTILINE)
    port = re.search(r"^m=audio (\d+) ", sdp, re.MULTILINE)
    inline = re.search(rf"^a=crypto:\d+ {_SUITE} inline:([A-Za-z0-9+/=]+)", sdp, re.MULTILINE)
    assert address
    assert port
    assert inline, sdp
    sending = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    theirs = base64.b64decode(inline[1])
    receiving = Session(Policy(key=theirs, ssrc_type=Policy.SSRC_ANY_INBOUND))
    media.settimeout(_PACKET_SECONDS)
    packets = authentic = 0
    for number in range(int(seconds / _PACKET_SECONDS)):
        header = struct.pack("!BBHII", 0x80, 8, number, number * _SAMPLES, 0x5EED)
        packet = sending.protect(header + b"\xd5" * _SAMPLES)
        media.sendto(packet, (address[1], int(port[1])))
        try:
            data = media.recv(2048)
        except TimeoutError:
            continue
        packets += 1
        try:
            clear = receiving.unprotect(data)
        except Error:
            continue
        authentic += len(clear) == 12 + _SAMPLES
    return packets, authentic


@contextmanager
def registered(settings: Settings, portal: Portal) -> Iterator[Hardphone]:
    """A phone that is registered inside the block, by what its file says."""
    assert settings.tls
    context = ssl.create_default_context(cafile=portal.roots)
    with (
        socket.create_connection((portal.address, settings.port), _ANSWER_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=settings.server) as stream,
    ):
        phone = Hardphone(stream, settings)
        assert phone.register() == 200
        yield phone
        assert phone.register(expires=0) == 200
