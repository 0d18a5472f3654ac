"""Run read-only commands on a host: this machine, or another over one shared ssh connection."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.bounded import StoppedError, TooMuchError, run_bounded
from ucontact_appliance.facts.multiplexed import NoSessionError, SharedConnection, run_multiplexed
from ucontact_appliance.language.messages import _, concatenated, what_of
from ucontact_appliance.process_identity import CONNECTIONS, own_prefix
from ucontact_appliance.site.model import Host

_SSH_FAILED = 255  # ssh(1): exit status when the connection itself failed
_NOT_FOUND = 127  # the shell's exit status for a command that does not exist
_CONNECT_SECONDS = 8
_PERSIST_SECONDS = 300  # for an idle connection; its owner closes it earlier
_MOST_PAUSE_SECONDS = 15.0
_MOST_SHOWN = 400
# A hostile or broken host must not fill this machine's memory. The longest legitimate answer is the
# list of files under /etc/IntegraServer: the limit is enough for 300,000 of them.
ANSWER_BYTES = 32 << 20


@dataclass(frozen=True)
class Completed:
    """A finished command: its arguments, exit status, output and wall time in seconds."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def evidence(self) -> str:
        """The command and its output as a terminal would show them."""
        lines = [f"$ {shlex.join(self.argv)}", self.stdout.rstrip(), self.stderr.rstrip()]
        if self.status:
            lines.append(f"(exit status {self.status})")
        return "\n".join(line for line in lines if line)


@dataclass(frozen=True)
class SshSettings:
    """Settings of one run's ssh connections.

    Host keys are pinned in `known_hosts`. With `control_dir`, all users of a host share the one
    connection whose socket is there; without it, each runner opens its own. Connecting is retried
    for `retry_seconds` when a connection is refused or cut. Commands end when the descriptor `stop`
    becomes readable.
    """

    known_hosts: Path
    control_dir: Path | None = None
    retry_seconds: float = 0.0
    stop: int | None = None


class Runner(Protocol):
    """Runs commands on one host."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = ANSWER_BYTES,
    ) -> Completed:
        """Run the command on the host; its output may have `limit` bytes.

        Raises TimeoutError, or UnreachableError if the host is unreachable or the output is larger.
        """

    def command(self, argv: Sequence[str]) -> list[str]:
        """The local command line that runs it on the host, for streams."""

    def forward(self, port: int) -> AbstractContextManager[int]:
        """A local TCP port that forwards to 127.0.0.1:`port` on the host, while in the context."""


def _run(
    argv: Sequence[str],
    command: Sequence[str],
    timeout: float,
    stdin: str | None,
    limit: int = ANSWER_BYTES,
) -> Completed:
    data = (stdin or "").encode()
    try:
        with _errors_of(argv, limit):
            start = time.monotonic()
            done = run_bounded(command, stdin=data, timeout=timeout, limit=limit)
    except FileNotFoundError:
        return Completed(tuple(argv), _NOT_FOUND, "", f"{command[0]}: not found", 0.0)
    return Completed(tuple(argv), *done, time.monotonic() - start)


@contextmanager
def _errors_of(argv: Sequence[str], limit: int) -> Iterator[None]:
    """Name the command in errors."""
    try:
        yield
    except TimeoutError as error:
        raise TimeoutError(concatenated((shlex.join(argv), ": ", what_of(error)))) from error
    except StoppedError as error:
        raise UnreachableError(
            _("the command was interrupted"), evidence=f"$ {shlex.join(argv)}"[:_MOST_SHOWN]
        ) from error
    except TooMuchError as error:
        raise UnreachableError(
            _("the output of a command exceeds {limit} MiB", limit=limit >> 20),
            evidence=f"$ {shlex.join(argv)}"[:_MOST_SHOWN],
        ) from error


class LocalRunner:
    """Runs commands on this machine."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = ANSWER_BYTES,
    ) -> Completed:
        """Run the command on this machine."""
        return _run(argv, self.command(argv), timeout, stdin, limit)

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the arguments unchanged."""
        return list(argv)

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        """Yield the port itself: it is already local."""
        yield port


class SshRunner:
    """Runs commands on another machine, over one multiplexed ssh connection that `close` ends."""

    def __init__(
        self,
        host: Host,
        known_hosts: Path,
        control_dir: Path,
        retry_seconds: float = 0.0,
        stop: int | None = None,
    ) -> None:
        self.host = host
        self._control = control_path(host, control_dir)
        self._connection = SharedConnection(self._control, stop)
        self._options = ssh_options(host, known_hosts)
        self._retry_seconds = retry_seconds

    def _ssh(self, *words: str) -> list[str]:
        return [
            "ssh",
            *self._options,
            *("-o", "ControlMaster=auto", "-o", f"ControlPersist={_PERSIST_SECONDS}"),
            *("-o", f'ControlPath="{_ssh_path(self._control)}"'),
            *("-p", str(self.host.port)),
            *words,
        ]

    @property
    def _target(self) -> str:
        return f"{self.host.user}@{self.host.address}"

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = ANSWER_BYTES,
    ) -> Completed:
        """Run the command on the host; retry after a pause if the connection is refused or cut."""
        deadline = time.monotonic() + self._retry_seconds
        pause = 1.0
        while True:
            done = self._attempt(argv, timeout, stdin, limit)
            if done.status != _SSH_FAILED:
                return done
            if time.monotonic() + pause > deadline:
                raise UnreachableError(
                    _(
                        "host {name} ({address}) can't be reached over ssh",
                        name=self.host.name,
                        address=self.host.address,
                    ),
                    evidence=done.stderr.strip(),
                    helps=by_hand(self.host, "true"),
                )
            time.sleep(pause)
            pause = min(2 * pause, _MOST_PAUSE_SECONDS)

    def _attempt(
        self, argv: Sequence[str], timeout: float, stdin: str | None, limit: int
    ) -> Completed:
        """Run it over the shared connection, which ssh opens where there is none."""
        start, data = time.monotonic(), (stdin or "").encode()
        try:
            with _errors_of(argv, limit):
                done = run_multiplexed(
                    self._connection, self._line(argv), stdin=data, timeout=timeout, limit=limit
                )
        except NoSessionError:
            return _run(argv, self.command(argv), timeout, stdin, limit)
        return Completed(tuple(argv), *done, time.monotonic() - start)

    def _line(self, argv: Sequence[str]) -> str:
        """What the account's shell on the host runs."""
        return shlex.join([*self.host.as_root, *argv])

    def command(self, argv: Sequence[str]) -> list[str]:
        """The ssh command line over the shared connection."""
        return self._ssh(self._target, "--", self._line(argv))

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        """Forward the port through the shared connection."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            local = int(probe.getsockname()[1])
        spec = f"127.0.0.1:{local}:127.0.0.1:{port}"
        asked = self._ssh("-O", "forward", "-L", spec, self._target)
        opened = _run((), asked, 10, None)
        if opened.status:
            self.run(["true"])  # opens the connection if there is none
            opened = _run((), asked, 10, None)
        if opened.status:
            raise UnreachableError(
                _(
                    "the SSH tunnel to port {port} of {name} can't be opened",
                    port=port,
                    name=self.host.name,
                ),
                evidence=opened.stderr.strip(),
            )
        try:
            yield local
        finally:
            _run((), self._ssh("-O", "cancel", "-L", spec, self._target), 10, None)

    def close(self) -> None:
        """End the shared connection."""
        if self._control.exists():
            _run((), self._ssh("-O", "exit", self._target), 10, None)


def ssh_options(host: Host, known_hosts: Path) -> list[str]:
    """The ssh options for every connection to `host`: no prompts, keys pinned at first contact.

    Only options with the same meaning in ssh, sftp and scp: Ansible passes them to all three. `-p`
    (port) is not one of them: in sftp and scp it means "preserve", and ends their options.
    """
    key = ["-i", _ssh_path(host.key), "-o", "IdentitiesOnly=yes"] if host.key else []
    return [
        *key,
        *("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}"),
        *("-o", "StrictHostKeyChecking=accept-new"),
        *("-o", f'UserKnownHostsFile="{_ssh_path(known_hosts)}"'),
        *("-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=10"),
    ]


# A login shell of the account that runs the commands.
LOGIN = ("sh", "-c", 'exec "${SHELL:-/bin/sh}" -l')


def there(words: Sequence[str]) -> list[str]:
    """The command for `ucontact shell HOST -- WORDS`: a single word is a line of shell code."""
    return ["sh", "-c", words[0]] if len(words) == 1 else list(words)


def by_hand(host: Host, *command: str) -> str:
    """The command line with which a person runs that command on the host, as root."""
    if host.is_local:
        return shlex.join(command)
    return shlex.join(["ucontact", "shell", host.name, *(("--", *command) if command else ())])


def control_path(host: Host, folder: Path) -> Path:
    """The socket of the host's shared connection in that folder.

    A socket's path has at most 108 bytes (unix(7)), of which ssh adds 17 while creating it, so the
    file name is short, however long the host's name is.
    """
    return folder / hashlib.sha256(host.name.encode()).hexdigest()[:8]


def _ssh_path(path: Path) -> str:
    """Escape a path in an ssh option, where `%` is expanded (ssh_config(5), TOKENS)."""
    return str(path).replace("%", "%%")


@contextmanager
def runner_for(host: Host, ssh: SshSettings) -> Iterator[Runner]:
    """Yield a runner for the host; if it has its own connection, close that at the end."""
    if host.is_local:
        yield LocalRunner()
        return
    if ssh.control_dir is not None:
        yield SshRunner(host, ssh.known_hosts, ssh.control_dir, ssh.retry_seconds, ssh.stop)
        return
    with tempfile.TemporaryDirectory(prefix=own_prefix(CONNECTIONS)) as folder, _signals() as stop:
        runner = SshRunner(host, ssh.known_hosts, Path(folder), ssh.retry_seconds, stop)
        try:
            yield runner
        finally:
            runner.close()


@contextmanager
def _signals() -> Iterator[int | None]:
    """Yield a descriptor that can be read once a signal has come that this program handles.

    A signal interrupts the main thread only; commands of other threads end by this descriptor.
    Only the main thread can have one (signal(7), Python's signal.set_wakeup_fd).
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


@contextmanager
def shared_connections(known_hosts: Path, *, retry_seconds: float) -> Iterator[SshSettings]:
    """Settings with which all runners share one connection per host, closed at the end.

    Servers limit connections (MaxStartups), and OpenSSH 9.8 and later blocks addresses that open
    many without logging in (PerSourcePenalties): a run opens few, and logs in on each.
    """
    with tempfile.TemporaryDirectory(prefix=own_prefix(CONNECTIONS)) as folder, _signals() as stop:
        try:
            yield SshSettings(known_hosts, Path(folder), retry_seconds, stop)
        finally:
            for socket_path in Path(folder).iterdir():
                # The socket alone identifies the connection, but ssh requires a host name.
                words = ["ssh", "-o", f'ControlPath="{socket_path}"', "-O", "exit", "any"]
                _run((), words, 10, None)
