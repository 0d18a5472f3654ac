"""A server that was taken over answers as it likes: it must not harm the machine that installs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import MachineFactory
from ucontact_appliance.install.server_record import RECORD
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.printable import has_control
from ucontact_appliance.state import var_root

pytestmark = pytest.mark.machine

SITE = "hostile"
_MOST_MB = 300  # of the command itself; a clean one takes about 90
_MOST_ALL_MB = 400  # of the largest process that it started, such as Ansible
_WATCH_SECONDS = 0.02  # an answer without an end would have grown past the bounds by then


@dataclass(frozen=True)
class Done:
    """How the command ended, what it said, and the memory of its largest process in MB."""

    status: int
    said: str
    own_mb: float
    largest_mb: float


@dataclass(frozen=True)
class Hostile:
    """A machine under somebody else's control, and the file that its commands would make here."""

    machine: Machine
    folder: Path

    @property
    def canary(self) -> Path:
        """Made by whoever runs a command of the server's here."""
        return self.folder / "canary"

    @property
    def attack(self) -> str:
        """A template that makes it, between sequences that a terminal obeys."""
        call = f"lookup('pipe', 'touch {self.canary}')"
        return f"\x1b[2J\x1b]0;x\x07{{{{ {call} }}}}\x9b31m\u202e"

    def lie(self, name: str, script: str) -> None:
        """Put a program of that name before the real one."""
        path = self.machine.root / "usr/local/bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def say(self, name: str) -> None:
        """Let that program answer with the attack."""
        (self.machine.root / "attack").write_text(self.attack + "\n", encoding="utf-8")
        self.lie(name, "exec /bin/cat /attack")

    def ucontact(self, *words: str) -> Done:
        """Run a command against it."""
        site = self.folder / "site.yml"
        site.write_text(
            f"site: {SITE}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
            f"  - {{name: server, address: {self.machine.address}, key: {layout.ssh_key()}}}\n"
        )
        with (self.folder / "said").open("w+b") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "ucontact_appliance", *words, "--site", str(site)],
                env={**os.environ, "UCONTACT_ETC": str(self.folder / "etc")},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
            peaks = _watched(process)
            said.seek(0)
            text = said.read().decode(errors="backslashreplace")
        return Done(process.returncode, text, *peaks)


def _watched(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for it; the most memory that it, and that any process below it, had, in MB."""
    own = largest = 0.0
    while process.poll() is None:
        try:
            whole = psutil.Process(process.pid)
            own = max(own, whole.memory_info().rss / 2**20)
            below = [child.memory_info().rss / 2**20 for child in whole.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        largest = max(largest, own, *below)
        time.sleep(_WATCH_SECONDS)
    return own, largest


@pytest.fixture(scope="module")
def machine(machine_factory: MachineFactory) -> Machine:
    return machine_factory()


@pytest.fixture
def hostile(machine: Machine, tmp_path: Path) -> Iterator[Hostile]:
    python = machine.root / "usr/bin/python3"
    target = python.readlink()
    yield Hostile(machine, tmp_path)
    for path in (machine.root / "usr/local/bin").iterdir():
        path.unlink()
    python.unlink()
    python.symlink_to(target)
    # What it records of its installation: each test is to meet a server that has none.
    (machine.root / RECORD.lstrip("/")).unlink(missing_ok=True)
    shutil.rmtree(var_root() / SITE, ignore_errors=True)


def harmless(hostile: Hostile, done: Done, *codes: int) -> None:
    assert done.status in codes, done.said
    assert not hostile.canary.exists()
    assert not has_control(done.said)
    assert "Traceback" not in done.said
    assert "internal error in the appliance" not in done.said
    assert done.own_mb < _MOST_MB
    assert done.largest_mb < _MOST_ALL_MB


# Each program whose answer is looked at first; `sed` says from where the server is reached.
@pytest.mark.parametrize("program", ["cat", "nproc", "df", "sed"])
@pytest.mark.parametrize(
    "command",
    # Both look in the same way.
    ["install --yes", pytest.param("install --dry-run", marks=pytest.mark.exhaustive)],
)
def test_an_answer_that_is_a_template_is_not_run(
    hostile: Hostile, program: str, command: str
) -> None:
    hostile.say(program)
    done = hostile.ucontact(*command.split())
    # Of `cat` only numbers are wanted: without them the server seems to have no memory.
    harmless(hostile, done, *((2,) if program == "cat" else (3,)))
    assert "server" in done.said


def test_the_name_of_its_system_is_shown_and_not_run(hostile: Hostile) -> None:
    release = hostile.machine.root / "etc/os-release"
    kept = release.read_text()
    release.unlink()
    release.write_text(f"ID=odd\nPRETTY_NAME={shlex.quote(hostile.attack)}\n")
    try:
        done = hostile.ucontact("install", "--yes")
    finally:
        release.write_text(kept)
    harmless(hostile, done, 4)
    assert r"\x1b[2J" in done.said


@pytest.mark.parametrize("program", ["cat", "python3", "nproc", "lsblk", "ss", "systemctl"])
def test_the_profile_shows_lies_and_runs_none(hostile: Hostile, program: str) -> None:
    hostile.say(program)
    harmless(hostile, hostile.ucontact("profile"), 0, 1, 3)
    harmless(hostile, hostile.ucontact("profile", "--json"), 0, 1, 3)


def test_an_answer_without_an_end_is_cut(hostile: Hostile) -> None:
    hostile.lie("nproc", "exec /bin/cat /dev/zero")
    done = hostile.ucontact("install", "--yes")
    harmless(hostile, done, 3)
    assert "exceeds 32 MiB" in done.said


def lying_module(hostile: Hostile, answer: str) -> None:
    """Its Python answers questions, and as Ansible's modules whatever it likes."""
    python = hostile.machine.root / "usr/bin/python3"
    real = python.readlink()
    python.unlink()
    # Ansible hands a module over on standard input, and no words with it.
    python.write_text(f'#!/bin/sh\n[ $# -gt 0 ] && exec /usr/bin/{real.name} "$@"\n{answer}\n')
    python.chmod(0o755)


def test_a_modules_result_that_is_a_template_is_not_run(hostile: Hostile) -> None:
    attack = hostile.attack.encode("unicode_escape").decode().replace("\\x", "\\u00")
    facts = f'{{"ansible_python_interpreter": "{attack}", "site": "{attack}", "ports": "{attack}"}}'
    result = (
        f'{{"failed": true, "msg": "{attack}", "stdout": "{attack}", "ansible_facts": {facts}}}'
    )
    (hostile.machine.root / "attack").write_text(result + "\n")
    lying_module(hostile, "exec /bin/cat /attack")
    done = hostile.ucontact("install", "--yes")
    harmless(hostile, done, 3, 4)
    assert "Base system" in done.said
    log = next((var_root() / SITE / "logs").iterdir()).read_text()
    assert not has_control(log)


def test_a_module_whose_answer_has_no_end_ends_the_phase_and_not_the_machine(
    hostile: Hostile,
) -> None:
    lying_module(hostile, "exec /bin/cat /dev/zero")
    done = hostile.ucontact("install", "--yes")
    harmless(hostile, done, 3, 4)
    assert "Base system" in done.said
    assert "longer than 4 MiB" in done.said
