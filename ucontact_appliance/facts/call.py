"""A real call to the echo test, and the traces it left on the servers."""

from __future__ import annotations

import asyncio
import base64
import re
import shlex
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

from ucontact_appliance.clients.audio import ToneHeard, decode_gsm, find_tone
from ucontact_appliance.clients.calls import CallFailedError, CallRecord, CallRequest
from ucontact_appliance.clients.sip import SipAccount, SipServer
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _

RECORDINGS = "/var/spool/asterisk/monitor"
ECHO = "*43"
HERTZ = 440.0
SECONDS = 3.0
SHORT_SECONDS = 1.5  # of the call that ends nightly runs and an unchanged installation
_WSS_PORT = 8089  # R02
_CODECS = ("opus", "PCMU", "PCMA")  # R06, the audio codecs, by their SDP names
_ID = re.compile(r"[\w.-]+")
_NO_CLIENT = 42  # our own exit status
_SOCKET = "/run/mysqld/mysqld.sock"
_RECORDING_SECONDS = 5.0
_ROW_SECONDS = 6.0
_CHANNEL_SECONDS = SHORT_SECONDS


@dataclass(frozen=True)
class Attempt:
    """An attempted call: its record, or the step that it did not reach and why.

    `uniqueid` is Asterisk's id of the call; empty when it was not seen. `contacts_before` and
    `contacts_after` are the extension's registrations before and after it. `seconds` is the
    planned duration of the tone.
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
    """The call's traces: its unique id in Asterisk, and its recording's path (empty: none)."""

    uniqueid: str
    recording: str


@dataclass(frozen=True)
class Recording:
    """The call's recording: path, size in bytes and the tone in it, or why it can't be decoded."""

    path: str
    size: int
    heard: ToneHeard | None
    problem: str


@dataclass(frozen=True)
class CallRow:
    """The call's row in ccdata.cdr by column; `missing`: the host has no mysql client."""

    columns: dict[str, str]
    evidence: str
    missing: bool = False


def echo_call(
    reach: ProbeContext, number: str, secret: str, ca_file: str, seconds: float = SECONDS
) -> Attempt:
    """Call the echo test as that extension; never raises for a call that fails.

    A call shorter than SECONDS does not wait for the far side's RTCP reports. Raises
    UnreachableError when this machine can't place calls.
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
    reach: ProbeContext, number: str, secret: str, ca_file: str, name: str = "main"
) -> CallRequest:
    """Build the call to the echo test; `name` (letters and digits, at most six) identifies it."""
    return CallRequest(
        server=sip_server(reach, ca_file),
        account=SipAccount(reach.site.fqdn, number, secret),
        number=ECHO,
        hertz=HERTZ,
        seconds=SECONDS,
        codecs=_CODECS,
        mark=f"{reach.mark}{name}" if reach.mark else "",
    )


def sip_server(reach: ProbeContext, ca_file: str) -> SipServer:
    """The server where Asterisk accepts WebRTC calls; `ca_file` has the trusted roots."""
    return SipServer(reach.site.fqdn, reach.address, _WSS_PORT, "/ws", ca_file)


def attempted(reach: ProbeContext, request: CallRequest) -> Attempt:
    """Place that call; never raises for a call that fails.

    Raises UnreachableError when this machine can't place calls.
    """
    # Imported here: the media stack loads slowly, and most runs of the doctor place no call.
    try:
        from ucontact_appliance.clients.webrtc import call_now  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise UnreachableError(
            _("this machine can't place calls: aiortc can't be loaded"),
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


def _uniqueid(reach: ProbeContext, number: str, mark: str) -> str:
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

    `core show channels concise`: fields separated by `!`; the first is the channel's name, the
    third the extension, the sixth the application, the ninth the account code, the last the unique
    id. The channel with the mark is chosen; if the installed dialplan sets no marks yet, any one.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split("!")
        if len(fields) > 10 and fields[0].startswith(f"PJSIP/{number}-"):
            echo = fields[2] == ECHO or fields[5] == "Echo"
            if echo and _ID.fullmatch(fields[-1]):
                found.setdefault(fields[8], fields[-1])
    return found.get(mark) or found.get("", "")


def contacts(reach: ProbeContext, number: str) -> tuple[str, ...]:
    """The extension's contacts, as Asterisk lists them."""
    return parse_contacts(reach.runner.run(["asterisk", "-rx", f"pjsip show aor {number}"]).stdout)


def parse_contacts(text: str) -> tuple[str, ...]:
    """Parse the addresses in the `Contact:` lines of `pjsip show aor`."""
    rows = (line.split() for line in text.splitlines() if line.strip().startswith("Contact:"))
    return tuple(row[1] for row in rows if len(row) > 1 and "<" not in row[1])


def recording(reach: ProbeContext, uniqueid: str) -> Recording | None:
    """The recording of that call; waits up to 5 s for it. None when there is none."""
    end = time.monotonic() + _RECORDING_SECONDS
    while True:
        path = recording_path(reach, uniqueid)
        data = _bytes_of(reach, path) if path else b""
        if data or time.monotonic() > end:
            return _judged(path, data) if path else None
        time.sleep(0.3)


def recording_path(reach: ProbeContext, uniqueid: str) -> str:
    """The current path of that call's recording; empty when there is none."""
    if not _ID.fullmatch(uniqueid):
        return ""
    find = ["find", RECORDINGS, "-type", "f", "-name", f"*_{uniqueid}.*"]
    return next(iter(reach.runner.run(find).stdout.splitlines()), "")


def _bytes_of(reach: ProbeContext, path: str) -> bytes:
    return base64.b64decode(reach.runner.run(["base64", path]).stdout)


def _judged(path: str, data: bytes) -> Recording:
    try:
        samples, rate = decode_gsm(data)
    except ValueError as error:
        return Recording(path, len(data), None, str(error))
    return Recording(path, len(data), find_tone(samples, rate, HERTZ), "")


def call_row(reach: ProbeContext, name: str, uniqueid: str) -> CallRow:
    """The call's row on the database host `name`; waits up to 6 s for it.

    Asterisk writes rows in batches (cdr.conf); `cdr submit` makes it write the pending ones.
    """
    reach.runner.run(["asterisk", "-rx", "cdr submit"])
    end = time.monotonic() + _ROW_SECONDS
    while True:
        found = call_row_now(reach.runner_on(name), uniqueid)
        if found.columns or found.missing or time.monotonic() > end:
            return found
        time.sleep(0.3)


def call_row_now(runner: Runner, uniqueid: str) -> CallRow:
    """Query the call's row once, over the database host's own socket."""
    if not _ID.fullmatch(uniqueid):
        return CallRow({}, f"no unique id of a call: {uniqueid!r}")
    query = f"select * from ccdata.cdr where uniqueid = '{uniqueid}'"
    ask = f"command -v mysql >/dev/null || exit {_NO_CLIENT}; {shlex.join(mysql_words(query))}"
    done = runner.run(["sh", "-c", ask])
    if done.status == _NO_CLIENT:
        return CallRow({}, "there is no mysql client on the database host", missing=True)
    return CallRow(parse_row(done.stdout), done.stdout.strip() or done.stderr.strip())


def mysql_words(query: str) -> list[str]:
    """The command that runs a query as the system's root over the local socket."""
    return ["mysql", "--protocol=socket", f"--socket={_SOCKET}", "--batch", "-e", query]


def parse_row(text: str) -> dict[str, str]:
    """The first row of `mysql --batch`: a line of names, then lines of values, tab-separated."""
    lines = text.splitlines()
    if len(lines) < 2:
        return {}
    return dict(zip(lines[0].split("\t"), lines[1].split("\t"), strict=False))
