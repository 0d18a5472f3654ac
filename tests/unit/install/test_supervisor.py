"""A program that is killed leaves nothing running, no secret in memory, and no free lock before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ucontact_appliance.install.lock import install_lock

# What an installation does: it takes the lock, and runs a playbook that holds it too.
_INSTALLER = """
import sys
from pathlib import Path
from ucontact_appliance.install.ansible import run_playbook
from ucontact_appliance.install.events import nobody
from ucontact_appliance.install.lock import install_lock
from ucontact_appliance.install.launcher import Launcher

here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
with install_lock(Path(sys.argv[1])) as lock:
    run_playbook(
        Path(sys.argv[2]), {"all": {"hosts": {"here": here}}}, {"canary": "canary-4711"},
        observer=nobody, log=print, launcher=Launcher(held=(lock,)),
    )
"""
# A daemon that leaves its group and session, as ssh's shared connection does, and will not go.
_DAEMON = "setsid sh -c 'trap \"\" TERM; sleep {seconds}' >/dev/null 2>&1 &"


def sleeping(seconds: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline() == ["sleep", seconds] and process.status() != "zombie":
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def until(seen: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def seconds() -> Iterator[str]:
    marked = f"{4712 + os.getpid() / 10**7:.7f}"  # what nothing else sleeps
    yield marked
    for process in sleeping(marked):
        process.kill()


@pytest.fixture
def installer(tmp_path: Path, seconds: str) -> Iterator[subprocess.Popen[str]]:
    script = f"{_DAEMON.format(seconds=seconds)} exec sleep {seconds}"
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"name": "Wait", "ansible.builtin.shell": script}],
    }
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]))
    words = [sys.executable, "-c", textwrap.dedent(_INSTALLER), str(tmp_path / "lock"), playbook]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, text=True) as started:
        until(lambda: len(sleeping(seconds)) == 2)
        yield started
        started.kill()


def test_killed_it_takes_everything_along_and_the_lock_goes_last(
    installer: subprocess.Popen[str], tmp_path: Path, seconds: str
) -> None:
    memory = list(Path("/run").glob(f"ucontact-{installer.pid}-*"))
    assert memory
    installer.send_signal(signal.SIGKILL)
    installer.wait()
    with install_lock(tmp_path / "lock"):  # waits for what it left
        assert sleeping(seconds) == []
        until(lambda: not any(folder.exists() for folder in memory), 5)


def test_with_its_supervisor_killed_first_ansible_itself_still_ends(
    installer: subprocess.Popen[str], seconds: str
) -> None:
    (supervisor,) = [
        child
        for child in psutil.Process(installer.pid).children()
        if "ucontact_appliance.install.supervisor" in child.cmdline()
    ]
    (ansible,) = supervisor.children()
    supervisor.kill()
    assert installer.wait(timeout=20) == 0  # it goes on, with a playbook that failed
    assert not ansible.is_running() or ansible.status() == "zombie"
