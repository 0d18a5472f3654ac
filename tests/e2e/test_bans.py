"""Guessers are banned over each transport; the proxy, the allow-list and offices are not (R02)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from websockets.exceptions import WebSocketException

from tests.e2e.centre import until
from tests.e2e.installed import Installed
from tests.e2e.phone import a_phone
from tests.e2e.strangers import guess, request, websocket
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.sip import SipServer
from ucontact_appliance.lab import layout

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

_FQDN = "demo.ucontact.test"
# Addresses of the guessers, one per test: a machine would get them last.
_SOURCES = [str(layout.NETWORK[at]) for at in range(-30, -10)]
_ALLOWED, _OFFICE = _SOURCES[0], _SOURCES[1]
_PORTS = {"TCP": 5060, "TLS": 5061, "WSS": 8089, "portal": 443}
_SAMPLES = 40
# A refused, reset, closed or silent connection, by transport.
NO_ANSWER = (OSError, asyncio.TimeoutError, WebSocketException)


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Line:
    """A stranger's connection from an address of its own, by SIP over that transport."""

    def __init__(self, by: str, server: str, source: str) -> None:
        self.by, self.server = by, server
        if by == "UDP":
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind((source, 0))
            self.sock.connect((server, 5060))
            self.sock.settimeout(3)
            return
        self.sock = socket.create_connection((server, _PORTS[by]), 3, (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if by != "TCP":
            self.sock = _unverified().wrap_socket(self.sock, server_hostname=_FQDN)

    def ask(self, method: str, sender: str, more: tuple[str, ...] = ()) -> tuple[str, float]:
        """The answer's status line, and after how many seconds. Raises OSError without one."""
        via = f"{self.by} {'{}:{}'.format(*self.sock.getsockname())}"
        text = request(method, self.server, sender, via=via, more=more)
        call = text.partition("Call-ID: ")[2].splitlines()[0]
        begun = time.monotonic()
        self.sock.sendall(text.encode())
        while True:
            answer = self.sock.recv(65536).decode("utf-8", "replace")
            if not answer:
                raise ConnectionResetError("the server closed the connection")
            if call in answer:
                return answer.splitlines()[0], time.monotonic() - begun

    def close(self) -> None:
        self.sock.close()


class WebSocketLine:
    """The same over WebSockets; `portal` is NGINX at 443."""

    def __init__(self, by: str, server: str, source: str) -> None:
        self.server = server
        self.loop = asyncio.new_event_loop()
        opened = websocket(server, _PORTS[by], source)
        try:
            self.line = self.loop.run_until_complete(asyncio.wait_for(opened, 5))
        except BaseException:
            self.loop.close()
            raise

    def ask(self, method: str, sender: str, more: tuple[str, ...] = ()) -> tuple[str, float]:
        text = request(method, self.server, sender, via="WSS x.invalid", more=more)

        async def asked() -> str:
            await self.line.send(text)
            return str(await asyncio.wait_for(self.line.recv(), 3))

        begun = time.monotonic()
        answer = self.loop.run_until_complete(asked())
        return answer.splitlines()[0], time.monotonic() - begun

    def close(self) -> None:
        self.loop.run_until_complete(self.line.close())
        self.loop.close()


def line(by: str, server: str, source: str) -> Line | WebSocketLine:
    """A connection by that transport. Raises OSError."""
    return (WebSocketLine if by in ("WSS", "portal") else Line)(by, server, source)


@dataclass(frozen=True)
class Door:
    """The site, as strangers see it."""

    installed: Installed
    server: SipServer

    def address(self) -> str:
        return self.server.address

    def bans(self) -> set[tuple[str, str]]:
        """(jail, id) of each ban that is in force."""
        done = self.installed.ucontact("bans", "list", "--json")
        (host,) = json.loads(done.stdout)["hosts"]
        return {(ban["jail"], ban["id"]) for ban in host["bans"] if ban["state"] == "in-force"}

    def guess(self, by: str, source: str, most: int, name: str = "6001") -> int:
        """So many guesses over new connections, until nothing answers; how many were answered."""
        answered = 0
        end = time.monotonic() + 90
        while answered < most and time.monotonic() < end:
            try:
                with contextlib.closing(line(by, self.server.address, source)) as stranger:
                    for _ in range(min(4, most - answered)):
                        stranger.ask("INVITE" if by == "UDP" else "REGISTER", name, guess(name))
                        answered += 1
                time.sleep(0.1)  # fail2ban reads once per second
            except NO_ANSWER:
                if not self.answers(by, source):
                    break
        return answered

    def answers(self, by: str, source: str) -> bool:
        """Whether a stranger at that address gets an answer by that transport."""
        try:
            with contextlib.closing(line(by, self.server.address, source)) as stranger:
                return stranger.ask("OPTIONS", "6001")[0].startswith("SIP/2.0 ")
        except NO_ANSWER:
            return False

    def registers(self, number: str = "6001", source: str = "") -> None:
        """A softphone signs in."""

        async def signed_in() -> None:
            secret = self.installed.secret(f"telephony.extensions.{number}")
            async with a_phone(self.server, number, secret, source=source):
                pass

        asyncio.run(signed_in())


@contextlib.contextmanager
def _addresses(addresses: Sequence[str]) -> Iterator[None]:
    for address in addresses:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", layout.BRIDGE], check=True)
    try:
        yield
    finally:
        for address in addresses:
            words = ["ip", "address", "del", f"{address}/32", "dev", layout.BRIDGE]
            subprocess.run(words, check=True)


@pytest.fixture(scope="module")
def door(installed: Installed, small_site: Snapshot) -> Iterator[Door]:
    text = small_site.site_file.read_text(encoding="utf-8")
    assert "never_ban" not in text
    small_site.site_file.write_text(f"{text}network: {{never_ban: [{_ALLOWED}]}}\n")
    roots = str(small_site.paths.pki / "portal-ca.pem")
    server = SipServer(_FQDN, small_site.machine.address, 8089, "/ws", roots)
    with _addresses(_SOURCES):
        try:
            done = installed.ucontact("install", "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            yield Door(installed, server)
        finally:
            small_site.site_file.write_text(text)
            installed.ucontact("bans", "lift", "--all")


@pytest.fixture(autouse=True)
def nobody_is_banned(door: Door) -> Iterator[None]:
    yield
    door.installed.ucontact("bans", "lift", "--all")


@pytest.mark.parametrize(("at", "by"), enumerate(["TCP", "TLS", "WSS"], 2))
def test_a_guesser_is_banned_and_nobody_else(door: Door, at: int, by: str) -> None:
    source, other = _SOURCES[at], _SOURCES[at + 6]
    answered = door.guess(by, source, 400)
    assert 50 <= answered < 400
    until("not listed", lambda: ("ucontact-asterisk", source) in door.bans())
    for way in ("UDP", "TCP", "TLS", "WSS"):
        assert not door.answers(way, source), way
    assert door.answers(by, other)
    door.registers()


def test_a_guesser_by_datagrams_is_banned_from_datagrams_alone(door: Door) -> None:
    source, other = _SOURCES[5], _SOURCES[11]
    assert 10 <= door.guess("UDP", source, 400) < 400
    until("not listed", lambda: ("ucontact-datagram", source) in door.bans())
    assert ("ucontact-asterisk", source) not in door.bans()
    assert not door.answers("UDP", source)
    assert door.answers("TLS", source)  # whoever forged the source cost it nothing else
    assert door.answers("UDP", other)
    door.registers()


def test_the_proxy_is_never_banned_but_its_client_is(door: Door) -> None:
    """NGINX gives each IPv4 client an address of its own in 127.0.0.0/8 towards Asterisk."""
    source, other = _SOURCES[6], _SOURCES[12]
    assert 50 <= door.guess("portal", source, 400) < 400
    behind = f"127.{source.partition('.')[2]}"
    until("not listed", lambda: ("ucontact-asterisk", behind) in door.bans())
    assert not door.answers("portal", source)
    assert door.answers("portal", other)
    banned = {id_ for jail, id_ in door.bans() if jail == "ucontact-asterisk"}
    assert banned == {behind}
    door.registers()


@pytest.mark.parametrize("by", ["UDP", "TCP", "TLS", "WSS", "portal"])
def test_who_is_never_to_be_banned_loses_connections_only(door: Door, by: str) -> None:
    assert door.guess(by, _ALLOWED, 120) == 120
    time.sleep(4)  # fail2ban reads within a second
    banned = {id_ for jail, id_ in door.bans() if jail != "ucontact-connection"}
    assert banned == set()
    assert door.answers(by, _ALLOWED)


def test_an_office_is_not_banned_for_one_bad_phone(door: Door) -> None:
    secret = door.installed.secret("telephony.extensions.6002")

    async def beside_an_agent() -> int:
        async with a_phone(door.server, "6002", secret, source=_OFFICE):
            await asyncio.to_thread(door.installed.sh, "systemctl start ucontact-agents.service")
            answered = await asyncio.to_thread(door.guess, "WSS", _OFFICE, 120)
            await asyncio.sleep(4)
            # The desk beside, behind the same address.
            await asyncio.to_thread(door.registers, "6001", _OFFICE)
            return answered

    assert asyncio.run(beside_an_agent()) == 120
    jails = {jail for jail, id_ in door.bans() if _OFFICE in id_}
    assert jails <= {"ucontact-connection"}


def _compared(door: Door, by: str, method: str, more: bool) -> None:
    """A known and an unknown name in turns: the same status, and no difference in time."""
    source = _ALLOWED if by == "UDP" else _SOURCES[13]
    known: list[tuple[str, float]] = []
    unknown: list[tuple[str, float]] = []
    stranger = line(by, door.address(), source)
    try:
        for _ in range(_SAMPLES):
            for name, seen in (("6001", known), ("7999", unknown)):
                seen.append(stranger.ask(method, name, guess(name) if more else ()))
                if more:  # a connection has five wrong passwords
                    stranger.close()
                    stranger = line(by, door.address(), source)
    finally:
        stranger.close()
    assert {status for status, _ in known} == {status for status, _ in unknown}
    times = [sorted(took for _, took in seen) for seen in (known, unknown)]
    low, high = (sorted(times[0])[at * _SAMPLES // 4] for at in (1, 3))
    medians = [statistics.median(one) for one in times]
    apart = abs(medians[0] - medians[1])
    assert apart < max(0.001, high - low), (by, method, medians)


@pytest.mark.parametrize("by", ["UDP", "TCP", "TLS", "WSS", "portal"])
@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_names_of_extensions_can_not_be_found(door: Door, by: str, method: str) -> None:
    if (by, method) == ("UDP", "REGISTER"):
        # Ten of these are answered per minute: their answers are compared, not their times.
        with contextlib.closing(line(by, door.address(), _SOURCES[14])) as stranger:
            answers = [stranger.ask(method, name)[0] for name in ("6001", "7999") * 4]
        assert len(set(answers)) == 1
        return
    _compared(door, by, method, more=False)


@pytest.mark.parametrize("by", ["TCP", "WSS"])
def test_nor_by_wrong_passwords(door: Door, by: str) -> None:
    """With an agent at the address, so that the comparison itself is not banned."""
    secret = door.installed.secret("telephony.extensions.6002")

    async def compared() -> None:
        async with a_phone(door.server, "6002", secret, source=_SOURCES[13]):
            await asyncio.to_thread(door.installed.sh, "systemctl start ucontact-agents.service")
            await asyncio.to_thread(_compared, door, by, "REGISTER", True)

    asyncio.run(compared())
