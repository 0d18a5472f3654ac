"""The role telephony on Asterisk 22 (sid) and 16 (bullseye), with real calls."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer, telephony_packages
from tests.e2e.phone import Phone, a_phone
from tests.e2e.strangers import by_datagram, guess, guesses_by_websocket
from tests.e2e.support import TELEPHONY_SECRETS, Applied, apply_role
from ucontact_appliance.checks import sip
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.recordings import judge_access
from ucontact_appliance.clients.audio import ToneHeard, find_tone
from ucontact_appliance.clients.calls import CallFailedError, CallRecord, CallRequest
from ucontact_appliance.clients.sip import SipAccount, SipLine, SipRefusedError, SipServer
from ucontact_appliance.clients.webrtc import place_call
from ucontact_appliance.facts.asterisk import endpoint_settings, parse_settings, snapshot
from ucontact_appliance.facts.recordings import lost_recordings, spool_access
from ucontact_appliance.facts.runner import SshRunner
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.facts.trunk_calls import trunk_call
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.site.model import Host, Site

pytestmark = pytest.mark.machine

FQDN = "demo.ucontact.test"
SUITES = ("sid", "bullseye")
# Both are installed, because a trunk has two ends; what one of them proves is proved on one.
SECOND = pytest.mark.exhaustive
SECRETS = {"6001": "one-secret-of-6001", "6002": "one;secret of 6002"}
# A prefix for each transport: all lead to the other machine.
PREFIXES = {"udp": "7", "tcp": "8", "tls": "9"}
# A provider that connects to the server over WebSockets.
WEBRTC = {"name": "by-wss", "transport": "wss", "username": "sbc.example", "prefix": "6"}
WEBRTC_SECRET = "one;secret of sbc"
# The options of a gateway (R13), on the trunk by TCP.
GATEWAY = {"dtmf_mode": "auto", "t38_udptl": True, "t38_udptl_ec": "redundancy"} | {
    "t38_udptl_maxdatagram": 400,
    "qualify_frequency": 20,
}
RECORDINGS = "/var/spool/asterisk/monitor"


@dataclass(frozen=True)
class Server:
    """A machine with the role on it, and what its first run did."""

    machine: Machine
    roots: Path
    parameters: dict[str, Any]
    first: Applied

    def sip_server(self) -> SipServer:
        return SipServer(FQDN, self.machine.address, 8089, "/ws", str(self.roots))

    def sh(self, script: str) -> str:
        done = self.machine.ssh(["sh", "-c", shlex.quote(script)])
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    def ask(self, command: str) -> str:
        return self.sh(f"asterisk -rx {shlex.quote(command)}")


def certify(machines: list[Machine], folder: Path) -> Path:
    """A throw-away certificate on each machine, all trusted by all; the roots' file here."""
    made = []
    for machine in machines:
        script = f"""
        set -e
        getent group ucontact-tls >/dev/null || groupadd -r ucontact-tls
        install -d -m 0750 -g ucontact-tls /etc/ssl/ucontact /etc/ssl/ucontact/private
        chmod 0755 /etc/ssl/ucontact
        cd /etc/ssl/ucontact
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
            -subj /CN={FQDN} -addext subjectAltName=DNS:{FQDN},IP:{machine.address} \
            -keyout private/portal.key -out portal.pem 2>/dev/null
        chgrp ucontact-tls private/portal.key && chmod 0640 private/portal.key
        cp portal.pem ca.pem
        cat portal.pem
        """
        done = machine.ssh(["sh", "-c", shlex.quote(script)])
        assert done.returncode == 0, done.stderr
        made.append(done.stdout)
    roots = folder / "roots.pem"
    roots.write_text("".join(made), encoding="utf-8")
    for machine in machines:
        done = subprocess.run(
            ["ssh", *_ssh(machine), "cat > /etc/ssl/ucontact/roots.pem"],
            input=roots.read_text(encoding="utf-8"),
            text=True,
            check=False,
        )
        assert done.returncode == 0
    return roots


def _ssh(machine: Machine) -> list[str]:
    return [
        *("-i", str(layout.ssh_key()), "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        f"root@{machine.address}",
    ]


@pytest.fixture(scope="module")
def servers(
    machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Server]:
    """One server a suite, each with three trunks to the other one."""
    folder = tmp_path_factory.mktemp("telephony")
    machines = {suite: machine_factory(suite, layers=packages_layer(suite)) for suite in SUITES}
    roots = certify(list(machines.values()), folder)
    made = {}
    for suite, machine in machines.items():
        other = next(m for name, m in machines.items() if name != suite)
        parameters = {
            "telephony_extensions": [{"number": n, "secret": s} for n, s in SECRETS.items()],
            **TELEPHONY_SECRETS,
            "telephony_trunk_roots": "/etc/ssl/ucontact/roots.pem",
            "telephony_trunks": [
                {"name": f"by-{by}", "host": other.address, "transport": by, "prefix": prefix}
                | {"codecs": ["alaw", "ulaw"]}
                | (GATEWAY if by == "tcp" else {})
                for by, prefix in PREFIXES.items()
            ]
            + [{**WEBRTC, "secret": WEBRTC_SECRET, "codecs": ["opus", "alaw"]}],
            "telephony_ring_seconds": 8,
        }
        apply_role(machine, "packages", telephony_packages(suite), folder)
        first = apply_role(machine, "telephony", parameters, folder)
        made[suite] = Server(machine, roots, parameters, first)
    # The first server asked the other one before that was there: not again until the next OPTIONS.
    for server in made.values():
        end = time.monotonic() + 60
        while (seen := server.ask("pjsip show contacts")).count(" Avail ") < len(PREFIXES):
            assert time.monotonic() < end, seen
            for by in PREFIXES:
                server.ask(f"pjsip qualify trunk-by-{by}")
            time.sleep(1)
    return made


@pytest.fixture(params=["sid", pytest.param("bullseye", marks=SECOND)])
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    return servers[request.param]


def phone_of(server: SipServer, number: str) -> AbstractAsyncContextManager[Phone]:
    return a_phone(server, number, SECRETS[number])


def a_request(server: Server, number: str, hertz: float = 440.0, secret: str = "") -> CallRequest:
    account = SipAccount(FQDN, "6001", secret or SECRETS["6001"])
    return CallRequest(server.sip_server(), account, number, hertz, 2.0, ("opus", "PCMU", "PCMA"))


async def talk(caller: Server, callee: Server, number: str) -> tuple[CallRecord, ToneHeard]:
    """6001 calls `number`, 6002 of `callee` takes it: what each of them heard."""
    async with phone_of(callee.sip_server(), "6002") as phone:
        taken = asyncio.create_task(phone.take_call(660.0))
        # 6001 sends 440 Hz and listens for it; the other's tone is looked for by hand.
        try:
            record = await place_call(a_request(caller, number))
        except CallFailedError as error:
            taken.cancel()
            look = "asterisk -rx 'pjsip show contacts'; tail -n 20 /var/log/asterisk/messages.log"
            raise AssertionError(f"{error}\n{caller.sh(look)}\n{callee.sh(look)}") from error
        ear = await taken
        return record, find_tone(ear.samples, ear.rate, 440.0)


def recordings(server: Server) -> set[str]:
    found = server.sh(f"find {RECORDINGS} -name '*.gsm' -size +1k -printf '%P\\n'")
    return set(found.split())


def test_the_second_run_changes_nothing(server: Server, tmp_path: Path) -> None:
    second = apply_role(server.machine, "telephony", server.parameters, tmp_path)
    assert server.first.changed > 0
    assert second.changed == 0, second.changed_names
    dry = apply_role(server.machine, "telephony", server.parameters, tmp_path, check=True)
    assert dry.changed == 0, dry.changed_names
    for secret in (*SECRETS.values(), *TELEPHONY_SECRETS.values()):
        assert secret not in server.first.output + second.output


def test_files_with_secrets_are_closed(server: Server) -> None:
    files = (
        "/etc/odbc.ini /etc/asterisk/pjsip_extensions.conf /etc/asterisk/pjsip_trunks.conf "
        "/etc/asterisk/manager.conf"
    )
    assert set(server.sh(f"stat -c '%a %U:%G' {files}").splitlines()) == {"640 root:asterisk"}


def assert_carried(record: CallRecord) -> None:
    """Media came back; a machine busy with other tests may be late for some packets."""
    assert record.media.received > 50
    assert record.media.lost < record.media.sent / 4


def test_the_echo_test_is_recorded_though_the_database_is_away(server: Server) -> None:
    before = recordings(server)
    record = asyncio.run(place_call(a_request(server, "*43")))
    assert_carried(record)
    assert record.dtls == "connected"
    assert record.answered[0] == "opus"
    assert record.heard.seconds > 1.5
    (new,) = recordings(server) - before
    assert "_6001_43_" in new
    end = time.monotonic() + 15
    while "*43" not in (rows := server.sh("cat /var/log/asterisk/cdr-csv/Master.csv || true")):
        assert time.monotonic() < end, "no call record in the local file"
        time.sleep(1)
    assert new in rows
    assert "Number of active connections: 0" in server.ask("odbc show")


def test_music_on_hold_is_in_the_codecs_in_use(server: Server) -> None:
    folder = "/var/lib/asterisk/ucontact-music"
    songs = server.sh("cd /usr/share/asterisk/moh && ls *.gsm").split()
    wanted = {f"{song[:-4]}.{codec}" for song in songs for codec in ("alaw", "gsm", "ulaw")}
    assert wanted
    end = time.monotonic() + 60
    while not wanted <= set(server.sh(f"ls {folder}").split()):
        assert time.monotonic() < end, server.sh("systemctl status ucontact-music.service")
        time.sleep(1)
    assert f"File: {folder}/{songs[0][:-4]}" in server.ask("moh show files")


def test_extensions_call_each_other(server: Server) -> None:
    before = recordings(server)
    record, heard = asyncio.run(talk(server, server, "6002"))
    assert heard.seconds > 1.0
    assert_carried(record)
    (new,) = recordings(server) - before
    assert "_6001_6002_" in new


@pytest.mark.parametrize(("number", "status"), [("6002", 480), ("1234", 404), ("*44", 404)])
def test_a_call_that_nobody_can_take(server: Server, number: str, status: int) -> None:
    with pytest.raises(CallFailedError, match=str(status)):
        asyncio.run(place_call(a_request(server, number)))


def test_a_busy_extension(server: Server) -> None:
    async def call_the_busy_one() -> None:
        async with phone_of(server.sip_server(), "6002") as phone:
            phone._reply = lambda request: SipLine._reply(phone, request)  # type: ignore[method-assign]
            await place_call(a_request(server, "6002"))

    with pytest.raises(CallFailedError, match="486"):
        asyncio.run(call_the_busy_one())


@pytest.mark.parametrize("by", PREFIXES)
@pytest.mark.parametrize(
    ("here", "there"), [("sid", "bullseye"), pytest.param("bullseye", "sid", marks=SECOND)]
)
def test_a_trunk_carries_a_call(servers: dict[str, Server], by: str, here: str, there: str) -> None:
    caller, callee = servers[here], servers[there]
    before = recordings(caller), recordings(callee)
    record, heard = asyncio.run(talk(caller, callee, f"{PREFIXES[by]}6002"))
    assert heard.seconds > 1.0
    assert_carried(record)
    (out,) = recordings(caller) - before[0]
    (into,) = recordings(callee) - before[1]
    assert "_6001_6002_" in out
    assert "_6002_" in into


def test_nobody_comes_in_without_an_account(server: Server) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.connect((server.machine.address, 5060))
        here = f"{sock.getsockname()[0]}:{sock.getsockname()[1]}"
        lines = (
            f"INVITE sip:*43@{server.machine.address} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bKstranger;rport",
            "Max-Forwards: 70",
            f"From: <sip:anonymous@{here}>;tag=1",
            f"To: <sip:*43@{server.machine.address}>",
            "Call-ID: stranger",
            "CSeq: 1 INVITE",
            f"Contact: <sip:anonymous@{here}>",
            "Content-Length: 0",
        )
        sock.send("\r\n".join([*lines, "", ""]).encode())
        assert sock.recv(4096).decode().startswith("SIP/2.0 401 ")


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_a_trunk_is_known_by_its_address_alone(server: Server, method: str) -> None:
    # Its name in a From header gives nobody away as the provider, and is no other than any name.
    address = server.machine.address
    answers = {
        sender: by_datagram(address, method, sender)
        for sender in ("trunk-by-udp", "trunk-by-nobody", "nobody", "6001")
    }
    assert answers["trunk-by-udp"][0].startswith("SIP/2.0 401 ")
    assert len({tuple(answer) for answer in answers.values()}) == 1, answers


# Lines as Asterisk writes them: what is the client's own stands there unescaped.
_BEGINNING = (
    '[{now}] SECURITY[12] res_security_log.c: SecurityEvent="ChallengeResponseFailed",'
    'EventTV="2026-11-28T22:32:05.249+0000",Severity="Error",Service="PJSIP",EventVersion="1",'
)
_END = 'LocalAddress="IPV4/{by}/192.0.2.1/5060",RemoteAddress="IPV4/{by}/198.51.100.7/40247"'
_DIGEST = ',Challenge="{challenge}",Response="0123",ExpectedResponse=""'
_FORGED = 'LocalAddress="IPV4/TLS/192.0.2.1/5061",RemoteAddress="IPV4/TLS/203.0.113.9/5"'
_HOSTILE = {
    "plain": ('AccountID="6001",SessionID="abc",', "WSS", "abc", True),
    "unknown account": ('AccountID="<unknown>",SessionID="abc",', "TLS", "abc", True),
    "datagram": ('AccountID="6001",SessionID="abc",', "UDP", "abc", False),
    "forged by Call-ID": (f'AccountID="6001",SessionID="x",{_FORGED}",', "TCP", "abc", True),
    "whole end by Call-ID": (
        f'AccountID="6001",SessionID="x",{_FORGED},Challenge="a",Response="b",ExpectedResponse="",',
        "TCP",
        "abc",
        True,
    ),
    "forged by Call-ID, backslash": (
        f'AccountID="6001",SessionID="x",{_FORGED},Challenge="\\",',
        "WS",
        "abc",
        True,
    ),
    "forged by challenge": (
        'AccountID="6001",SessionID="abc",',
        "TLS",
        'a\\",RemoteAddress=\\"IPV4/TLS/203.0.113.9/5',
        True,
    ),
    "forged by a datagram's Call-ID": (
        f'AccountID="6001",SessionID="x",{_FORGED},Challenge="a",Response="b",',
        "UDP",
        "abc",
        False,
    ),
}


@pytest.mark.parametrize(
    "filter_name", ["ucontact-asterisk", "ucontact-connection", "ucontact-datagram"]
)
def test_no_log_line_bans_anybody_else(server: Server, filter_name: str) -> None:
    lines, counted = [], 0
    for middle, by, challenge, counts in _HOSTILE.values():
        end = _END.format(by=by) + _DIGEST.format(challenge=challenge)
        lines.append(_BEGINNING + middle + end)
        counted += counts is (filter_name != "ucontact-datagram")
    # An account's name may hold a line feed, and 36 characters.
    other = _BEGINNING.replace("ChallengeResponseFailed", "InvalidAccountID")
    name = "x\n SECURITY[1] res_security_log.c: Secu"
    lines.append(f'{other}AccountID="{name}",SessionID="{_FORGED}",{_END.format(by="WSS")}')
    text = "\n".join(lines).replace("{now}", server.sh("date '+%F %T'").strip()) + "\n"
    server.sh(f"cat > /root/hostile.log <<'END'\n{text}END\n")
    told = server.sh(
        f"fail2ban-regex --out id /root/hostile.log /etc/fail2ban/filter.d/{filter_name}.conf"
        if filter_name == "ucontact-connection"
        else f"fail2ban-regex --out ip /root/hostile.log /etc/fail2ban/filter.d/{filter_name}.conf"
    ).split()
    assert len(told) == counted, told
    assert all("198.51.100.7" in one for one in told), told


def test_datagrams_ban_their_source_from_datagrams_alone(server: Server) -> None:
    address, here = server.machine.address, layout.GATEWAY.compressed

    def banned(name: str) -> bool:
        return here in server.sh(f"nft list set inet ucontact_sip {name}")

    try:
        for _ in range(10):
            by_datagram(address, "INVITE", "6001", guess("6001"))
        end = time.monotonic() + 20
        while not banned("datagrams-ip"):
            assert time.monotonic() < end
            time.sleep(0.5)
        with pytest.raises(TimeoutError):
            by_datagram(address, "OPTIONS", "6001")
        assert not banned("banned-ip")
        assert_carried(asyncio.run(place_call(a_request(server, "*43"))))
    finally:
        server.sh("fail2ban-client unban --all")
    assert by_datagram(address, "OPTIONS", "6001")


def test_wrong_passwords_cost_their_own_connection(server: Server) -> None:
    address = server.machine.address

    async def guess_beside_an_agent() -> None:
        async with phone_of(server.sip_server(), "6002"):
            server.sh("systemctl start ucontact-agents.service")
            for name in ("6001", "6%22001", "nobody"):
                answered, ended = await guesses_by_websocket(address, 8089, name, 400)
                assert ended, name
                assert answered < 150
            # The desk beside, behind the same address.
            async with phone_of(server.sip_server(), "6001"):
                pass

    asyncio.run(guess_beside_an_agent())
    banned = server.sh("nft list set inet ucontact_sip banned-ip")
    assert "elements" not in banned
    assert "elements" in server.sh("nft list set inet ucontact_sip refused-ip")


def test_an_address_without_an_agent_is_banned(server: Server) -> None:
    server.sh(
        "fail2ban-client unban --all; nft flush set inet ucontact_sip agents-ip; sleep 1; "
        # What was asked of the address a moment ago is remembered for a minute.
        "systemctl restart fail2ban; until fail2ban-client ping; do sleep 0.2; done"
    )
    try:
        asyncio.run(guesses_by_websocket(server.machine.address, 8089, "6001", 400))
        end = time.monotonic() + 20
        while layout.GATEWAY.compressed not in server.sh(
            "nft list set inet ucontact_sip banned-ip"
        ):
            assert time.monotonic() < end
            time.sleep(0.5)
    finally:
        server.sh("fail2ban-client unban --all")


def offers(address: str, port: int, *options: str) -> bool:
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{address}:{port}", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return "Cipher is" in done.stdout and "Cipher is (NONE)" not in done.stdout


@pytest.mark.parametrize("port", [8089, 5061])
def test_tls_has_forward_secrecy_only(server: Server, port: int) -> None:
    address = server.machine.address
    weak = ("-cipher", "ALL:@SECLEVEL=0")
    spoken = {
        version
        for version in ("tls1", "tls1_1", "tls1_2", "tls1_3")
        if offers(address, port, f"-{version}", *weak)
    }
    assert spoken == {"tls1_2", "tls1_3"}
    for ciphers in ("kRSA", "ECDHE+SHA1:ECDHE+SHA256:ECDHE+SHA384", "aNULL", "DHE"):
        assert not offers(address, port, "-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0"), ciphers


@contextlib.contextmanager
def a_reach(server: Server, folder: Path, mark: str = "") -> Iterator[ProbeContext]:
    site = Site.model_validate(
        {
            "site": "t",
            "fqdn": FQDN,
            "agents": 10,
            "hosts": [
                {"name": "t", "address": server.machine.address, "key": str(layout.ssh_key())}
            ],
        }
    )
    runner = SshRunner(Host.model_validate(site.hosts[0].model_dump()), folder / "k", folder)
    try:
        yield ProbeContext(site, site.hosts[0], runner, mark)
    finally:
        runner.close()


def test_doctor_sees_what_was_planned(server: Server, tmp_path: Path) -> None:
    with a_reach(server, tmp_path) as reach:
        found = snapshot(reach)
        assert {t.protocol for t in found.transports} == {"udp", "tcp", "tls", "wss"}
        trunks = (WEBRTC["username"], *(f"trunk-by-{by}" for by in sorted(PREFIXES)))
        assert found.endpoints == ("6001", "6002", *trunks)
        assert {c.status for c in found.contacts} == {"Avail"}
        assert (found.rtp, found.descriptors, found.session_limit) == ((10000, 10800), 8192, 100)
        marks = endpoint_settings(reach, ("6001", "trunk-by-tls"))
        gateway = endpoint_settings(reach, ("trunk-by-tcp",))["trunk-by-tcp"]
        shown = {"dtmf_mode": "auto", "t38_udptl": "true", "t38_udptl_ec": "redundancy"}
        assert shown.items() <= gateway.items()
        assert (gateway["t38_udptl_maxdatagram"], gateway["t38_udptl_nat"]) == ("400", "true")
        assert marks["trunk-by-tls"]["t38_udptl"] == "false"
        assert re.search(r"4000", server.ask("udptl show config"))
        for settings in marks.values():
            assert (settings["tos_audio"], settings["cos_audio"]) == ("184", "5")
            assert (settings["tos_video"], settings["cos_video"]) == ("136", "4")


@pytest.mark.parametrize(
    ("here", "there"), [("sid", "bullseye"), pytest.param("bullseye", "sid", marks=SECOND)]
)
def test_the_doctors_own_call_through_a_trunk_tells_what_came_of_it(
    servers: dict[str, Server], here: str, there: str, tmp_path: Path
) -> None:
    caller, callee = servers[here], servers[there]
    for step in ("5550100,1,Answer", "5550100,2,Echo"):
        callee.ask(f"dialplan add extension {step} into from-trunks")
    try:
        with a_reach(caller, tmp_path, "0123456789ab") as reach:
            answered = trunk_call(reach, "by-udp", "5550100")
            # Nobody is registered there: the provider's number does not answer.
            refused = trunk_call(reach, "by-tcp", "5550199")
    finally:
        callee.ask("dialplan remove extension 5550100@from-trunks")
        callee.ask("dialplan reload")
    assert (answered.outcome, answered.status) == ("ANSWER", 200), answered
    assert answered.answered_after is not None
    assert answered.answered_after < 5
    assert 2 <= answered.talked <= 5
    assert refused.outcome not in ("", "ANSWER"), refused
    assert refused.status >= 400
    assert "0123456789ab" not in caller.ask("core show channels concise")


@pytest.fixture
def unbanned(server: Server) -> Iterator[Server]:
    yield server
    # Guesses that it reads late would ban us again, in the middle of a later test.
    server.sh("fail2ban-client set ucontact-asterisk addignoreip ${SSH_CLIENT%% *}")
    server.sh("fail2ban-client unban --all")


def test_guessing_passwords_bans(unbanned: Server) -> None:
    server = unbanned
    end = time.monotonic() + 40
    with pytest.raises(CallFailedError) as last:  # noqa: PT012
        while time.monotonic() < end:
            try:
                asyncio.run(place_call(a_request(server, "*43", secret="guess")))
            except CallFailedError as error:
                if error.step != "registered":
                    raise
    assert last.value.step == "connected over TLS"
    assert "Currently banned:\t1" in server.sh("fail2ban-client status ucontact-asterisk")


def test_folders_that_root_took_are_given_back_and_the_next_call_is_recorded(
    server: Server, tmp_path: Path
) -> None:
    asyncio.run(place_call(a_request(server, "*43")))
    server.sh(f"chown -R root:root {RECORDINGS}/2*")
    before = recordings(server)
    asyncio.run(place_call(a_request(server, "*43")))
    assert recordings(server) == before
    with a_reach(server, tmp_path) as reach:
        taken, lost = spool_access(reach), lost_recordings(reach)
    assert judge_access(taken, lost).verdict is Verdict.FAIL
    assert lost.count >= 1
    again = apply_role(server.machine, "telephony", server.parameters, tmp_path)
    assert any("spool" in name for name in again.changed_names), again.changed_names
    asyncio.run(place_call(a_request(server, "*43")))
    (new,) = recordings(server) - before
    assert "_6001_43_" in new
    with a_reach(server, tmp_path) as reach:
        assert judge_access(spool_access(reach), lost).verdict is Verdict.PASS


def test_a_changed_extension_is_reloaded_not_restarted(server: Server, tmp_path: Path) -> None:
    started = server.sh("systemctl show asterisk -p ExecMainStartTimestampMonotonic")
    added = [
        {"number": "6003", "secret": "third"},
        {"number": "6004", "secret": "fourth", "phone": True},
    ]
    more = [*server.parameters["telephony_extensions"], *added]
    changed = {**server.parameters, "telephony_extensions": more}
    assert apply_role(server.machine, "telephony", changed, tmp_path).changed > 0
    assert "6003" in server.ask("pjsip show endpoints")
    assert "6003" in server.ask("dialplan show 6003@internal")
    hard = parse_settings(server.ask("pjsip show endpoint 6004"))
    soft = parse_settings(server.ask("pjsip show endpoint 6003"))
    assert sip.judge_media({"6003": soft, "6004": hard}, {"6004"}).verdict is Verdict.PASS
    assert server.sh("systemctl show asterisk -p ExecMainStartTimestampMonotonic") == started


def test_an_interrupted_run_is_made_good(server: Server, tmp_path: Path) -> None:
    server.sh(
        "sed -i 's/^minimum_expiration.*/minimum_expiration = 77/' "
        "/etc/asterisk/pjsip_extensions.conf && asterisk -rx 'module reload res_pjsip.so'"
    )
    assert ": 77" in server.ask("pjsip show aor 6001")
    # As after a run that was killed between writing the file and loading it.
    again = apply_role(server.machine, "telephony", server.parameters, tmp_path)
    assert again.changed > 0
    assert ": 60" in server.ask("pjsip show aor 6001")
    assert apply_role(server.machine, "telephony", server.parameters, tmp_path).changed == 0


def test_what_asterisk_would_misread_is_refused(server: Server, tmp_path: Path) -> None:
    wrong = {**server.parameters, "telephony_tos_audio": "ef\nnonsense"}
    failed = apply_role(server.machine, "telephony", wrong, tmp_path, expect_failure=True)
    assert failed.result.status != 0
    assert "nonsense" not in server.sh("cat /etc/asterisk/pjsip_extensions.conf")


def test_what_asterisk_skips_is_told(server: Server, tmp_path: Path) -> None:
    wrong = {**server.parameters, "telephony_tos_audio": "loud"}
    failed = apply_role(server.machine, "telephony", wrong, tmp_path, expect_failure=True)
    assert failed.result.status != 0
    assert "loud" in failed.output
    assert "6001" in server.ask("pjsip show endpoints")
    assert apply_role(server.machine, "telephony", server.parameters, tmp_path).changed > 0


def test_a_provider_connects_over_websockets(server: Server) -> None:
    async def talk_both_ways() -> list[ToneHeard]:
        provider = a_phone(server.sip_server(), WEBRTC["username"], WEBRTC_SECRET)
        async with provider as far, phone_of(server.sip_server(), "6001") as agent:
            heard = []
            calls = ((agent, far, "624005678"), (far, agent, "24001234"))
            for caller, callee, number in calls:
                taken = asyncio.create_task(callee.take_call(660.0, seconds=4.0))
                at_caller = await caller.dial(number, seconds=3.0)
                at_callee = await taken
                heard.append(find_tone(at_caller.samples, at_caller.rate, 660.0))
                heard.append(find_tone(at_callee.samples, at_callee.rate, 440.0))
                assert (caller.dtls, callee.dtls) == ("connected", "connected")
            with pytest.raises(SipRefusedError):
                await far.dial("*43", seconds=1.0)
            return heard

    assert min(tone.seconds for tone in asyncio.run(talk_both_ways())) > 1.0


def test_a_trunk_carries_an_encrypted_call(servers: dict[str, Server], tmp_path: Path) -> None:
    # One trunk to one address: Asterisk knows a caller by its address, so all of an address's
    # trunks have to agree on encryption.
    for server in servers.values():
        trunks = server.parameters["telephony_trunks"]
        secured = [{**trunk, "srtp": True} for trunk in trunks if trunk["transport"] == "tls"]
        apply_role(
            server.machine,
            "telephony",
            {**server.parameters, "telephony_trunks": secured},
            tmp_path,
        )
    caller, callee = servers["sid"], servers["bullseye"]
    record, heard = asyncio.run(talk(caller, callee, f"{PREFIXES['tls']}6002"))
    assert heard.seconds > 1.0
    assert_carried(record)
    assert "sdes" in caller.ask("pjsip show endpoint trunk-by-tls")
