"""Calls of a site with trunks and queues: a provider, agents who log in, and what is kept of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.centre import RECORDINGS, Centre, a_centre, until
from tests.e2e.installed import Installed
from tests.e2e.phone import Phone
from tests.e2e.softphone import chromium, dial, hears, in_call, on_hook, sign_in
from tests.e2e.voice import bursts, loudness, tones
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.audio import decode_gsm, find_tone
from ucontact_appliance.clients.sip import SipRefusedError
from ucontact_appliance.lab import layout

pytestmark = pytest.mark.machine

FIRST, SECOND = 5072, 5073  # ports of the provider's two trunks
SALES, HELP, CLOSED = "+59824001234", "+59824001235", "+59824001236"
OWN_NUMBER = "+59824001000"
PROVIDER = str(layout.NETWORK[-2])  # the last one that a machine would get


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


@pytest.fixture(scope="module")
def centre(installed: Installed, small_site: Snapshot) -> Iterator[Centre]:
    with a_centre(installed, small_site, telephony(), PROVIDER, (FIRST, SECOND)) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet(centre: Centre) -> None:
    """No call of an earlier test, and both trunks answer."""
    centre.quiet()


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


@pytest.mark.exhaustive
def test_an_agent_in_chromium_answers_a_call_of_the_queue(centre: Centre, tmp_path: Path) -> None:
    """The agent stays logged in behind a restart of Asterisk, and takes the next call too."""
    before, microphone = centre.recordings(), tmp_path / "microphone.wav"
    bursts(microphone, 880.0)
    secret = centre.installed.secret("telephony.extensions.6001")
    with chromium(microphone) as browser:
        page = sign_in(browser, centre.server.address, "6001", secret)
        dial(page, "*50")
        on_hook(page)
        for restarted in (False, True):
            if restarted:
                centre.installed.sh("systemctl restart asterisk")
                until("6001 is not there again", lambda: _is_free(centre, "6001"), 60)
            with centre.first.call(centre.server.address, SALES, hertz=660.0) as leg:
                assert leg.voice is not None
                page.get_by_test_id("answer-button").wait_for(timeout=15000)
                page.wait_for_timeout(2000)
                waited = leg.voice.seconds
                page.get_by_test_id("answer-button").click()
                in_call(page)
                page.wait_for_timeout(1000)
                answered = leg.voice.seconds
                assert hears(page, 660.0)
                page.wait_for_timeout(3000)
            on_hook(page)
            assert loudness(leg.voice.heard(0.5, waited)) > 100  # music
            assert find_tone(leg.voice.heard(0.5, waited), 8000, 880.0).seconds < 0.3
            assert find_tone(leg.voice.heard(answered), 8000, 880.0).seconds > 1.0
        dial(page, "*51")
        on_hook(page)
    first, second = sorted(centre.recordings() - before)
    heard = [_on_record(centre, path) for path in (first, second)]
    # On an overloaded machine one call of six was seen without the caller's side in its recording.
    assert {660.0, 880.0} in heard
    assert all(880.0 in one for one in heard)


def _on_record(centre: Centre, path: str) -> set[float]:
    """The tones in the recording of a call that 6001 took; its row in the index, and its events."""
    row = f"select queue, agent, sha256 from recordings where path='{path}'"
    until("the recording is not in the index", lambda: centre.rows(row) != [])
    digest = centre.installed.sh(f"sha256sum {RECORDINGS}/{path}").split()[0]
    assert centre.rows(row) == [["sales", "6001", digest]]
    events = f"select event from queue_log where callid='{path[:-4].rpartition('_')[2]}'"
    wanted = {"ENTERQUEUE", "CONNECT", "COMPLETECALLER"}
    until("no rows in queue_log", lambda: wanted <= {row[0] for row in centre.rows(events)})
    file = centre.installed.machine.root / RECORDINGS[1:] / path
    sound, rate = decode_gsm(file.read_bytes())
    return tones(sound, rate, (660.0, 880.0))


def _is_free(centre: Centre, agent: str) -> bool:
    shown = centre.installed.sh("asterisk -rx 'queue show sales' || true")
    return any(agent in line and "Not in use" in line for line in shown.splitlines())


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
