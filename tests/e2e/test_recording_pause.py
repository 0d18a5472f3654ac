"""Agents pause the recording of a call: what is in the file, in the queue log and in the records.

The provider is this machine at an address of its own. It sends back what it hears, so that a
recording has the agent's tone from both sides.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from tests.e2e.installed import Installed
from tests.e2e.phone import Phone, a_phone
from tests.e2e.provider import Provider, provider
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.audio import decode_gsm, find_tone
from ucontact_appliance.clients.sip import Call, SipServer
from ucontact_appliance.clients.sip_message import SipMessage
from ucontact_appliance.lab import layout

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

_ROOT = "/var/spool/asterisk/monitor"
_PROVIDER, _PORT = str(layout.NETWORK[-6]), 5076
_NUMBER = "+59824001234"
_HERTZ = 440.0
_BLOCK = 800  # samples, 0.1 s


class Agent(Phone):
    """A phone that sends DTMF during its call, by INFO."""

    dialog: Call | None = None

    async def call(self, number: str, offer: str, seconds: float = 8.0) -> Call:
        """Call, and remember the dialog."""
        self.dialog = await super().call(number, offer, seconds)
        return self.dialog

    def _reply(self, request: SipMessage) -> SipMessage:
        reply = super()._reply(request)
        if request.method == "INVITE":
            self.dialog = Call(
                call_id=request.header("call-id"),
                local=reply.header("to"),
                remote=request.header("from"),
                target=request.header("contact").partition("<")[2].partition(">")[0],
                route=tuple(request.all("record-route")),
                sequence=int(request.header("cseq").split()[0]),
                answer="",
            )
        return reply

    async def press(self, keys: str) -> None:
        """Press these keys, one after the other."""
        assert self.dialog is not None
        for key in keys:
            self._sequence = max(self._sequence, self.dialog.sequence) + 1
            request = self._in_call("INFO", self.dialog, self._sequence)
            headers = (*request.headers, ("content-type", "application/dtmf-relay"))
            body = f"Signal={key}\r\nDuration=160\r\n"
            await self._send(replace(request, headers=headers, body=body))
            await self._final("INFO", self.dialog.call_id, self._sequence, 5.0)
            await asyncio.sleep(0.1)


@dataclass(frozen=True)
class Centre:
    """The site with its codes, and its provider."""

    installed: Installed
    server: SipServer
    provider: Provider

    @asynccontextmanager
    async def agent(self, number: str = "6001") -> AsyncIterator[Agent]:
        """An agent's phone that is registered inside the block."""
        secret = self.installed.secret(f"telephony.extensions.{number}")
        async with a_phone(self.server, number, secret, Agent) as phone:
            assert isinstance(phone, Agent)
            yield phone

    def rows(self, query: str) -> list[list[str]]:
        """Of ccdata, as the database's administrator."""
        printed = self.installed.sh(f'mysql --batch --skip-column-names ccdata -e "{query}"')
        return [line.split("\t") for line in printed.splitlines()]

    def recordings(self) -> set[str]:
        """The files of the spool."""
        return set(self.installed.sh(f"find {_ROOT} -type f -printf '%P\\n'").split())

    def loud(self, path: str) -> str:
        """The recording in tenths of a second: "#" for the tone, "." for silence."""
        data = base64.b64decode(self.installed.sh(f"base64 {_ROOT}/{path}"))
        samples, rate = decode_gsm(data)
        shown = ""
        for at in range(0, len(samples) - _BLOCK + 1, _BLOCK):
            block = samples[at : at + _BLOCK]
            heard = find_tone(block, rate, _HERTZ).seconds > 0
            quiet = max(map(abs, block)) < 100
            shown += "#" if heard else "." if quiet else "?"
        return shown

    def log(self, call: str) -> list[tuple[str, str, str, str]]:
        """(event, who, data1, data2) of a call's pauses."""
        query = (
            "select event, agent, data1, data2 from queue_log "
            f"where callid='{call}' and event like 'RECORD%' order by time, event"
        )
        return [(row[0], row[1], row[2], row[3]) for row in self.rows(query)]


def until(what: str, holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.5)


@pytest.fixture(scope="module")
def centre(installed: Installed, small_site: Snapshot) -> Iterator[Centre]:
    text = small_site.site_file.read_text(encoding="utf-8")
    telephony = {
        "country": "UY",
        "extensions": ["6001", "6002"],
        "trunks": [{"name": "carrier", "host": _PROVIDER, "port": _PORT, "prefix": "7"}],
        "inbound": [{"number": _NUMBER, "to": {"queue": "sales"}}],
        "queues": [{"name": "sales", "number": "800", "agents": ["6001"], "wrap_up_seconds": 0}],
    }
    recordings = {"pause_code": "*7", "resume_code": "*8"}
    small_site.site_file.write_text(
        f"{text}telephony: {json.dumps(telephony)}\nrecordings: {json.dumps(recordings)}\n"
    )
    subprocess.run(["ip", "address", "add", f"{_PROVIDER}/32", "dev", layout.BRIDGE], check=True)
    try:
        with provider(_PROVIDER, _PORT) as line:
            done = installed.ucontact("install", "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            roots = str(small_site.paths.pki / "portal-ca.pem")
            server = SipServer("demo.ucontact.test", small_site.machine.address, 8089, "/ws", roots)
            yield Centre(installed, server, line)
    finally:
        subprocess.run(
            ["ip", "address", "del", f"{_PROVIDER}/32", "dev", layout.BRIDGE], check=True
        )
        small_site.site_file.write_text(text)


def pieces(shown: str) -> list[tuple[str, float]]:
    """("#" or ".", seconds) one after the other; what lasts half a second or less is left out."""
    found: list[tuple[str, float]] = []
    for mark in shown:
        if found and found[-1][0] == mark:
            found[-1] = (mark, found[-1][1] + 0.1)
        else:
            found.append((mark, 0.1))
    merged: list[tuple[str, float]] = []
    for mark, seconds in found:
        if seconds <= 0.5 or mark == "?":
            continue
        if merged and merged[-1][0] == mark:
            merged[-1] = (mark, merged[-1][1] + seconds)
        else:
            merged.append((mark, seconds))
    return merged


def call_of(path: str) -> str:
    """The call's id in a recording's name."""
    return path.removesuffix(".gsm").rpartition("_")[2]


def test_a_paused_call_is_silent_in_the_recording_and_lasts_as_long(centre: Centre) -> None:
    before = centre.recordings()

    async def called() -> None:
        async with centre.agent() as phone:
            call = asyncio.create_task(phone.dial("724005678", seconds=12.0, hertz=_HERTZ))
            await asyncio.sleep(3.5)
            await phone.press("*7")
            await asyncio.sleep(4.0)
            await phone.press("*8")
            await call

    asyncio.run(called())
    (path,) = centre.recordings() - before
    shown = centre.loud(path)
    found = pieces(shown)
    assert [mark for mark, _ in found] == ["#", ".", "#"], shown
    assert found[1][1] == pytest.approx(4.2, abs=1.0), shown
    assert len(shown) / 10 == pytest.approx(12.0, abs=1.5)
    until("the pause is not logged", lambda: len(centre.log(call_of(path))) == 2)
    (pause, resume) = centre.log(call_of(path))
    assert pause[:2] == ("RECORDPAUSE", "6001")
    assert (resume[0], resume[1], resume[3]) == ("RECORDRESUME", "6001", "code")
    assert int(resume[2]) == pytest.approx(4, abs=1.5)


def test_a_pause_ends_with_its_call_and_a_caller_can_not_pause(centre: Centre) -> None:
    before = centre.recordings()

    async def called() -> None:
        async with centre.agent() as phone:
            await phone.dial("*50")
            taken = asyncio.create_task(phone.take_call(_HERTZ, seconds=11.0))
            held = asyncio.create_task(asyncio.to_thread(_by_provider, centre, 10.0))
            await asyncio.sleep(7.0)  # the caller pressed the code after 4 s
            await phone.press("*7")
            await held
            await taken
            await phone.dial("*51")

    asyncio.run(called())
    new = {one for one in centre.recordings() - before if "_sales_" in one}
    (path,) = new
    shown = centre.loud(path)
    marks = [mark for mark, _ in pieces(shown)]
    assert marks == ["#", "."], shown
    until("the end is not logged", lambda: len(centre.log(call_of(path))) == 2)
    (pause, resume) = centre.log(call_of(path))
    assert pause[:2] == ("RECORDPAUSE", "6001")
    assert (resume[0], resume[1], resume[3]) == ("RECORDRESUME", "6001", "hangup")
    assert int(resume[2]) == pytest.approx(3, abs=2)
    records = f"select disposition from cdr where userfield='{path}'"
    until("the call has no record", lambda: centre.rows(records) != [])
    assert centre.rows(records) == [["ANSWERED"]]


def _by_provider(centre: Centre, seconds: float) -> None:
    with centre.provider.call(centre.server.address, _NUMBER) as leg:
        assert leg.status == 200
        time.sleep(4.0)
        centre.provider.press("*7")
        time.sleep(seconds - 4.0)


def test_the_next_call_is_recorded_again(centre: Centre) -> None:
    before = centre.recordings()

    async def called() -> None:
        async with centre.agent() as phone:
            await phone.dial("724005678", seconds=3.0, hertz=_HERTZ)

    asyncio.run(called())
    (path,) = centre.recordings() - before
    assert [mark for mark, _ in pieces(centre.loud(path))] == ["#"]


def test_a_program_on_the_server_can_pause_and_is_told_when_it_could_not(centre: Centre) -> None:
    before = centre.recordings()
    program = "/usr/local/lib/ucontact/recording-pause.py"

    async def called() -> None:
        async with centre.agent() as phone:
            call = asyncio.create_task(phone.dial("*43", seconds=9.0, hertz=_HERTZ))
            await asyncio.sleep(3.0)
            (path,) = centre.recordings() - before
            shown = await asyncio.to_thread(
                centre.installed.sh,
                f"runuser -u asterisk -- {program} pause {call_of(path)} crm.example",
            )
            assert shown == "paused\n"
            await asyncio.sleep(2.0)
            await asyncio.to_thread(
                centre.installed.sh, f"{program} resume {call_of(path)} crm.example"
            )
            await call

    asyncio.run(called())
    (path,) = centre.recordings() - before
    assert [mark for mark, _ in pieces(centre.loud(path))] == ["#", ".", "#"]
    until("the pause is not logged", lambda: len(centre.log(call_of(path))) == 2)
    assert {row[1] for row in centre.log(call_of(path))} == {"crm.example"}
    done = centre.installed.machine.ssh([f"{program} pause {call_of(path)} crm.example"])
    assert done.returncode == 1
    assert "has no recording" in done.stderr


def test_a_second_installation_changes_nothing(centre: Centre) -> None:
    done = centre.installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
