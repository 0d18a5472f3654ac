"""Calls of a site with trunks and queues: a provider, agents who log in, and what is kept of it.

The provider is this machine at an address of its own, as Asterisk knows a trunk by its address: two
trunks at two ports, so that one can be out of order.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installed import Installed
from tests.e2e.phone import Phone, a_phone
from tests.e2e.provider import Provider, provider
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.audio import find_tone
from ucontact_appliance.clients.sip import SipRefusedError, SipServer
from ucontact_appliance.lab import layout

pytestmark = pytest.mark.machine

FIRST, SECOND = 5072, 5073  # ports of the provider's two trunks
SALES, HELP, CLOSED = "+59824001234", "+59824001235", "+59824001236"
OWN_NUMBER = "+59824001000"
PROVIDER = str(layout.NETWORK[-2])  # the last one that a machine would get
_RECORDINGS = "/var/spool/asterisk/monitor"


def telephony() -> dict[str, Any]:
    """The section of site.yml."""
    trunk = {"host": PROVIDER, "number_format": "e164"}
    return {
        "country": "UY",
        "time_zone": "America/Montevideo",
        "extensions": ["6001", "6002", "6099"],
        "trunks": [
            trunk
            | {"name": "first", "port": FIRST, "prefix": "7", "max_calls": 1}
            | {"caller_id": OWN_NUMBER},
            trunk | {"name": "second", "port": SECOND, "prefix": "8", "hide_caller_id": True},
        ],
        "routes": [
            {
                "name": "all",
                "prefix": "0",
                "trunks": [{"trunk": "first"}, {"trunk": "second", "priority": 2}],
            }
        ],
        "inbound": [
            {"number": SALES, "to": {"queue": "sales"}},
            {"number": HELP, "to": {"queue": "help"}},
            {
                "number": CLOSED,
                "to": {"queue": "sales"},
                "hours": "never",
                "closed": {"announcement": "closed"},
            },
        ],
        "hours": [{"name": "never", "open": ["mon-sun 00:00-24:00"], "closed_on": _every_day()}],
        "announcements": [{"name": "closed", "file": "closed.wav"}],
        "queues": [
            {
                "name": "sales",
                "number": "800",
                "agents": ["6001", "6002"],
                "wrap_up_seconds": 0,
                "max_wait_seconds": 60,
            },
            {
                "name": "help",
                "number": "801",
                "agents": ["6002"],
                "overflow": {"announcement": "closed"},
            },
        ],
        "pause_reasons": [{"code": "1", "name": "lunch"}],
        "supervisors": ["6099"],
    }


def _every_day() -> list[str]:
    """Yesterday, today and tomorrow: whatever the time zone, this is a holiday."""
    days = (time.gmtime(time.time() + 86400 * shift) for shift in (-1, 0, 1))
    return [time.strftime("%m-%d", day) for day in days]


def _tone(path: Path, seconds: float = 3.0) -> None:
    """A WAV file with 880 Hz as Asterisk takes it."""
    period = [0, 12000, 17000, 12000, 0, -12000, -17000, -12000, 0]
    samples = (period * int(seconds * 8000 / len(period)))[: int(seconds * 8000)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(one.to_bytes(2, "little", signed=True) for one in samples))


@dataclass(frozen=True)
class Centre:
    """The site with its telephony section installed, and both ports of its provider."""

    installed: Installed
    server: SipServer
    first: Provider
    second: Provider
    screen: str

    def phone(self, number: str) -> Any:
        return a_phone(self.server, number, self.installed.secret(f"telephony.extensions.{number}"))

    def asterisk(self, command: str) -> str:
        return self.installed.sh(f"asterisk -rx '{command}'")

    def rows(self, query: str) -> list[list[str]]:
        """Of ccdata, as the database's administrator."""
        printed = self.installed.sh(f'mysql --batch --skip-column-names ccdata -e "{query}"')
        return [line.split("\t") for line in printed.splitlines()]

    def recordings(self) -> set[str]:
        found = self.installed.sh(f"find {_RECORDINGS} -name '*.gsm' -size +1k -printf '%P\\n'")
        return set(found.split())


def until(what: str, holds: Any, seconds: float = 20.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.3)


@pytest.fixture(scope="module")
def centre(installed: Installed, small_site: Snapshot) -> Iterator[Centre]:
    text = small_site.site_file.read_text(encoding="utf-8")
    _tone(small_site.folder / "closed.wav")
    small_site.site_file.write_text(f"{text}telephony: {json.dumps(telephony())}\n")
    subprocess.run(["ip", "address", "add", f"{PROVIDER}/32", "dev", layout.BRIDGE], check=True)
    try:
        with provider(PROVIDER, FIRST) as first, provider(PROVIDER, SECOND) as second:
            done = installed.ucontact("install", "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            roots = str(small_site.paths.pki / "portal-ca.pem")
            address = small_site.machine.address
            server = SipServer("demo.ucontact.test", address, 8089, "/ws", roots)
            yield Centre(installed, server, first, second, done.stdout + done.stderr)
    finally:
        subprocess.run(["ip", "address", "del", f"{PROVIDER}/32", "dev", layout.BRIDGE], check=True)
        small_site.site_file.write_text(text)


@pytest.fixture(autouse=True)
def quiet(centre: Centre) -> None:
    """No call of an earlier test, and both trunks answer."""
    centre.first.status = centre.second.status = 200
    centre.first.forget()
    centre.second.forget()
    until("a call stays up", lambda: "0 active channels" in centre.asterisk("core show channels"))


async def called(centre: Centre, number: str) -> int:
    """The status with which a call of 6001 ends; 200 when it is answered."""
    async with centre.phone("6001") as phone:
        try:
            await phone.dial(number, seconds=1.0)
        except SipRefusedError as error:
            return error.status
    return 200


def test_a_second_installation_changes_nothing(centre: Centre) -> None:
    done = centre.installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout


def test_the_doctor_finds_trunks_queues_and_their_tables(centre: Centre) -> None:
    _, found = centre.installed.doctor()
    for check in ("asterisk.trunks", "asterisk.queues", "asterisk.queue-log", "asterisk.realtime"):
        assert found[check]["verdict"] == "pass", found[check]


def test_a_lost_queue_is_named_and_comes_back(centre: Centre) -> None:
    centre.installed.sh(
        "sed -i '/^\\[help\\]/,/^$/d' /etc/asterisk/queues.conf && asterisk -rx 'queue reload all'"
    )
    _, found = centre.installed.doctor("--only", "asterisk.queues")
    assert found["asterisk.queues"]["observed"] == "help is missing"
    done = centre.installed.ucontact("install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "help has 0 calls" in centre.asterisk("queue show help")


def test_a_number_goes_out_as_the_provider_wants_it(centre: Centre) -> None:
    assert asyncio.run(called(centre, "724001234")) == 200
    assert centre.first.called() == ["+59824001234"]
    shown = centre.first.invites[0]
    assert OWN_NUMBER in shown.header("p-asserted-identity")
    assert asyncio.run(called(centre, "8005491123456789")) == 200
    assert centre.second.called() == ["+5491123456789"]
    hidden = centre.second.invites[0]
    assert "id" in hidden.header("privacy")
    assert "6001" not in hidden.header("from")


@pytest.mark.parametrize(("status", "tried", "ends"), [(503, 2, 200), (486, 1, 486), (404, 1, 404)])
def test_the_next_trunk_is_tried_where_that_can_help(
    centre: Centre, status: int, tried: int, ends: int
) -> None:
    centre.first.status = status
    assert asyncio.run(called(centre, "024001234")) == ends
    assert len(centre.first.called()) + len(centre.second.called()) == tried


def test_a_full_trunk_passes_calls_on_but_no_emergency_call(centre: Centre) -> None:
    async def while_one_is_up() -> None:
        async with centre.phone("6001") as one, centre.phone("6002") as other:
            held = asyncio.create_task(one.dial("024001234", seconds=6.0))
            await asyncio.sleep(2.0)
            await other.dial("024005678", seconds=1.0)
            await other.dial("911", seconds=1.0)
            await held

    asyncio.run(while_one_is_up())
    assert centre.first.called() == ["+59824001234", "911"]
    assert centre.second.called() == ["+59824005678"]


@pytest.mark.parametrize("number", ["724009999", "024009999", "911", "*50", "*546001", "0", "99"])
def test_no_way_from_inbound_to_outbound(centre: Centre, number: str) -> None:
    with centre.first.call(centre.server.address, number) as leg:
        assert leg.status == 404
    assert centre.first.called() == centre.second.called() == []


def test_a_call_by_number_waits_for_an_agent_and_is_recorded(centre: Centre) -> None:
    before = centre.recordings()

    async def answered() -> tuple[Any, int]:
        async with centre.phone("6001") as agent:
            await agent.dial("*50")
            taken = asyncio.create_task(agent.take_call(660.0, seconds=4.0))
            leg = await asyncio.to_thread(_call, centre, SALES, 6.0)
            heard = await taken
            await agent.dial("*51")
            return find_tone(heard.samples, heard.rate, 660.0), leg

    heard, packets = asyncio.run(answered())
    assert packets > 100
    assert heard.seconds > 1.0  # the provider sends back what the agent says
    (new,) = centre.recordings() - before
    assert "_sales_" in new
    until(
        "the queue log is not in MySQL",
        lambda: (
            {"ENTERQUEUE", "CONNECT"}
            <= {
                row[0] for row in centre.rows("select event from queue_log where queuename='sales'")
            }
        ),
    )
    agents = centre.rows("select distinct agent from queue_log where event='CONNECT'")
    assert agents == [["6001"]]
    row = f"select queue, agent, src, dst from recordings where path='{new}'"
    until("the recording is not in the index", lambda: centre.rows(row) != [])
    ((queue, agent, src, dst),) = centre.rows(row)
    assert (queue, agent, src) == ("sales", "6001", "+59824009999")
    assert dst in (SALES, "sales")


def _call(centre: Centre, number: str, seconds: float) -> int:
    """A call of the provider's; the packets that came."""
    with centre.first.call(centre.server.address, number) as leg:
        assert leg.status == 200
        time.sleep(seconds)
    return leg.packets


def test_without_an_agent_a_call_overflows(centre: Centre) -> None:
    with centre.first.call(centre.server.address, HELP) as leg:
        assert leg.status == 200
        assert leg.ended.wait(15)  # the announcement has an end
    assert leg.packets > 100


def test_outside_opening_hours_an_announcement_is_heard(centre: Centre) -> None:
    with centre.first.call(centre.server.address, CLOSED) as leg:
        assert leg.status == 200
        assert leg.ended.wait(15)
    assert leg.packets > 100


def test_logins_and_pauses_survive_a_restart(centre: Centre) -> None:
    async def log_in_and_pause() -> None:
        async with centre.phone("6002") as agent:
            await agent.dial("*50")
            await agent.dial("*521")

    async def log_out() -> None:
        async with centre.phone("6002") as agent:
            await agent.dial("*53")
            await agent.dial("*51")

    asyncio.run(log_in_and_pause())
    assert "paused:lunch" in centre.asterisk("queue show sales")
    centre.installed.sh("systemctl restart asterisk && asterisk -rx 'core waitfullybooted'")
    for queue in ("sales", "help"):
        assert "paused:lunch" in centre.asterisk(f"queue show {queue}")
    asyncio.run(log_out())
    assert "No Members" in centre.asterisk("queue show sales")
    reasons = centre.rows("select data1 from queue_log where event='PAUSE'")
    assert ["lunch"] in reasons


def test_an_extension_that_is_no_agent_can_not_log_in(centre: Centre) -> None:
    async def attempt() -> None:
        async with centre.phone("6099") as phone:
            await phone.dial("*50")

    with pytest.raises(SipRefusedError):
        asyncio.run(attempt())


def test_a_supervisor_listens_and_that_is_on_record(centre: Centre) -> None:
    async def listened() -> None:
        async with centre.phone("6001") as agent, centre.phone("6099") as supervisor:
            call = asyncio.create_task(agent.dial("724001234", seconds=6.0))
            await asyncio.sleep(2.0)
            await supervisor.dial("*546001", seconds=2.0)
            await call

    asyncio.run(listened())
    until(
        "no row",
        lambda: (
            ["6099", "listen", "6001"]
            in centre.rows("select agent, data1, data2 from queue_log where event='SUPERVISE'")
        ),
    )
    with pytest.raises(SipRefusedError):
        asyncio.run(_by_an_agent(centre))


async def _by_an_agent(centre: Centre) -> None:
    async with centre.phone("6002") as phone:
        await phone.dial("*546001", seconds=2.0)


def test_a_queue_in_the_database_is_a_queue(centre: Centre) -> None:
    centre.rows("insert into queues (name, strategy) values ('backend', 'ringall')")
    centre.rows(
        "insert into queue_members (queue_name, interface, membername, state_interface)"
        " values ('backend', 'Local/6001@agent/n', '6001', 'PJSIP/6001')"
    )
    try:
        shown = centre.asterisk("queue show backend")
        assert "'ringall' strategy" in shown
        assert "6001" in shown
    finally:
        centre.rows("delete from queue_members")
        centre.rows("delete from queues")


def test_the_queue_log_waits_for_the_database(centre: Centre) -> None:
    centre.installed.sh("systemctl stop mysql")
    try:
        assert asyncio.run(_logged_in_and_out(centre)) == "6002"
    finally:
        centre.installed.sh("systemctl start mysql")
    until(
        "the rows do not come",
        lambda: (
            int(centre.rows("select count(*) from queue_log where event='ADDMEMBER'")[0][0]) > 2
        ),
        60,
    )


async def _logged_in_and_out(centre: Centre) -> str:
    """Queues work without the database."""
    async with centre.phone("6002") as agent:
        assert isinstance(agent, Phone)
        await agent.dial("*50")
        shown = centre.asterisk("queue show sales")
        await agent.dial("*51")
    return "6002" if "6002" in shown else shown
