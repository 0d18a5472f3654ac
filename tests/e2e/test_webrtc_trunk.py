"""A provider that connects by SIP over WebRTC (R04), and QoS marks of site.yml on a call (R07).

The provider is a phone of aiortc on this machine, with the account of a trunk. A second trunk leads
to a provider over UDP, at an address of its own as Asterisk knows it by that: it shows that no call
from one provider goes out to the other.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.installed import Installed
from tests.e2e.phone import Phone, a_phone
from tests.e2e.provider import Provider, provider
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.audio import find_tone
from ucontact_appliance.clients.marks import AUDIO, CountingEventLoop, run_seeing
from ucontact_appliance.clients.sip import SipAccount, SipRefusedError, SipServer
from ucontact_appliance.clients.sip_message import SipMessage
from ucontact_appliance.lab import layout

# test_role_telephony.py has calls of such a provider in both directions in every run.
pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

ACCOUNT, PASSWORD = "sbc.example", "of the provider"
NUMBER, CALLER = "+59824001234", "24009999"
OTHER, PORT = str(layout.NETWORK[-4]), 5074  # the provider over UDP
AUDIO_DSCP, SIGNALLING_DSCP = 40, 32  # CS5 and CS4: not the defaults


def sections() -> dict[str, Any]:
    """The sections of site.yml."""
    return {
        "network": {
            "qos": {"audio": {"tos": "cs5"}, "signalling": {"tos": SIGNALLING_DSCP, "cos": 2}}
        },
        "telephony": {
            "country": "UY",
            "extensions": ["6001", "6002"],
            "trunks": [
                {"name": "webrtc", "transport": "wss", "username": ACCOUNT, "prefix": "7"}
                | {"number_format": "e164", "codecs": ["opus", "alaw"], "max_calls": 1},
                {"name": "other", "host": OTHER, "port": PORT, "prefix": "8"},
            ],
            "routes": [
                {
                    "name": "all",
                    "prefix": "0",
                    "trunks": [{"trunk": "webrtc"}, {"trunk": "other", "priority": 2}],
                }
            ],
            "inbound": [{"number": NUMBER, "to": {"extension": "6001"}}],
        },
    }


class WithCaller(Phone):
    """Writes the caller's number into From, and logs in with the trunk's account."""

    def _authorization(self, answer: SipMessage, method: str, uri: str) -> tuple[str, str]:
        ours, self.account = self.account, self.login
        try:
            return super()._authorization(answer, method, uri)
        finally:
            self.account = ours

    async def register(self, expires: int = 120) -> SipMessage:
        """Register with the account; calls come from the caller's number."""
        self.login = self.account = getattr(self, "login", self.account)
        done = await super().register(expires)
        self.account = SipAccount(self.account.domain, CALLER, "")
        return done


class WithoutPassword(Phone):
    """Answers no challenge."""

    def _authorization(self, answer: SipMessage, method: str, uri: str) -> tuple[str, str]:
        return "x-no-authorization", method

    async def register(self, expires: int = 120) -> SipMessage:
        """Does not register."""
        return SipMessage("SIP/2.0 200 OK", ())


@dataclass(frozen=True)
class Site:
    """The installed site, its SIP server, and the provider over UDP."""

    installed: Installed
    server: SipServer
    other: Provider

    def agent(self, number: str = "6001") -> Any:
        secret = self.installed.secret(f"telephony.extensions.{number}")
        return a_phone(self.server, number, secret)

    def connected(self, kind: type[Phone] = Phone, password: str = PASSWORD) -> Any:
        return a_phone(self.server, ACCOUNT, password, kind)


@pytest.fixture(scope="module")
def site(installed: Installed, small_site: Snapshot) -> Iterator[Site]:
    text = small_site.site_file.read_text(encoding="utf-8")
    secrets = small_site.paths.secrets.read_bytes()
    lines = [f"{name}: {json.dumps(section)}\n" for name, section in sections().items()]
    small_site.site_file.write_text(text + "".join(lines), encoding="utf-8")
    subprocess.run(["ip", "address", "add", f"{OTHER}/32", "dev", layout.BRIDGE], check=True)
    try:
        with provider(OTHER, PORT) as other:
            set_password(installed)
            done = installed.ucontact("install", "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            roots = str(small_site.paths.pki / "portal-ca.pem")
            server = SipServer("demo.ucontact.test", small_site.machine.address, 8089, "/ws", roots)
            yield Site(installed, server, other)
    finally:
        subprocess.run(["ip", "address", "del", f"{OTHER}/32", "dev", layout.BRIDGE], check=True)
        small_site.site_file.write_text(text, encoding="utf-8")
        small_site.paths.secrets.write_bytes(secrets)


def set_password(installed: Installed) -> None:
    words = ["secrets", "set", "telephony.trunks.webrtc", "--site", str(installed.site_file)]
    done = subprocess.run(
        [sys.executable, "-m", "ucontact_appliance", *words],
        env=installed.environment,
        input=PASSWORD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


@pytest.fixture(autouse=True)
def quiet(site: Site) -> None:
    site.other.forget()


def seeing(make: Callable[[], Awaitable[Any]]) -> tuple[Any, set[int]]:
    """The result, and every DSCP of audio that arrived meanwhile."""

    async def run(loop: CountingEventLoop) -> tuple[Any, set[int]]:
        done = await make()
        return done, {one.dscp for one in loop.arrived if one.kind == AUDIO}

    return run_seeing(run)


# The roles' own tests see the same with these parameters.
def test_a_second_installation_changes_nothing(site: Site) -> None:
    done = site.installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout


def test_an_agents_call_reaches_the_provider_with_the_sites_marks(site: Site) -> None:
    async def talk() -> tuple[Any, Any, Phone, Phone, SipMessage]:
        async with site.connected() as far, site.agent() as agent:
            seen: list[SipMessage] = []
            reply = far._reply
            far._reply = lambda request: (seen.append(request), reply(request))[1]
            taken = asyncio.create_task(far.take_call(660.0, seconds=5.0))
            heard = await agent.dial("724005678", seconds=4.0, hertz=440.0)
            there = await taken
            invite = next(one for one in seen if one.method == "INVITE")
            return heard, there, agent, far, invite

    (heard, there, agent, far, invite), marks = seeing(talk)
    assert find_tone(heard.samples, heard.rate, 660.0).seconds > 1.5
    assert find_tone(there.samples, there.rate, 440.0).seconds > 1.5
    assert (agent.dtls, far.dtls) == ("connected", "connected")
    assert invite.start.split()[1].startswith("sip:+59824005678@")
    assert "6001" in invite.header("from")
    assert marks == {AUDIO_DSCP}


def test_a_call_by_number_reaches_an_extension(site: Site) -> None:
    async def talk(kind: type[Phone]) -> tuple[Any, Any, str]:
        async with site.connected(kind) as far, site.agent() as agent:
            agent_invites: list[SipMessage] = []
            reply = agent._reply
            agent._reply = lambda request: (agent_invites.append(request), reply(request))[1]
            taken = asyncio.create_task(agent.take_call(660.0, seconds=5.0))
            heard = await far.dial(NUMBER, seconds=4.0)
            there = await taken
            invite = next(one for one in agent_invites if one.method == "INVITE")
            return heard, there, invite.header("from")

    (heard, there, _), marks = seeing(lambda: talk(Phone))
    assert find_tone(heard.samples, heard.rate, 660.0).seconds > 1.5
    assert find_tone(there.samples, there.rate, 440.0).seconds > 1.5
    assert marks == {AUDIO_DSCP}
    _, there, shown = asyncio.run(talk(WithCaller))
    assert find_tone(there.samples, there.rate, 440.0).seconds > 1.5
    assert "+59824009999" in shown


@pytest.mark.parametrize(
    "number", ["6001", "724009999", "824009999", "024009999", "911", "*43", "*50", "*546001", "99"]
)
def test_no_way_from_the_provider_to_an_outside_line_or_a_code(site: Site, number: str) -> None:
    async def call() -> None:
        async with site.connected() as far:
            await far.dial(number, seconds=1.0)

    with pytest.raises(SipRefusedError) as caught:
        asyncio.run(call())
    assert caught.value.status == 404
    assert site.other.called() == []


def test_the_limit_counts_calls_of_both_directions(site: Site) -> None:
    async def two_calls() -> tuple[int, list[str]]:
        async with site.connected() as far, site.agent() as agent, site.agent("6002") as second:
            taken = asyncio.create_task(far.take_call(660.0, seconds=6.0))
            first = asyncio.create_task(agent.dial("724005678", seconds=5.0))
            await asyncio.sleep(2.0)
            await second.dial("024005679", seconds=1.0)
            try:
                await far.dial(NUMBER, seconds=1.0)
                status = 200
            except SipRefusedError as error:
                status = error.status
            await first
            await taken
            return status, site.other.called()

    assert asyncio.run(two_calls()) == (503, ["24005679"])


def test_a_wrong_password_and_no_password_are_refused(site: Site) -> None:
    async def log_in() -> None:
        async with site.connected(password="wrong"):
            pass

    async def call() -> None:
        async with site.connected(WithoutPassword) as stranger:
            await stranger.dial(NUMBER, seconds=1.0)

    for attempt in (log_in, call):
        with pytest.raises(SipRefusedError) as caught:
            asyncio.run(attempt())
        assert caught.value.status == 401


def test_the_doctor_reports_whether_the_provider_is_connected(site: Site) -> None:
    _, found = site.installed.doctor("--only", "asterisk.trunks")
    assert found["asterisk.trunks"]["verdict"] == "warn"
    assert found["asterisk.trunks"]["observed"] == "webrtc is not connected"

    async def while_connected() -> dict[str, Any]:
        async with site.connected():
            await asyncio.sleep(2.0)  # until OPTIONS is answered
            _, now = await asyncio.to_thread(site.installed.doctor, "--only", "asterisk")
            return now

    now = asyncio.run(while_connected())
    for check in ("trunks", "endpoints", "qos", "qos_text", "transports"):
        assert now[f"asterisk.{check}"]["verdict"] == "pass", now[f"asterisk.{check}"]


def test_a_trunks_connection_is_free_of_the_limits_of_softphones(site: Site) -> None:
    async def while_connected() -> tuple[int, str]:
        async with site.connected() as far:
            site.installed.sh("systemctl start ucontact-agents.service")
            chain = "nft list set inet ucontact_sip trunk-connections"
            return far.local_port, site.installed.sh(chain)

    port, elements = asyncio.run(while_connected())
    assert f"{layout.GATEWAY} . {port}" in elements


def test_the_doctors_calls_judge_by_the_sites_marks(site: Site) -> None:
    _, found = site.installed.doctor("--deep", "--only", "call")
    for check, shown in (("call.marks", "CS5 (40)"), ("call.signalling_marks", "CS4 (32)")):
        assert found[check]["verdict"] == "pass", found[check]
        assert shown in found[check]["observed"]
