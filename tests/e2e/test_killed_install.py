"""An installer that is killed in the middle of a phase."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from ucontact_appliance.install.journal import load_journal
from ucontact_appliance.install.lock import install_lock
from ucontact_appliance.lab import layout
from ucontact_appliance.state import StatePaths, var_root

pytestmark = pytest.mark.machine

SITE = "killed"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StatePaths]:
    yield StatePaths(etc=tmp_path / "etc" / SITE, var=var_root() / SITE)
    shutil.rmtree(var_root() / SITE, ignore_errors=True)


@contextmanager
def installing(site: Path, state: StatePaths) -> Iterator[subprocess.Popen[bytes]]:
    """An installation that is killed at the end, if it has not ended before."""
    words = [sys.executable, "-m", "ucontact_appliance", "install", "--yes", "--site", str(site)]
    with subprocess.Popen(
        words,
        env={**os.environ, "UCONTACT_ETC": str(state.etc.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as installer:
        try:
            yield installer
        finally:
            installer.send_signal(signal.SIGKILL)


def until(installer: subprocess.Popen[bytes], seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not seen():
        assert installer.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_killed_install_leaves_no_process_and_the_next_one_continues(
    machine_factory: MachineFactory, state: StatePaths, tmp_path: Path
) -> None:
    machine = machine_factory(layers=packages_layer())
    site = tmp_path / "site.yml"
    site.write_text(
        f"site: {SITE}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
        f"  - {{name: server, address: {machine.address}, key: {layout.ssh_key()}}}\n"
    )
    with installing(site, state) as installer:
        until(installer, lambda: _is_at_work(state))
        memory = list(Path("/run").glob(f"ucontact-{installer.pid}-*"))
        below = psutil.Process(installer.pid).children(recursive=True)
    assert memory
    assert below
    with install_lock(state.lock):
        assert [process for process in below if _lives(process)] == []
    deadline = time.monotonic() + 5
    while any(folder.exists() for folder in memory):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    # Its apt was killed as well, in the midst of a package, and now the system's own is at work.
    assert machine.ssh([_HALF_AND_LOCKED]).returncode == 0
    with installing(site, state) as installer:
        until(installer, lambda: load_journal(state.journal).finished("packages"))
    log = max(state.logs.glob("*.log"), key=lambda path: path.stat().st_mtime).read_text()
    assert "server: wait for unattended-upgr (process " in log
    assert "server: complete the packages that the interrupted run left unfinished" in log
    assert machine.ssh(["dpkg --audit; ls /var/lib/dpkg/updates"]).stdout == ""
    assert machine.ssh(["test -e /usr/sbin/policy-rc.d"]).returncode == 1


_HALF_AND_LOCKED = r"""
for i in 1 2 3 4 5; do pkill -KILL -x 'apt-get|dpkg'; sleep 0.2; done
set -e
sed -i '/^Package: hostname$/,/^$/s/^Status: .*/Status: install ok half-configured/' \
  /var/lib/dpkg/status
touch /var/lib/dpkg/updates/0000
printf 'import fcntl, time\nlock = open("/var/lib/dpkg/lock-frontend", "w")\n' >/root/lock.py
printf 'fcntl.lockf(lock, fcntl.LOCK_EX)\nopen("/root/locked", "w")\ntime.sleep(12)' >>/root/lock.py
cp /usr/bin/python3 /root/unattended-upgrade
systemd-run --quiet /root/unattended-upgrade /root/lock.py
until test -e /root/locked; do sleep 0.1; done
"""


def _is_at_work(state: StatePaths) -> bool:
    """Whether Ansible runs a task."""
    return any("packages: TASK" in log.read_text() for log in state.logs.glob("*.log"))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
