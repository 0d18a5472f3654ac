"""The portal's REST logs agents in and out, and pauses them with a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.centre import Centre, a_centre, until
from tests.e2e.installed import Installed
from tests.e2e.portal import API, Portal
from tests.faults.snapshot import Snapshot
from ucontact_appliance.lab import layout

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

PROVIDER, FIRST, SECOND = str(layout.NETWORK[-7]), 5078, 5079
SALES = "+59824001234"


def telephony() -> dict[str, Any]:
    """The section of site.yml."""
    return {
        "country": "UY",
        "extensions": ["6001", "6002", "6099"],
        "trunks": [{"name": "first", "host": PROVIDER, "port": FIRST, "prefix": "7"}],
        "inbound": [{"number": SALES, "to": {"queue": "sales"}}],
        "queues": [
            {"name": "sales", "number": "800", "agents": ["6001", "6002"], "strategy": "linear"},
            {"name": "help", "number": "801", "agents": ["6002"]},
        ],
        "pause_reasons": [{"code": "1", "name": "lunch"}],
    }


@pytest.fixture(scope="module")
def centre(installed: Installed, small_site: Snapshot) -> Iterator[Centre]:
    with a_centre(installed, small_site, telephony(), PROVIDER, (FIRST, SECOND)) as made:
        yield made


@pytest.fixture(scope="module")
def portal(centre: Centre) -> Portal:
    return Portal(centre.installed, centre.server.ca_file, centre.server)


@pytest.fixture(scope="module")
def token(portal: Portal) -> str:
    return portal.login("supervisor", portal.installed.secret("backend.users.supervisor"))


def told(portal: Portal, token: str, words: str, form: str = "") -> tuple[int, dict[str, Any]]:
    """Status and document of a request about an agent."""
    method = "POST" if "/" in words else "GET"
    answer = portal.ask(f"{API}/agents/{words}", token, method, form or "-")
    return answer.status, json.loads(answer.body)


def test_an_agent_is_logged_in_paused_and_logged_out(
    centre: Centre, portal: Portal, token: str
) -> None:
    nothing = {"agent": "6002", "queues": [], "paused": False, "reason": ""}
    assert told(portal, token, "6002") == (200, nothing)
    for _ in range(2):
        status, found = told(portal, token, "6002/login")
        assert (status, found) == (200, nothing | {"queues": ["help", "sales"]})
    members = centre.asterisk("queue show sales")
    assert "Local/6002@agent/n" in members
    assert "with penalty 1" in members  # linear: the second one of the list
    status, found = told(portal, token, "6002/pause", "reason=lunch")
    assert (status, found["paused"], found["reason"]) == (200, True, "lunch")
    assert "paused:lunch" in centre.asterisk("queue show help")
    assert told(portal, token, "6002/unpause")[1]["paused"] is False
    assert told(portal, token, "6002/logout") == (200, nothing)
    assert "No Members" in centre.asterisk("queue show help")
    query = "select event from queue_log where agent='6002' order by time, id"
    wanted = {"ADDMEMBER", "PAUSE", "UNPAUSE", "REMOVEMEMBER"}
    until("the queue log is not in MySQL", lambda: wanted <= {row[0] for row in centre.rows(query)})
    assert ["lunch"] in centre.rows("select data1 from queue_log where event='PAUSE'")


def test_an_agent_who_was_logged_in_so_takes_a_call(
    centre: Centre, portal: Portal, token: str
) -> None:
    async def answered() -> float:
        async with centre.phone("6001") as agent:
            status, _ = await asyncio.to_thread(told, portal, token, "6001/login")
            assert status == 200
            taken = asyncio.create_task(agent.take_call(660.0, seconds=3.0))
            calling = centre.first.call(centre.server.address, SALES)
            leg = await asyncio.to_thread(calling.__enter__)
            assert leg.status == 200
            heard = await taken
            await asyncio.to_thread(calling.__exit__, None, None, None)
            await asyncio.sleep(1.0)  # the phone has heard of the call's end
            # By the telephone's own code, as REST and codes are the same logins.
            await agent.dial("*51")
            seconds: float = len(heard.samples) / heard.rate
            return seconds

    assert asyncio.run(answered()) > 1.0
    assert told(portal, token, "6001")[1]["queues"] == []


def test_what_is_refused(centre: Centre, portal: Portal, token: str) -> None:
    assert told(portal, token, "6099")[0] == 404  # an extension that is no agent
    assert told(portal, token, "6099/login")[0] == 404
    assert told(portal, token, "6001/dance")[0] == 404
    assert told(portal, token, "6001/pause", "reason=holidays")[0] == 400
    assert told(portal, token, "6001/pause", "reason=lunch") == (
        409,
        {"error": "the agent is logged in to no queue"},
    )
    assert portal.ask(f"{API}/agents/6001/login", token, "GET").status == 405
    assert portal.ask(f"{API}/agents/6001/login", method="POST", form="-").status == 401
    assert portal.ask("/_recordings/agent-login", token).status == 404
    assert "No Members" in centre.asterisk("queue show sales")


def test_the_doctor_is_content_and_a_second_installation_changes_nothing(centre: Centre) -> None:
    done = centre.installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
