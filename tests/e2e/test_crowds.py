"""An installed small site beside somebody who holds connections open and floods it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aioice import stun, turn

from tests.e2e.installed import Installed
from tests.e2e.strangers import guesses_by_websocket, held_lines, request
from ucontact_appliance.clients.sip import SipAccount, SipServer, open_line
from ucontact_appliance.clients.stun import time_limited
from ucontact_appliance.site.loader import load_site

pytestmark = pytest.mark.machine

LINES = 150
LOGINS = 20


@asynccontextmanager
async def logged_in(site: Installed, port: int, secret: str) -> AsyncIterator[None]:
    fqdn = load_site(site.site_file).fqdn
    state = Path(site.environment["UCONTACT_ETC"]) / site.machine.name
    roots = str(state / "pki" / "portal-ca.pem")
    server = SipServer(fqdn, site.machine.address, port, "/ws", roots)
    async with open_line(server, SipAccount(fqdn, "6001", secret)) as line:
        await line.register()
        yield
        await line.register(expires=0)


async def log_in(site: Installed, port: int, secret: str) -> None:
    async with logged_in(site, port, secret):
        pass


@pytest.mark.parametrize("port", [8089, 443])
def test_who_holds_lines_open_keeps_no_agent_out(installed: Installed, port: int) -> None:
    secret = installed.secret("telephony.extensions.6001")
    with ExitStack() as held:
        for busy in (8089, 443):
            held.enter_context(held_lines(installed.machine.address, busy, LINES))
        for _ in range(LOGINS):
            asyncio.run(log_in(installed, port, secret))


def test_one_address_gets_so_many_lines_and_no_more(installed: Installed) -> None:
    address = installed.machine.address
    # Connections of earlier tests count until Asterisk has closed its ends.
    installed.sh(
        "for _ in $(seq 60); do [ -n \"$(ss -Htn 'sport = :8089')\" ] || exit 0; sleep 0.5; done; "
        "ss -tn 'sport = :8089'; exit 1"
    )
    with held_lines(address, 8089, 400):
        installed.sh("true")  # ssh is not limited with them
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, 8089), timeout=5)


def test_a_guesser_behind_the_portal_is_cut_off_and_an_agent_is_not(installed: Installed) -> None:
    secret = installed.secret("telephony.extensions.6001")

    async def guess_beside_an_agent() -> None:
        # He came by the other port: it is one address all the same.
        async with logged_in(installed, 8089, secret):
            installed.sh("systemctl start ucontact-agents.service")
        answered, ended = await guesses_by_websocket(installed.machine.address, 443, "6002", 400)
        assert ended
        assert answered < 150

    asyncio.run(guess_beside_an_agent())
    asyncio.run(log_in(installed, 443, secret))
    asyncio.run(log_in(installed, 8089, secret))
    assert "elements" not in installed.sh("nft list set inet ucontact_sip banned-ip")


def test_requests_of_one_address_are_limited_and_their_log_is_small(installed: Installed) -> None:
    size = "stat -c %s /var/log/nginx/access.log"
    before = int(installed.sh(size))
    done = subprocess.run(
        [
            *("curl", "--insecure", "--silent", "--output", "/dev/null"),
            *("--parallel", "--parallel-max", "20", "--write-out", "%{http_code}\\n"),
            f"https://{installed.machine.address}/uContact/?[1-3000]",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    codes = done.stdout.split()
    assert codes.count("429") > 500
    assert codes.count("200") >= 500
    grown = int(installed.sh(size)) - before
    assert grown < 200 * (codes.count("200") + codes.count("429") // 20)


def test_logs_are_rotated_by_size(installed: Installed) -> None:
    logs = ("/var/log/asterisk/messages.log", "/var/log/nginx/access.log")
    try:
        for log in logs:
            installed.sh(f"yes {'flood ' * 20} | head -c 60M >> {log}")
        installed.sh("systemctl start ucontact-logrotate.service")
        for log in logs:
            assert int(installed.sh(f"stat -c %s {log}")) < 1_000_000
            assert int(installed.sh(f"stat -c %s {log}.1")) > 50_000_000
    finally:
        installed.sh(f"rm -f {' '.join(f'{log}.1' for log in logs)}")


def test_a_relay_does_not_lead_to_sip(installed: Installed) -> None:
    address = installed.machine.address
    credential = time_limited(installed.secret("stun.turn"), "6001")

    async def heard_over_the_relay(port: int, message: bytes) -> bool:
        transport, protocol = await turn.create_turn_endpoint(
            _Listener, (address, 3478), credential.user, credential.password
        )
        try:
            transport.sendto(message, (address, port))
            await asyncio.sleep(2)
            return bool(protocol.received)
        finally:
            transport.close()

    options = request("OPTIONS", address, "nobody", via="UDP 192.0.2.1:5060").encode()
    assert not asyncio.run(heard_over_the_relay(5060, options))
    # The relay itself works: STUN of the same server would answer, were it let through.
    binding = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
    assert not asyncio.run(heard_over_the_relay(3478, binding))
    drops = installed.sh("nft list chain inet ucontact_sip output")
    assert "packets 0 bytes 0 drop" not in drops.splitlines()[3], drops


class _Listener(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: list[bytes] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.append(data)


def test_time_is_left_for_agents(installed: Installed) -> None:
    # After all of the above: nothing is left of it that keeps anybody out.
    time.sleep(1)
    _, found = installed.doctor("--only", "asterisk")
    assert {name for name, one in found.items() if one["verdict"] == "fail"} == set()
