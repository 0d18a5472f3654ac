"""Queues and supervisors as callers and agents hear them, and what a provider's answers lead to."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.ami import answers
from tests.e2e.centre import Centre, a_centre, until
from tests.e2e.installed import Installed
from tests.e2e.provider import Leg, Provider
from tests.e2e.voice import likeness, loudness, tones
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.audio import decode_gsm
from ucontact_appliance.clients.sip import SipRefusedError
from ucontact_appliance.lab import layout

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

PROVIDER, FIRST, SECOND = str(layout.NETWORK[-6]), 5076, 5077
SALES, PATIENT, SHORT, VIP = "+59824001234", "+59824001235", "+59824001236", "+59824001237"
CALLER, AGENT, SUPERVISOR = 660.0, 880.0, 1100.0
ANNOUNCED = 8000 / 9  # closed.wav
_SOUNDS = "usr/share/asterisk/sounds/en_US_f_Allison"


def telephony() -> dict[str, Any]:
    """The section of site.yml."""
    return {
        "country": "UY",
        "extensions": ["6001", "6002", "6099"],
        "trunks": [
            {"name": "first", "host": PROVIDER, "port": FIRST, "prefix": "7"},
            {"name": "second", "host": PROVIDER, "port": SECOND, "prefix": "8"},
        ],
        "inbound": [
            {"number": SALES, "to": {"queue": "sales"}},
            {"number": VIP, "to": {"queue": "sales"}, "priority": 5},
            {"number": PATIENT, "to": {"queue": "patient"}},
            {"number": SHORT, "to": {"queue": "short"}},
        ],
        "announcements": [{"name": "closed", "file": "closed.wav"}],
        "queues": [
            {"name": "sales", "number": "800", "agents": ["6001"], "without_agents": True},
            {"name": "patient", "number": "801", "agents": ["6001"], "without_agents": True}
            | {
                "announce_position_seconds": 5,
                "announcement": "closed",
                "announcement_seconds": 10,
            },
            {"name": "short", "number": "802", "agents": ["6002"], "max_wait_seconds": 10}
            | {"overflow": {"announcement": "closed"}},
        ],
        "supervisors": ["6099"],
    }


@pytest.fixture(scope="module")
def centre(installed: Installed, small_site: Snapshot) -> Iterator[Centre]:
    with a_centre(installed, small_site, telephony(), PROVIDER, (FIRST, SECOND)) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet(centre: Centre) -> None:
    centre.quiet()


def talk(centre: Centre, code: str) -> tuple[set[float], set[float], set[float]]:
    """The tones that caller, agent and supervisor hear while the supervisor's code is at work."""

    async def all_three() -> tuple[set[float], set[float], set[float]]:
        spoken = (CALLER, AGENT, SUPERVISOR)
        async with centre.phone("6001") as agent, centre.phone("6099") as supervisor:
            await agent.dial("*50")
            taken = asyncio.create_task(agent.take_call(AGENT))
            calling = centre.first.call(centre.server.address, SALES, hertz=CALLER)
            leg = await asyncio.to_thread(calling.__enter__)
            await asyncio.sleep(2.0)
            watched = await supervisor.dial(f"{code}6001", seconds=5.0, hertz=SUPERVISOR)
            assert leg.voice is not None
            alone = leg.voice.seconds
            await asyncio.sleep(1.5)
            await asyncio.to_thread(calling.__exit__, None, None, None)
            answered = await taken
            await agent.dial("*51")
        assert tones(leg.voice.heard(alone + 0.3), 8000, spoken) == {AGENT}  # they talk on
        return (
            tones(leg.voice.heard(), 8000, spoken),
            tones(answered.samples, answered.rate, spoken),
            tones(watched.samples, watched.rate, spoken),
        )

    return asyncio.run(all_three())


@pytest.mark.parametrize(
    ("way", "code", "caller_hears", "agent_hears"),
    [
        ("listen", "*54", {AGENT}, {CALLER}),
        ("whisper", "*55", {AGENT}, {CALLER, SUPERVISOR}),
        ("barge", "*56", {AGENT, SUPERVISOR}, {CALLER, SUPERVISOR}),
    ],
)
def test_a_supervisor_is_heard_by_whom_the_code_says(
    centre: Centre, way: str, code: str, caller_hears: set[float], agent_hears: set[float]
) -> None:
    assert talk(centre, code) == (caller_hears, agent_hears, {CALLER, AGENT})
    row = ["6099", way, "6001"]
    asked = "select agent, data1, data2 from queue_log where event='SUPERVISE'"
    until("no row of it", lambda: row in centre.rows(asked))


@pytest.mark.parametrize("code", ["*54", "*55", "*56"])
@pytest.mark.parametrize(("number", "whom"), [("6001", "6099"), ("6002", "6001"), ("6099", "7777")])
def test_nobody_else_and_nothing_else_is_supervised(
    centre: Centre, code: str, number: str, whom: str
) -> None:
    async def attempt() -> None:
        async with centre.phone(number) as phone:
            await phone.dial(f"{code}{whom}", seconds=1.0)

    before = centre.rows("select count(*) from queue_log where event='SUPERVISE'")
    with pytest.raises(SipRefusedError):
        asyncio.run(attempt())
    time.sleep(4)
    assert centre.rows("select count(*) from queue_log where event='SUPERVISE'") == before


def prompt(centre: Centre, name: str) -> Any:
    """The samples of one of Asterisk's own prompts."""
    path = centre.installed.sh(f"find /usr/share/asterisk/sounds -name {name}.gsm -path '*/en*'")
    file = centre.installed.machine.root / path.split()[0][1:]
    return decode_gsm(file.read_bytes())[0]


def test_a_caller_hears_the_position_and_the_announcement(centre: Centre) -> None:
    with ExitStack() as calls:
        legs = [
            calls.enter_context(one.call(centre.server.address, PATIENT, hertz=CALLER))
            for one in (centre.first, centre.second)
        ]
        time.sleep(14)
    first, second = (leg.voice for leg in legs)
    assert first is not None
    assert second is not None
    next_one = prompt(centre, "queue-youarenext")
    assert likeness(first.heard(), next_one) > 0.9
    assert likeness(second.heard(), next_one) < 0.8
    assert likeness(second.heard(), prompt(centre, "queue-thereare")) > 0.9
    for voice in (first, second):
        assert tones(voice.heard(), 8000, [ANNOUNCED]) == {ANNOUNCED}
        assert loudness(voice.heard(1.0, 3.0)) > 100  # music before the first of them


def test_a_caller_hears_how_long_others_have_waited(centre: Centre) -> None:
    async def answered() -> None:
        async with centre.phone("6001") as agent:
            taken = asyncio.create_task(agent.take_call(AGENT, seconds=3.0))
            await agent.dial("*50")
            await taken
            await agent.dial("*51")

    with centre.first.call(centre.server.address, PATIENT, hertz=CALLER):
        # A quarter of it becomes the average. Asterisk announces whole minutes: of the average and
        # 30 s, less what this caller has waited.
        time.sleep(180)
        asyncio.run(answered())
    with centre.first.call(centre.server.address, PATIENT, hertz=CALLER) as leg:
        time.sleep(16)  # 5 s of music, 5.4 s of "you are next", then 2.8 s of this one
    assert leg.voice is not None
    assert likeness(leg.voice.heard(), prompt(centre, "queue-holdtime")) > 0.9


def test_a_call_overflows_when_it_has_waited_long_enough(centre: Centre) -> None:
    async def waited() -> Leg:
        async with centre.phone("6002") as agent:  # who is there, and has a pause
            await agent.dial("*50")
            await agent.dial("*52")
            calling = centre.first.call(centre.server.address, SHORT, hertz=CALLER)
            leg = await asyncio.to_thread(calling.__enter__)
            assert await asyncio.to_thread(leg.ended.wait, 30)
            await asyncio.to_thread(calling.__exit__, None, None, None)
            await agent.dial("*53")
            await agent.dial("*51")
        return leg

    leg = asyncio.run(waited())
    assert leg.voice is not None
    assert 12 < leg.voice.seconds < 18  # 10 s in the queue, 3 s of announcement
    assert tones(leg.voice.heard(0, 9), 8000, [ANNOUNCED]) == set()
    assert tones(leg.voice.heard(10), 8000, [ANNOUNCED]) == {ANNOUNCED}


def test_a_call_with_priority_passes_those_who_wait(centre: Centre) -> None:
    def calling(who: Provider, number: str) -> Any:
        return who.call(centre.server.address, number, hertz=CALLER)

    async def taken() -> tuple[Leg, Leg]:
        async with centre.phone("6001") as agent:
            with ExitStack() as calls:
                usual = await asyncio.to_thread(calls.enter_context, calling(centre.first, SALES))
                await asyncio.sleep(2)
                vip = await asyncio.to_thread(calls.enter_context, calling(centre.second, VIP))
                await asyncio.sleep(1)
                answering = asyncio.create_task(agent.take_call(AGENT, seconds=3.0))
                await agent.dial("*50")
                await answering
                await agent.dial("*51")
            return usual, vip

    usual, vip = asyncio.run(taken())
    assert usual.voice is not None
    assert vip.voice is not None
    assert tones(vip.voice.heard(), 8000, [AGENT]) == {AGENT}
    assert tones(usual.voice.heard(), 8000, [AGENT]) == set()


def events(centre: Centre, call: str) -> list[str]:
    """What the database has of a call, in the order in which it happened."""
    query = f"select eventtype from cel where linkedid='{call}' order by eventtime, id"
    return [row[0] for row in centre.rows(query)]


def newest_call(centre: Centre) -> str:
    """The linkedid of the newest line in the file, whose fields are those of cel_custom.conf."""
    line = centre.installed.sh("tail -n 1 /var/log/asterisk/cel-custom/ucontact.csv")
    return next(csv.reader([line]))[16]


def test_what_happens_in_a_call_is_in_the_database(centre: Centre) -> None:
    talk(centre, "*54")
    (call,) = centre.rows(
        "select callid from queue_log where event='CONNECT' order by time desc limit 1"
    )
    until("the call has not ended", lambda: "LINKEDID_END" in events(centre, call[0]))
    seen = events(centre, call[0])
    assert seen[0] == "CHAN_START"
    assert seen[-1] == "LINKEDID_END"
    assert {"ANSWER", "APP_START", "BRIDGE_ENTER", "BRIDGE_EXIT", "HANGUP"} <= set(seen)
    number = f"select distinct cid_num from cel where linkedid='{call[0]}' and appname='Queue'"
    assert centre.rows(number) == [["+59824009999"]]


def test_channel_events_wait_for_the_database_and_are_not_doubled(centre: Centre) -> None:
    async def echo() -> float:
        async with centre.phone("6002") as phone:
            began = time.monotonic()
            await phone.dial("*43", seconds=1.0)
            return time.monotonic() - began

    centre.installed.sh("systemctl stop mysql")
    try:
        assert asyncio.run(echo()) < 5
        time.sleep(1)
        call = newest_call(centre)
        centre.installed.sh("systemctl restart asterisk ucontact-channel-events")
    finally:
        centre.installed.sh("systemctl start mysql")
    until("the events do not come", lambda: "LINKEDID_END" in events(centre, call), 60)
    before = events(centre, call)
    assert before.count("CHAN_START") == before.count("LINKEDID_END") == 1
    # Even where the position is lost, each is one row.
    position = "/var/lib/ucontact-telephony/channel-events.json"
    centre.installed.sh(f"rm {position}; systemctl restart ucontact-channel-events")
    until("nothing is sent again", lambda: centre.installed.sh(f"ls {position} || true") != "")
    assert events(centre, call) == before


def test_the_doctor_s_own_calls_are_no_channel_events(centre: Centre) -> None:
    marked = "grep -cE '\"[0-9a-f]{12}[a-z]*\"' /var/log/asterisk/cel-custom/ucontact.csv"
    assert int(centre.installed.sh(marked)) > 5  # the installation has called
    query = "select count(*) from cel where accountcode regexp '^[0-9a-f]{12}'"
    assert centre.rows(query) == [["0"]]
    _, found = centre.installed.doctor("--only", "asterisk.channel-events")
    assert found["asterisk.channel-events"]["verdict"] == "pass"


def test_voicemail_is_off(centre: Centre) -> None:
    assert "0 modules loaded" in centre.asterisk("module show like app_voicemail")


def test_a_backend_logs_agents_in_and_pauses_them(centre: Centre) -> None:
    secret = centre.installed.secret("telephony.ami.backend")
    agent = {"Queue": "sales", "Interface": "Local/6001@agent/n"}

    def told(*actions: dict[str, str]) -> list[str]:
        where = {"StateInterface": "PJSIP/6001", "MemberName": "6001"}
        asked = [agent | where | action for action in actions]
        banner, login, *rest = answers(centre.installed.sh, "127.0.0.1", secret, asked)
        assert "Asterisk Call Manager" in banner
        assert "Authentication accepted" in login
        return rest

    pause = {"Action": "QueuePause", "Paused": "true", "Reason": "lunch"}
    assert told({"Action": "QueueAdd"}, pause) == [
        "Message: Added interface to queue",
        "Message: Interface paused successfully",
    ]
    assert "paused:lunch" in centre.asterisk("queue show sales")
    assert told({"Action": "QueueRemove"}) == ["Message: Removed interface from queue"]
    (refused,) = told({"Action": "Command", "Command": "core stop now"})
    assert refused == "Message: Permission denied"
    _, login = answers(centre.installed.sh, "127.0.0.1", "wrong", [])
    assert login == "Message: Authentication failed"
