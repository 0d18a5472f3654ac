"""A real call to the echo test, and what it left on the servers."""

from __future__ import annotations

import asyncio
import base64
import re
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ucontact_appliance.clients.audio import ToneHeard, decode_gsm, find_tone
from ucontact_appliance.clients.calls import CallFailedError, CallRecord, Request
from ucontact_appliance.clients.sip import Account, SipServer
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import Runner, SshSettings, runner_for
from ucontact_appliance.facts.source import Reach
from ucontact_appliance.language.messages import _

RECORDINGS = "/var/spool/asterisk/monitor"
ECHO = "*43"
HERTZ = 440.0
SECONDS = 3.0
SHORT_SECONDS = 1.5  # of the call that the nights and an unchanged installation end with
_WSS_PORT = 8089  # R02
_CODECS = ("opus", "PCMU", "PCMA")  # R06, the audio ones, as SDP names them
_ID = re.compile(r"[\w.-]+")
_NO_CLIENT = 42  # an exit status of our own
_SOCKET = "/run/mysqld/mysqld.sock"
_RECORDING_SECONDS = 5.0
_ROW_SECONDS = 6.0
_CHANNEL_SECONDS = SHORT_SECONDS


@dataclass(frozen=True)
class Attempt:
    """A call that was tried: its record, or the step it did not reach and why.

    `uniqueid` is Asterisk's name for it; empty when it was not seen. `contacts_before` and
    `contacts_after` are the extension's registrations around it. `seconds` is how long the tone
    was to be sent.
    """

    record: CallRecord | None
    missed: str
    why: str
    steps: tuple[tuple[str, float], ...]
    uniqueid: str
    contacts_before: tuple[str, ...] = ()
    contacts_after: tuple[str, ...] = ()
    seconds: float = SECONDS

    @property
    def evidence(self) -> str:
        """The call as lines of text."""
        if self.record is not None:
            return self.record.evidence
        lines = [f"{name}: {seconds * 1000:.0f} ms" for name, seconds in self.steps]
        return "\n".join([*lines, f"not {self.missed}: {self.why}"])


@dataclass(frozen=True)
class CallTraces:
    """What the call left: Asterisk's id of it, and its recording's path (empty: none)."""

    uniqueid: str
    recording: str


@dataclass(frozen=True)
class Recording:
    """The call's recording: its path, size in bytes and the tone in it, or why it is unreadable."""

    path: str
    size: int
    heard: ToneHeard | None
    problem: str


@dataclass(frozen=True)
class CallRow:
    """The call's row in ccdata.cdr by column; `missing`: there is no client to ask with."""

    columns: dict[str, str]
    evidence: str
    missing: bool = False


def echo_call(
    reach: Reach, number: str, secret: str, ca_file: str, seconds: float = SECONDS
) -> Attempt:
    """Call the echo test as that extension; never raises for a call that fails.

    A shorter call than the usual one does not wait for the far side's counters. Raises
    UnreachableError when this machine can place no call.
    """
    request = echo_request(reach, number, secret, ca_file)
    request = replace(request, seconds=seconds, reports=seconds >= SECONDS)
    before = contacts(reach, number)
    attempt = attempted(reach, request)
    return replace(
        attempt,
        contacts_before=before,
        contacts_after=contacts(reach, number),
        seconds=seconds,
    )


def echo_request(
    reach: Reach, number: str, secret: str, ca_file: str, name: str = "main"
) -> Request:
    """The call to the echo test; `name` (letters and digits, at most six) tells it from others."""
    return Request(
        door=door(reach, ca_file),
        account=Account(reach.site.fqdn, number, secret),
        number=ECHO,
        hertz=HERTZ,
        seconds=SECONDS,
        codecs=_CODECS,
        mark=f"{reach.mark}{name}" if reach.mark else "",
    )


def door(reach: Reach, ca_file: str) -> SipServer:
    """Where Asterisk takes calls by WebRTC; `ca_file` has the roots that may be trusted."""
    return SipServer(reach.site.fqdn, reach.address, _WSS_PORT, "/ws", ca_file)


def attempted(reach: Reach, request: Request) -> Attempt:
    """Place that call; never raises for a call that fails.

    Raises UnreachableError when this machine can place none.
    """
    # Only here: the media stack takes long to load, and most runs of the doctor place no call.
    try:
        from ucontact_appliance.clients.webrtc import call_now  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise UnreachableError(
            _("this machine can place no call: aiortc can't be loaded"),
            evidence=str(error),
            helps=f"{shlex.quote(sys.executable)} -m pip install --force-reinstall aiortc",
        ) from error

    async def during() -> str:
        return await asyncio.to_thread(_uniqueid, reach, request.account.number, request.mark)

    try:
        record = call_now(request, during)
    except CallFailedError as error:
        found: Any = error.during
        return Attempt(None, error.step, error.why, error.steps, found or "")
    return Attempt(record, "", "", record.steps, record.during or "")


def _uniqueid(reach: Reach, number: str, mark: str) -> str:
    end = time.monotonic() + _CHANNEL_SECONDS
    while True:
        done = reach.runner.run(["asterisk", "-rx", "core show channels concise"])
        found = parse_channel_id(done.stdout, number, mark)
        # A busy server lists a call some moments after it is up.
        if found or time.monotonic() > end:
            return found
        time.sleep(0.2)


def parse_channel_id(text: str, number: str, mark: str = "") -> str:
    """The unique id of the extension's channel in the echo test; empty when there is none.

    `core show channels concise`: fields parted by `!`, the first the channel's name, the third the
    extension, the sixth the application, the ninth the account code, the last the unique id. The
    channel with the mark is the one; where the installed dialplan marks none yet, any will do.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split("!")
        if len(fields) > 10 and fields[0].startswith(f"PJSIP/{number}-"):
            echo = fields[2] == ECHO or fields[5] == "Echo"
            if echo and _ID.fullmatch(fields[-1]):
                found.setdefault(fields[8], fields[-1])
    return found.get(mark) or found.get("", "")


def contacts(reach: Reach, number: str) -> tuple[str, ...]:
    """Where the extension is registered, as Asterisk lists it."""
    return parse_contacts(reach.runner.run(["asterisk", "-rx", f"pjsip show aor {number}"]).stdout)


def parse_contacts(text: str) -> tuple[str, ...]:
    """The addresses in the `Contact:` lines of `pjsip show aor`."""
    rows = (line.split() for line in text.splitlines() if line.strip().startswith("Contact:"))
    return tuple(row[1] for row in rows if len(row) > 1 and "<" not in row[1])


def recording(reach: Reach, uniqueid: str) -> Recording | None:
    """The recording of that call, waited for a little; None when there is none."""
    end = time.monotonic() + _RECORDING_SECONDS
    while True:
        path = recording_path(reach, uniqueid)
        data = _bytes_of(reach, path) if path else b""
        if data or time.monotonic() > end:
            return _judged(path, data) if path else None
        time.sleep(0.3)


def recording_path(reach: Reach, uniqueid: str) -> str:
    """Where that call's recording is now; empty when there is none."""
    if not _ID.fullmatch(uniqueid):
        return ""
    find = ["find", RECORDINGS, "-type", "f", "-name", f"*_{uniqueid}.*"]
    return next(iter(reach.runner.run(find).stdout.splitlines()), "")


def _bytes_of(reach: Reach, path: str) -> bytes:
    return base64.b64decode(reach.runner.run(["base64", path]).stdout)


def _judged(path: str, data: bytes) -> Recording:
    try:
        samples, rate = decode_gsm(data)
    except ValueError as error:
        return Recording(path, len(data), None, str(error))
    return Recording(path, len(data), find_tone(samples, rate, HERTZ), "")


@contextmanager
def runner_of(reach: Reach, name: str, known_hosts: str) -> Iterator[Runner]:
    """A way to the site's host of that name, which may be the one at hand."""
    if name == reach.host.name:
        yield reach.runner
        return
    host = next(host for host in reach.site.hosts if host.name == name)
    with runner_for(host, SshSettings(Path(known_hosts))) as runner:
        yield runner


def call_row(reach: Reach, name: str, known_hosts: str, uniqueid: str) -> CallRow:
    """The call's row on the database host `name`, waited for a little.

    Asterisk writes rows by the batch (cdr.conf): it is asked to write those that it has.
    """
    reach.runner.run(["asterisk", "-rx", "cdr submit"])
    end = time.monotonic() + _ROW_SECONDS
    with runner_of(reach, name, known_hosts) as runner:
        while True:
            found = call_row_now(runner, uniqueid)
            if found.columns or found.missing or time.monotonic() > end:
                return found
            time.sleep(0.3)


def call_row_now(runner: Runner, uniqueid: str) -> CallRow:
    """The call's row, asked for once over the database host's own socket."""
    if not _ID.fullmatch(uniqueid):
        return CallRow({}, f"no unique id of a call: {uniqueid!r}")
    query = f"select * from ccdata.cdr where uniqueid = '{uniqueid}'"
    ask = f"command -v mysql >/dev/null || exit {_NO_CLIENT}; {shlex.join(mysql_words(query))}"
    done = runner.run(["sh", "-c", ask])
    if done.status == _NO_CLIENT:
        return CallRow({}, "there is no mysql client on the database host", missing=True)
    return CallRow(parse_row(done.stdout), done.stdout.strip() or done.stderr.strip())


def mysql_words(query: str) -> list[str]:
    """The command that runs a query as the system's root, over the local socket."""
    return ["mysql", "--protocol=socket", f"--socket={_SOCKET}", "--batch", "-e", query]


def parse_row(text: str) -> dict[str, str]:
    """The first row of `mysql --batch`: a line of names, then lines of values, by tabs."""
    lines = text.splitlines()
    if len(lines) < 2:
        return {}
    return dict(zip(lines[0].split("\t"), lines[1].split("\t"), strict=False))
