"""Processes of playbooks that are started ahead: used in order, and none is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ucontact_appliance.install.ansible import run_playbook
from ucontact_appliance.install.events import nobody
from ucontact_appliance.install.launcher import WAITING, Launcher

INVENTORY = {"all": {"hosts": {"here": {"ansible_connection": "local"}}}}


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    made = Launcher()
    yield made
    made.close()


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    path = tmp_path / "play.yml"
    path.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - {name: Say, ansible.builtin.debug: {msg: here}}\n"
    )
    return path


def _words(process: psutil.Process) -> list[str]:
    """Its command line; a process that has ended has none, before and after it is waited for."""
    try:
        return process.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return []


def supervisors() -> list[int]:
    """The numbers of our children that supervise a playbook, oldest first."""
    children = sorted(psutil.Process().children(), key=lambda child: child.create_time())
    return [child.pid for child in children if WAITING in _words(child)]


def folders() -> list[Path]:
    return list(Path("/run").glob(f"ucontact-{os.getpid()}-*"))


def run(launcher: Launcher, playbook: Path) -> tuple[int, str]:
    lines: list[str] = []
    result = run_playbook(
        playbook, INVENTORY, {}, observer=nobody, log=lines.append, launcher=launcher
    )
    return result.status, "\n".join(lines)


def await_waiting(count: int) -> list[int]:
    deadline = time.monotonic() + 60
    while len(found := supervisors()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_as_many_wait_as_are_expected_and_each_is_used(launcher: Launcher, playbook: Path) -> None:
    launcher.expect(2)
    await_waiting(2)
    for left in (1, 0):
        status, said = run(launcher, playbook)
        assert (status, "here" in said) == (0, True)
        assert len(supervisors()) == left
    assert run(launcher, playbook)[0] == 0  # one that nobody expected


def test_they_are_started_one_after_the_other(launcher: Launcher) -> None:
    launcher.expect(2)
    await_waiting(1)
    assert len(supervisors()) == 1  # Python alone takes longer than to ask
    first, second = await_waiting(2)
    with launcher.process() as one, launcher.process() as other:
        assert (one.process.pid, other.process.pid) == (first, second)
        for launched in (one, other):
            launched.process.kill()


def test_those_that_wait_are_ended_and_no_more_are_started(
    launcher: Launcher, playbook: Path
) -> None:
    launcher.expect(50)
    await_waiting(2)
    launcher.close()
    assert (supervisors(), folders()) == ([], [])
    assert run(launcher, playbook)[0] == 0
    assert (supervisors(), folders()) == ([], [])


def test_one_that_somebody_has_ended_is_replaced(launcher: Launcher, playbook: Path) -> None:
    launcher.expect(1)
    (waiting,) = await_waiting(1)
    os.kill(waiting, signal.SIGKILL)
    while psutil.Process(waiting).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert run(launcher, playbook)[0] == 0
    assert (supervisors(), folders()) == ([], [])
