"""An installer that is killed in the middle of a phase."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import MachineFactory
from ucontact_appliance.engine.lock import install_lock
from ucontact_appliance.lab import layout
from ucontact_appliance.state import StatePaths, var_root

pytestmark = pytest.mark.machine

SITE = "killed"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StatePaths]:
    yield StatePaths(etc=tmp_path / "etc" / SITE, var=var_root() / SITE)
    shutil.rmtree(var_root() / SITE, ignore_errors=True)


def test_no_process_is_left_and_the_lock_is_free_when_the_last_has_ended(
    machine_factory: MachineFactory, state: StatePaths, tmp_path: Path
) -> None:
    site = tmp_path / "site.yml"
    site.write_text(
        f"site: {SITE}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
        f"  - {{name: server, address: {machine_factory().address}, key: {layout.ssh_key()}}}\n"
    )
    words = [sys.executable, "-m", "ucontact_appliance", "install", "--yes", "--site", str(site)]
    with subprocess.Popen(
        words,
        env={**os.environ, "UCONTACT_ETC": str(state.etc.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as installer:
        try:
            deadline = time.monotonic() + 120
            while not _is_at_work(state):
                assert installer.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            memory = list(Path("/run").glob(f"ucontact-{installer.pid}-*"))
            below = psutil.Process(installer.pid).children(recursive=True)
        finally:
            installer.send_signal(signal.SIGKILL)
    assert memory
    assert below
    with install_lock(state.lock):
        assert [process for process in below if _lives(process)] == []
    deadline = time.monotonic() + 5
    while any(folder.exists() for folder in memory):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_at_work(state: StatePaths) -> bool:
    """Whether Ansible runs a task."""
    return any("base: TASK" in log.read_text() for log in state.logs.glob("*.log"))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
