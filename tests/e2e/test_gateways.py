"""SIP gateways as trunks (R13): OPTIONS, digits in each way, faxes by T.38, calls in and out.

The gateways are this machine at two addresses of its own, as Asterisk knows a trunk by its address.
No maker's device was at hand: these behave as the standards have it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.gateway import Gateway, gateway
from tests.e2e.installed import Installed
from tests.e2e.phone import a_phone
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.audio import find_tone
from ucontact_appliance.clients.sip import SipServer
from ucontact_appliance.lab import layout

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

LINES, PHONES = str(layout.NETWORK[-12]), str(layout.NETWORK[-14])
PORT = 5075
# The number that goes to each trunk at the second address, and the trunk's keys; the ports differ.
BEHIND: dict[str, tuple[str, dict[str, Any]]] = {
    "fax": ("+59824001201", {"model": "khomp"}),
    "voice": ("+59824001202", {"model": "gateway", "fax": "off", "dtmf": "rfc4733"}),
    "by-info": ("+59824001203", {"model": "gateway", "dtmf": "info"}),
    "by-tones": ("+59824001204", {"dtmf": "inband", "model": "gateway", "fax": "pass-through"}),
}
AGENT = "+59824001210"
DIGITS = "159*0#"


def telephony() -> dict[str, Any]:
    """The section of site.yml."""
    trunks = [{"name": "lines", "host": LINES, "port": PORT, "prefix": "7", "model": "dinstar"}]
    for at, (name, (_, keys)) in enumerate(BEHIND.items(), 1):
        port = PORT + at
        trunks.append({"name": name, "host": PHONES, "port": port, "prefix": f"8{at}", **keys})
    inbound = [{"number": n, "to": {"gateway": name}} for name, (n, _) in BEHIND.items()]
    return {
        "country": "UY",
        "extensions": ["6001", "6002"],
        "trunks": trunks,
        "inbound": [*inbound, {"number": AGENT, "to": {"extension": "6001"}}],
    }


@dataclass(frozen=True)
class Site:
    """The installed site, the gateway with the lines, and those behind which telephones are."""

    installed: Installed
    server: SipServer
    lines: Gateway
    behind: dict[str, Gateway]

    def agent(self) -> Any:
        secret = self.installed.secret("telephony.extensions.6001")
        return a_phone(self.server, "6001", secret)

    def asterisk(self, command: str) -> str:
        return self.installed.sh(f"asterisk -rx '{command}'")

    def everybody(self) -> list[Gateway]:
        return [self.lines, *self.behind.values()]


@pytest.fixture(scope="module")
def site(installed: Installed, small_site: Snapshot) -> Iterator[Site]:
    text = small_site.site_file.read_text(encoding="utf-8")
    small_site.site_file.write_text(f"{text}telephony: {json.dumps(telephony())}\n")
    with ExitStack() as stack:
        stack.callback(small_site.site_file.write_text, text)
        for address in (LINES, PHONES):
            words = [f"{address}/32", "dev", layout.BRIDGE]
            subprocess.run(["ip", "address", "add", *words], check=True)
            stack.callback(subprocess.run, ["ip", "address", "del", *words], check=True)
        lines = stack.enter_context(gateway(LINES, PORT))
        behind = {
            name: stack.enter_context(gateway(PHONES, PORT + at))
            for at, name in enumerate(BEHIND, 1)
        }
        done = installed.ucontact("install", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        roots = str(small_site.paths.pki / "portal-ca.pem")
        server = SipServer("demo.ucontact.test", small_site.machine.address, 8089, "/ws", roots)
        yield Site(installed, server, lines, behind)


@pytest.fixture(autouse=True)
def quiet(site: Site) -> None:
    """No call of an earlier test, and every gateway as it begins."""
    until("a call stays up", lambda: "0 active channels" in site.asterisk("core show channels"))
    for one in site.everybody():
        one.options, one.events, one.t38, one.early = 200, True, 200, ""
        one.forget()


def until(what: str, holds: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.3)


def test_a_second_installation_changes_nothing(site: Site) -> None:
    done = site.installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout


def test_any_answer_to_options_counts_as_reachable(site: Site) -> None:
    named = {"lines": site.lines, **site.behind}
    for (name, one), status in zip(named.items(), (404, 403, 405, 501, 488), strict=True):
        one.options = status
        site.asterisk(f"pjsip qualify trunk-{name}")
        until("no OPTIONS came", lambda one=one, status=status: status in one.asked)
    time.sleep(1)  # until Asterisk has the last answer
    _, found = site.installed.doctor(
        "--only", "asterisk.trunks", "--only", "asterisk.trunk-settings"
    )
    for check in ("asterisk.trunks", "asterisk.trunk-settings"):
        assert found[check]["verdict"] == "pass", found[check]


def test_a_silent_gateway_is_told_by_the_doctor(site: Site) -> None:
    site.lines.options = 0
    site.asterisk("pjsip qualify trunk-lines")
    time.sleep(4)  # Asterisk waits 3 s for the answer
    _, found = site.installed.doctor("--only", "asterisk.trunks")
    site.lines.options = 200
    site.asterisk("pjsip qualify trunk-lines")
    assert found["asterisk.trunks"]["observed"] == (
        "lines is unavail (see SIP Server or IP Trunk in the Dinstar gateway)"
    )


def test_a_changed_setting_of_a_trunk_is_told_by_the_doctor(site: Site) -> None:
    file = "/etc/asterisk/pjsip_trunks.conf"
    site.installed.sh(
        f"cp -p {file} /root/kept && sed -i 's/^dtmf_mode = info/dtmf_mode = inband/' {file}"
        " && asterisk -rx 'pjsip reload' && sleep 1"
    )
    _, found = site.installed.doctor("--only", "asterisk.trunk-settings")
    site.installed.sh(f"cp -p /root/kept {file} && asterisk -rx 'pjsip reload' && sleep 1")
    observed = "by-info: dtmf_mode is inband, not info"
    assert found["asterisk.trunk-settings"]["observed"] == observed


def test_the_ports_of_fax_are_open_to_providers(site: Site) -> None:
    assert "4000-4999" in site.installed.sh("nft list ruleset")
    _, found = site.installed.doctor("--only", "firewall")
    assert {one["verdict"] for one in found.values()} <= {"pass", "skip"}, found


def test_the_site_answers_a_gateways_heartbeat(site: Site) -> None:
    server, sock = site.server.address, site.lines
    target = f"sip:heartbeat@{server}:5060"
    headers = (
        ("from", f"<sip:gateway@{LINES}>;tag=1"),
        ("to", f"<{target}>"),
        ("call-id", "heartbeat"),
    )
    sock._send(sock._request("OPTIONS", target, 1, headers), (server, 5060))
    assert sock._final("OPTIONS", "heartbeat").status == 200


def test_an_agent_and_a_gateway_call_each_other(site: Site) -> None:
    async def outgoing() -> int:
        async with site.agent() as agent:
            await agent.dial("724005678", seconds=2.0)
        return site.lines._packets

    before = site.lines._packets
    assert asyncio.run(outgoing()) - before > 50
    assert site.lines.called() == ["24005678"]

    def call(done: list[int]) -> None:
        with site.lines.dial(site.server.address, AGENT) as dialog:
            before = site.lines._packets
            site.lines.press(dialog, "12", "inband")
            done.append(site.lines._packets - before)

    async def incoming() -> Any:
        done: list[int] = []
        async with site.agent() as agent:
            caller = threading.Thread(target=call, args=(done,))
            caller.start()
            heard = await agent.take_call(660.0)
            await asyncio.to_thread(caller.join)
        return heard, done

    heard, (packets,) = asyncio.run(incoming())
    ringing = [one for one in site.lines.provisional if one.status > 100]
    assert [(one.status, one.body) for one in ringing] == [(180, "")]  # the gateway rings itself
    assert packets > 25
    assert heard.samples  # the gateway's audio
    tone = find_tone(heard.samples, heard.rate, 660.0)
    assert tone.seconds == 0.0  # and not its own


def test_a_caller_hears_the_line_ring_and_what_it_says_before_the_answer(site: Site) -> None:
    site.behind["voice"].early = "5"
    with site.lines.dial(site.server.address, BEHIND["voice"][0]):
        before_the_answer = site.lines.heard().audio
    progress = [one for one in site.lines.provisional if one.status == 183]
    assert "m=audio" in progress[0].body
    assert before_the_answer == "5"


@pytest.mark.parametrize("trunk", ["voice", "by-info", "by-tones"])
@pytest.mark.parametrize("way", ["rfc4733", "info", "inband"])
def test_digits_arrive_in_each_way(site: Site, way: str, trunk: str) -> None:
    """From the gateway with the lines (`auto`), to a trunk with each setting."""
    site.lines.events = way == "rfc4733"
    there = site.behind[trunk]
    with site.lines.dial(site.server.address, BEHIND[trunk][0]) as dialog:
        there.taken()
        site.lines.press(dialog, DIGITS, way)
        time.sleep(0.5)
    heard = there.heard()
    got = {"voice": heard.events, "by-info": heard.info, "by-tones": heard.audio}
    assert got[trunk] == DIGITS, heard


@pytest.mark.parametrize("trunk", ["voice", "by-info", "by-tones"])
def test_digits_by_info_are_understood_whatever_a_trunk_has(site: Site, trunk: str) -> None:
    there = site.behind[trunk]
    with site.lines.dial(site.server.address, BEHIND[trunk][0]):
        there.press(there.taken(), "42", "info")
        time.sleep(0.5)
    assert site.lines.heard().events == "42"


def test_a_fax_passes_by_t38_between_two_gateways(site: Site) -> None:
    machine, fax = site.lines, site.behind["fax"]
    with machine.dial(site.server.address, BEHIND["fax"][0]) as caller:
        called = fax.taken()
        time.sleep(0.5)
        answer = fax.fax(called)
        assert answer.status == 200, answer.start
        assert "m=image" in answer.body
        assert "T38FaxUdpEC:t38UDPRedundancy" in answer.body
        (offer,) = machine.offers
        assert 4000 <= called.media[1] <= 4999
        caller.media = (site.server.address, port_of_image(offer.body))
        for at in range(10):
            fax.send_fax(called, bytes([0x80, at]), at)
            machine.send_fax(caller, bytes([0x40, at]), at)
            time.sleep(0.03)
        time.sleep(0.5)
    # Redundancy: the packet before the last one repeats three.
    assert list(machine.faxes.queue)[-2][5:7] == bytes([0, 3])
    assert primaries(machine) == [bytes([0x80, at]) for at in range(10)]
    assert primaries(fax) == [bytes([0x40, at]) for at in range(10)]


def port_of_image(sdp: str) -> int:
    return int(sdp.partition("m=image ")[2].split()[0])


def primaries(there: Gateway) -> list[bytes]:
    """The primary IFP packet of each UDPTL packet that came."""
    packets = [there.faxes.get() for _ in range(there.faxes.qsize())]
    return [packet[3 : 3 + packet[2]] for packet in packets]


@pytest.mark.parametrize("trunk", ["voice", "by-tones"])
def test_t38_is_refused_where_fax_is_off_or_audio_and_the_call_goes_on(
    site: Site, trunk: str
) -> None:
    there = site.behind[trunk]
    with site.lines.dial(site.server.address, BEHIND[trunk][0]) as caller:
        called = there.taken()
        time.sleep(0.5)
        assert there.fax(called).status == 488
        assert site.lines.offers == []
        before = there._packets
        site.lines.press(caller, "1", "inband")
        assert there._packets - before > 20


def test_t38_is_refused_where_the_other_gateway_refuses_it(site: Site) -> None:
    site.lines.t38 = 488
    fax = site.behind["fax"]
    with site.lines.dial(site.server.address, BEHIND["fax"][0]):
        called = fax.taken()
        time.sleep(0.5)
        assert fax.fax(called).status == 488


def test_t38_is_refused_in_a_call_with_an_agent(site: Site) -> None:
    async def call() -> int:
        async with site.agent() as agent:
            talk = asyncio.create_task(agent.dial("724005678", seconds=9.0))
            called = await asyncio.to_thread(site.lines.taken)
            await asyncio.sleep(1)
            answer = await asyncio.to_thread(site.lines.fax, called)
            await talk
            return answer.status

    assert asyncio.run(call()) == 488


def test_a_number_that_is_not_listed_reaches_no_gateway(site: Site) -> None:
    with (
        pytest.raises(AssertionError, match="404"),
        site.lines.dial(site.server.address, "+59824001299"),
    ):
        pass
    assert all(one.called() == [] for one in site.behind.values())
