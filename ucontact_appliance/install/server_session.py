"""One server's lock: the session that holds it, and its re-acquisition after a disconnect."""

from __future__ import annotations

import base64
import contextlib
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.install.server_record import (
    RECORD,
    RECORD_BYTES,
    ServerRecord,
    parse_record,
)
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.model import Host

_SCRIPT = INSTALLER / "probes" / "hold.sh"
_LEASE_SECONDS = 60
_REGAIN_SECONDS = 90.0  # more than a lease: our own old session's lease may have to expire first
_PAUSE_SECONDS = 2.0
_ANSWER_SECONDS = 30.0
LINE_BYTES = 2 * RECORD_BYTES
_CHUNK = 1 << 16
_MOST_SHOWN = 200
# Ansible's temporary folder on a server (installer/ansible.cfg, remote_tmp).
_TEMPORARY = ".ansible/ucontact"

Tell = Callable[[str], None]


class LockOwner(BaseModel):
    """The holder of a server's lock, as it identified itself to the server."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    controller: str = Field(max_length=255)
    site: str = Field(max_length=63)
    pid: int
    since: str = Field(max_length=40)
    run: str = Field(max_length=32)

    def encoded(self) -> str:
        """Return it as one argument of a command: JSON in base64."""
        return base64.b64encode(self.model_dump_json().encode()).decode()


class _Session:
    """The process on the server, which holds the lock while this session's process runs."""

    def __init__(self, host: Host, runner: Runner, who: LockOwner, how: str) -> None:
        self._host = host
        # Ansible's folder is in the login account's home, and sudo changes $HOME.
        home = "~" if host.user == "root" else f"~{host.user}"
        lines = _SCRIPT.read_text(encoding="utf-8")
        script = f'set -- "$@" {home}/{_TEMPORARY}\n{lines}'
        words = (who.encoded(), str(_LEASE_SECONDS), "local" if host.is_local else how)
        self._process = subprocess.Popen(
            runner.command(["bash", "-c", script, "hold", *words]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # Ctrl-C must reach only the installer, which releases the lock last.
            start_new_session=True,
        )
        self._unread = bytearray()

    def line(self, seconds: float = _ANSWER_SECONDS) -> str:
        """Return the next line. Raises UnreachableError after a time-out or for too long a line."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise self._failure(_("no answer within {timeout:g} s", timeout=seconds))
                chunk = os.read(self._process.stdout.fileno(), _CHUNK)
                if not chunk or len(self._unread) > LINE_BYTES:
                    raise self._failure(self._last_words())
                self._unread += chunk
        told, __, rest = bytes(self._unread).partition(b"\n")
        self._unread = bytearray(rest)
        return told.decode("utf-8", "replace")

    def send(self, line: str) -> None:
        """Send a line. Raises UnreachableError when the session has ended."""
        assert self._process.stdin is not None
        data = memoryview(f"{line}\n".encode())
        try:
            while data:
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except (OSError, ValueError) as error:  # ValueError: the session was closed already
            raise self._failure(str(error)) from error

    @property
    def lives(self) -> bool:
        """Whether the local process of the session is running."""
        return self._process.poll() is None

    def close(self) -> None:
        """Release the lock and end the session."""
        with contextlib.suppress(UnreachableError):
            self.send("end")
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        with contextlib.suppress(OSError):
            said = os.read(self._process.stderr.fileno(), _CHUNK).decode("utf-8", "replace")
            return said.strip()[-_MOST_SHOWN:]
        return _("the session ended")

    def _failure(self, evidence: str) -> UnreachableError:
        return UnreachableError(
            _("host {name}: the lock of its installation can't be held", name=self._host.name),
            evidence=evidence,
        )


class ServerLock:
    """One server's lock, held during the run and acquired again after a cut connection."""

    def __init__(self, host: Host, runner: Runner, who: LockOwner, tell: Tell) -> None:
        self.host = host
        self._runner, self._who = runner, who
        self._mutex = threading.Lock()
        self._closing = threading.Event()
        self._session, self.record = _taken(host, runner, who, tell, "first")

    def write(self, record: ServerRecord) -> None:
        """Write the run's record on the server atomically. Raises UnreachableError."""
        with self._mutex:
            try:
                self._say(f"write {record.encoded()}")
                said = self._session.line()
            except UnreachableError:
                self._regain()
                self._say(f"write {record.encoded()}")
                said = self._session.line()
            if said != "written":
                raise UnreachableError(
                    _(
                        "host {name}: the record of this installation can't be written",
                        name=self.host.name,
                    ),
                    evidence=f"{RECORD}: {said.removeprefix('failed ')[:_MOST_SHOWN]}",
                    helps=_(
                        "on {name}: df -h /var/lib; ls -ld {parent}",
                        name=self.host.name,
                        parent=Path(RECORD).parent,
                    ),
                )
            self.record = record

    def keep(self) -> None:
        """Renew the lease. Raises UsageError or UnreachableError when the lock is lost for good."""
        with self._mutex:
            try:
                self._say("keep")
            except UnreachableError:
                self._regain()

    def close(self) -> None:
        """Release the lock."""
        self._closing.set()  # so that a lock to be released is not acquired again
        with self._mutex:
            self._session.close()

    def _say(self, line: str) -> None:
        if not self._session.lives:
            raise UnreachableError(_("host {name}: the connection was cut", name=self.host.name))
        self._session.send(line)

    def _regain(self) -> None:
        """Acquire the lock again; raise UsageError if another installer held it in the meantime."""
        self._session.close()
        deadline = time.monotonic() + _REGAIN_SECONDS
        while True:
            try:
                self._session, found = _taken(
                    self.host, self._runner, self._who, lambda text: None, "again"
                )
            except (UsageError, UnreachableError, TimeoutError):
                if time.monotonic() > deadline or self._closing.wait(_PAUSE_SECONDS):
                    raise
            else:
                break
        ours = found is not None and found.run == self._who.run
        if found != self.record and not ours:
            raise UsageError(
                _(
                    "another installation ran on {name} while the connection to it was cut",
                    name=self.host.name,
                ),
                evidence=_("from {controller}", controller=found.controller)
                if found is not None
                else "",
                helps=_("find out who installs there, then run the same command again"),
            )


def connect(runner: Runner) -> None:
    """Open the shared connection if there is none; the runner retries it."""
    runner.run(["true"], timeout=30)


def _taken(
    host: Host, runner: Runner, who: LockOwner, tell: Tell, how: str
) -> tuple[_Session, ServerRecord | None]:
    """Acquire the lock; return session and record. Raises UsageError with the current holder."""
    connect(runner)
    session = _Session(host, runner, who, how)
    waited_for = ""
    try:
        while True:
            word, __, rest = session.line().partition(" ")
            match word:
                case "held":
                    return session, parse_record(rest, host)
                case "waiting":
                    pid, __, name = rest.partition(" ")
                    if pid != waited_for:  # the server repeats it every second
                        tell(
                            _(
                                "{host}: wait for process {process}, which an earlier "
                                "installation left running: {name}",
                                host=host.name,
                                process=pid[:10],
                                name=name[:_MOST_SHOWN],
                            )
                        )
                    waited_for = pid
                case "stuck":
                    pid, __, name = rest.partition(" ")
                    raise UsageError(
                        _(
                            "host {name}: a process of an earlier installation is still running",
                            name=host.name,
                        ),
                        evidence=_("process {pid}: {name}", pid=pid[:10], name=name[:_MOST_SHOWN]),
                        helps=with_note(
                            _("on {name}: ps -fp {pid}", name=host.name, pid=int(pid)),
                            _("wait until it ends, or kill it"),
                        ),
                    )
                case "busy":
                    raise _busy(host, rest)
                case _:
                    raise UnreachableError(
                        _(
                            "host {name}: the lock of its installation can't be taken",
                            name=host.name,
                        ),
                        evidence=f"{word} {rest}"[:_MOST_SHOWN],
                    )
    except ValueError as error:  # not a number: the server is untrusted
        session.close()
        raise UnreachableError(
            _("host {name}: the lock of its installation can't be taken", name=host.name),
            evidence=str(error),
        ) from error
    except BaseException:
        session.close()
        raise


def _busy(host: Host, text: str) -> UsageError:
    try:
        who = LockOwner.model_validate_json(base64.b64decode(text, validate=True))
        told = _(
            "{controller}, process {pid}, since {since}, for the site {site}",
            controller=who.controller,
            pid=who.pid,
            since=who.since,
            site=who.site,
        )
    except (ValueError, ValidationError):
        told = _("the server does not report who started it")
    return UsageError(
        _(
            "another ucontact install is running on the server {name} ({address})",
            name=host.name,
            address=host.address,
        ),
        evidence=told,
        helps=_("wait until it ends; that releases the lock"),
    )
