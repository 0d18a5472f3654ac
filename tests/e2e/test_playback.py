"""The portal's REST plays recordings and pauses them: who may, and what is written down."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import socket
import wave
from array import array
from collections.abc import Iterator

import pytest

from tests.e2e.installed import Installed
from tests.e2e.portal import API, FQDN, ROOT, Portal, until
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.audio import decode_gsm
from ucontact_appliance.clients.sip import SipServer

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

_PROPERTIES = "/etc/IntegraServer/integraserver.properties"
_AGENT_PASSWORD = "of an agent who may not listen"


@pytest.fixture(scope="module")
def portal(installed: Installed, small_site: Snapshot) -> Iterator[Portal]:
    done = installed.ucontact("install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    hashed = hashlib.sha256(f"salt{_AGENT_PASSWORD}".encode()).hexdigest()
    installed.sh(
        f"cp -p {_PROPERTIES} /root/properties && "
        f"echo 'user.agent=sha256$salt${hashed}' >> {_PROPERTIES} && "
        "systemctl restart integraserver && sleep 4"
    )
    roots = str(small_site.paths.pki / "portal-ca.pem")
    server = SipServer(FQDN, small_site.machine.address, 8089, "/ws", roots)
    yield Portal(installed, roots, server)
    installed.sh(f"cp -p /root/properties {_PROPERTIES} && systemctl restart integraserver")


@pytest.fixture(scope="module")
def token(portal: Portal) -> str:
    return portal.login("supervisor", portal.installed.secret("backend.users.supervisor"))


@pytest.fixture(scope="module")
def recording(portal: Portal) -> tuple[str, str]:
    """(id, path) of an indexed recording."""
    before = portal.files()
    asyncio.run(portal.echo(3.0))
    (path,) = portal.files() - before
    query = f"select id from recordings where path='{path}'"
    until("the call is not in the index", lambda: portal.rows(query) != [])
    return portal.rows(query)[0][0], path


def test_a_supervisor_finds_and_plays_a_recording(
    portal: Portal, token: str, recording: tuple[str, str]
) -> None:
    number, path = recording
    call = path.removesuffix(".gsm").rpartition("_")[2]
    listed = portal.ask(f"{API}/recordings?call={call}", token)
    (row,) = json.loads(listed.body)["recordings"]
    assert (str(row["id"]), row["from"], row["to"]) == (number, "6001", "*43")
    answer = portal.ask(f"{API}/recordings/{number}", token)
    assert answer.status == 200
    digest = portal.installed.sh(f"sha256sum '{ROOT}/{path}'").split()[0]
    assert hashlib.sha256(answer.body).hexdigest() == digest
    assert answer.headers["Content-Type"] == "audio/gsm"
    assert answer.headers["ETag"] == f'"{digest}"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" in answer.headers
    assert "X-Recording-Ticket" not in answer.headers
    part = portal.ask(f"{API}/recordings/{number}", token, Range="bytes=33-98")
    assert (part.status, part.body) == (206, answer.body[33:99])
    assert part.headers["Content-Range"] == f"bytes 33-98/{len(answer.body)}"
    head = portal.ask(f"{API}/recordings/{number}", token, "HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(answer.body)))
    behind = portal.ask(f"{API}/recordings/{number}", token, Range="bytes=9999999-")
    assert behind.status == 416


def test_a_browser_gets_wav(portal: Portal, token: str, recording: tuple[str, str]) -> None:
    number, path = recording
    gsm = portal.ask(f"{API}/recordings/{number}", token)
    answer = portal.ask(f"{API}/recordings/{number}?format=wav", token)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/wav")
    with wave.open(io.BytesIO(answer.body)) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (8000, len(gsm.body) // 33 * 160)
        samples = array("h", sound.readframes(sound.getnframes()))
    decoded, _ = decode_gsm(gsm.body)
    apart = [abs(one - other) for one, other in zip(samples, decoded, strict=False)]
    assert len(apart) > 8000
    assert sum(apart) / len(apart) < 50  # another decoder, of the same sound
    part = portal.ask(f"{API}/recordings/{number}?format=wav", token, Range="bytes=30-5000")
    assert (part.status, part.body) == (206, answer.body[30:5001])
    assert portal.ask(f"{API}/recordings/{number}?format=mp3", token).status == 400
    row = "select outcome, request from recording_access where path='{}' order by id desc limit 1"
    assert portal.rows(row.format(path)) == [["granted", "GET bytes=30-5000"]]


def test_missing_and_forbidden_look_the_same_and_both_are_written_down(
    portal: Portal, token: str, recording: tuple[str, str]
) -> None:
    number, path = recording
    agent = portal.login("agent", _AGENT_PASSWORD)
    last = portal.rows("select coalesce(max(id), 0) from recording_access")[0][0]
    answers = [
        portal.ask(f"{API}/recordings/{number}", agent),
        portal.ask(f"{API}/recordings/999999", agent),
        portal.ask(f"{API}/recordings/999999", token),
        portal.ask(f"{API}/recordings/..%2f..%2fetc%2fpasswd", token),
    ]
    shown = {
        (one.status, one.body, tuple(sorted((n, v) for n, v in one.headers.items() if n != "Date")))
        for one in answers
    }
    assert len(shown) == 1
    assert answers[0].status == 404
    assert portal.ask(f"{API}/recordings/{number}", token, Range="bytes=0-9").status == 206
    source = portal.installed.machine.address.rpartition(".")[0]
    query = (
        "select user, recording, path, outcome, request, source like '%s.%%',"
        " abs(timestampdiff(second, time, utc_timestamp())) < 60"
        " from recording_access where id > %s order by id"
    )
    assert portal.rows(query % (source, last)) == [
        ["agent", number, path, "refused", "GET", "1", "1"],
        ["agent", "999999", "", "missing", "GET", "1", "1"],
        ["supervisor", "999999", "", "missing", "GET", "1", "1"],
        ["supervisor", number, path, "granted", "GET bytes=0-9", "1", "1"],
    ]
    call = path.removesuffix(".gsm").rpartition("_")[2]
    done = portal.installed.ucontact("recordings", "accesses", call, "--limit", "2", "--json")
    shown_rows = [(row["user"], row["outcome"], row["path"]) for row in json.loads(done.stdout)]
    assert shown_rows == [("supervisor", "granted", path), ("agent", "refused", path)]
    listed = portal.ask(f"{API}/recordings?call=1.1", agent)
    assert json.loads(listed.body)["recordings"] == []


def test_without_a_login_there_is_nothing(
    portal: Portal, token: str, recording: tuple[str, str]
) -> None:
    number, _ = recording
    assert portal.ask(f"{API}/recordings/{number}").status == 401
    assert portal.ask(f"{API}/recordings/{number}", "0" * 64).status == 401
    assert portal.ask(f"{API}/recordings?call=1.1").status == 401
    assert portal.ask(f"{API}/recordings/pause", method="POST", form="call=1.1").status == 401
    for path in ("/_recordings/recording", "/_recordings/pause"):
        assert portal.ask(path, token, X_Recording_Ticket="x").status == 404
    with pytest.raises(TimeoutError):  # the firewall drops what nobody may ask
        socket.create_connection((portal.installed.machine.address, 8090), 5)


def test_a_file_that_was_changed_or_is_a_link_is_not_served(
    portal: Portal, token: str, recording: tuple[str, str]
) -> None:
    number, path = recording
    file = f"'{ROOT}/{path}'"
    for change in (f"printf x >> {file}", f"ln -s /root/kept.gsm {file}", "true"):
        portal.installed.sh(f"cp -p {file} /root/kept.gsm && chmod 644 /root/kept.gsm")
        if change != f"printf x >> {file}":
            portal.installed.sh(f"rm {file}")
        portal.installed.sh(change)
        assert portal.ask(f"{API}/recordings/{number}", token).status == 404, change
        portal.installed.sh(f"rm -f {file} && cp -p /root/kept.gsm {file} && chmod 640 {file}")
    assert portal.ask(f"{API}/recordings/{number}", token).status == 200


def test_what_can_not_be_written_down_is_not_served(
    portal: Portal, token: str, recording: tuple[str, str]
) -> None:
    number, _ = recording
    portal.installed.sh("systemctl stop mysql")
    try:
        answer = portal.ask(f"{API}/recordings/{number}", token)
        assert (answer.status, answer.headers["Content-Type"]) == (503, "application/json")
    finally:
        portal.installed.sh("systemctl start mysql")
    until(
        "the database is not back",
        lambda: portal.ask(f"{API}/recordings/{number}", token).status == 200,
    )


def test_the_portal_pauses_a_call(portal: Portal, token: str) -> None:
    before = portal.files()
    seen: list[tuple[int, bytes]] = []

    async def called() -> None:
        call = asyncio.create_task(portal.echo(9.0))
        await asyncio.sleep(4.0)
        (path,) = portal.files() - before
        form = f"call={path.removesuffix('.gsm').rpartition('_')[2]}"
        for work in ("pause", "resume"):
            answer = await asyncio.to_thread(
                portal.ask, f"{API}/recordings/{work}", token, "POST", form
            )
            seen.append((answer.status, answer.body))
            await asyncio.sleep(2.0)
        await call

    asyncio.run(called())
    (path,) = portal.files() - before
    id_ = path.removesuffix(".gsm").rpartition("_")[2]
    assert [status for status, _ in seen] == [200, 200], seen
    assert [json.loads(body)["recording"] for _, body in seen] == [False, True]
    query = f"select event, agent from queue_log where callid='{id_}' order by time, event"
    until("the pause is not logged", lambda: len(portal.rows(query)) == 2)
    assert portal.rows(query) == [["RECORDPAUSE", "supervisor"], ["RECORDRESUME", "supervisor"]]
    ended = portal.ask(f"{API}/recordings/pause", token, "POST", f"call={id_}")
    assert ended.status == 409


def test_the_doctor_is_content_and_a_second_installation_changes_nothing(portal: Portal) -> None:
    portal.installed.sh(
        f"cp -p /root/properties {_PROPERTIES} && systemctl restart integraserver && sleep 4"
    )
    _, found = portal.installed.doctor()
    for check in ("recordings.playback", "ports.playback", "ports.private", "web.headers"):
        assert found.get(check, {"verdict": "pass"})["verdict"] == "pass", found[check]
    done = portal.installed.ucontact("install", "--yes", "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
