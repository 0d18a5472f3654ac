"""Running read-only commands on a host: this machine, or another over one shared ssh connection."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.site.model import Host

_SSH_FAILED = 255  # ssh(1): exit status when the connection itself failed
_NOT_FOUND = 127  # the shell's exit status for a command that does not exist
_CONNECT_SECONDS = 8


@dataclass(frozen=True)
class Completed:
    """A finished command: its words, exit status, output and wall time in seconds."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def evidence(self) -> str:
        """The exchange as a person would have seen it in a terminal."""
        lines = [f"$ {shlex.join(self.argv)}", self.stdout.rstrip(), self.stderr.rstrip()]
        if self.status:
            lines.append(f"(exit status {self.status})")
        return "\n".join(line for line in lines if line)


class Runner(Protocol):
    """A way to run commands on one host."""

    def run(
        self, argv: Sequence[str], *, timeout: float = 10.0, stdin: str | None = None
    ) -> Completed:
        """Run it there. Raises TimeoutError, or UnreachableError when there is no way there."""

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line of this machine that runs it there, for streams."""

    def forward(self, port: int) -> AbstractContextManager[int]:
        """A local TCP port that leads to 127.0.0.1:`port` of the host, while in the context."""


def _run(
    argv: Sequence[str], command: Sequence[str], timeout: float, stdin: str | None
) -> Completed:
    start = time.monotonic()
    try:
        done = subprocess.run(
            command,
            input=stdin or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{shlex.join(argv)}: no answer within {timeout:g} s") from error
    except FileNotFoundError:
        return Completed(tuple(argv), _NOT_FOUND, "", f"{command[0]}: not found", 0.0)
    seconds = time.monotonic() - start
    return Completed(tuple(argv), done.returncode, done.stdout, done.stderr, seconds)


class LocalRunner:
    """This machine."""

    def run(
        self, argv: Sequence[str], *, timeout: float = 10.0, stdin: str | None = None
    ) -> Completed:
        """Run it here."""
        return _run(argv, self.command(argv), timeout, stdin)

    def command(self, argv: Sequence[str]) -> list[str]:
        """The words themselves."""
        return list(argv)

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        """The port itself: it is already here."""
        yield port


class SshRunner:
    """Another machine, over one multiplexed ssh connection that `close` ends."""

    def __init__(self, host: Host, known_hosts: Path, control_dir: Path) -> None:
        self.host = host
        self._control = control_dir / f"{host.name}.ssh"
        self._options = ssh_options(host, known_hosts)

    def _ssh(self, *words: str) -> list[str]:
        return [
            "ssh",
            *self._options,
            *("-o", "ControlMaster=auto", "-o", "ControlPersist=60"),
            *("-o", f"ControlPath={self._control}"),
            *words,
        ]

    @property
    def _target(self) -> str:
        return f"{self.host.user}@{self.host.address}"

    def run(
        self, argv: Sequence[str], *, timeout: float = 10.0, stdin: str | None = None
    ) -> Completed:
        """Run it there."""
        done = _run(argv, self.command(argv), timeout, stdin)
        if done.status == _SSH_FAILED:
            raise UnreachableError(
                f"host {self.host.name} ({self.host.address}) can't be reached over ssh",
                evidence=done.stderr.strip(),
                helps=f"ssh {shlex.join(self._options)} {self._target}",
            )
        return done

    def command(self, argv: Sequence[str]) -> list[str]:
        """ssh over the shared connection."""
        return self._ssh(self._target, "--", shlex.join([*self.host.as_root, *argv]))

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        """A tunnel through the shared connection."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            local = int(probe.getsockname()[1])
        spec = f"127.0.0.1:{local}:127.0.0.1:{port}"
        asked = self._ssh("-O", "forward", "-L", spec, self._target)
        opened = _run((), asked, 10, None)
        if opened.status:
            self.run(["true"])  # makes the connection where there is none
            opened = _run((), asked, 10, None)
        if opened.status:
            raise UnreachableError(
                f"no tunnel to port {port} of {self.host.name}", evidence=opened.stderr.strip()
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
    """The options every ssh to `host` uses: no questions, keys pinned at first contact."""
    key = ["-i", str(host.key), "-o", "IdentitiesOnly=yes"] if host.key else []
    return [
        *key,
        *("-p", str(host.port)),
        *("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}"),
        *("-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={known_hosts}"),
        *("-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=10"),
    ]


def temporary_prefix(pid: int) -> str:
    """How the temporary folders of that process begin: what a killed one left is known by it."""
    return f"uc-{pid}-"


@contextmanager
def runner_for(host: Host, known_hosts: Path) -> Iterator[Runner]:
    """A runner for the host, closed at the end."""
    if host.is_local:
        yield LocalRunner()
        return
    # A control socket's path may have 108 bytes at the most (unix(7)): keep it short.
    with tempfile.TemporaryDirectory(prefix=temporary_prefix(os.getpid())) as folder:
        runner = SshRunner(host, known_hosts, Path(folder))
        try:
            yield runner
        finally:
            runner.close()
