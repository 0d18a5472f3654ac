"""Connections that are cut or refused in the middle of the work."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.support import apply_playbook, inventory
from ucontact_appliance.facts.runner import runner_for, shared_connections
from ucontact_appliance.lab import layout, processes
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.site.model import Host

pytestmark = pytest.mark.machine

_AWAY_SECONDS = 8


def inside(machine: Machine, script: str) -> None:
    """Run lines in it without ssh."""
    leader = processes.leader(machine.root)
    assert leader is not None
    subprocess.run(["nsenter", "-t", str(leader), "-a", "sh", "-ec", script], check=True)


def cut(machine: Machine) -> None:
    """No ssh for some seconds: what is open breaks, what is new is refused."""
    inside(machine, "systemctl stop ssh.socket ssh.service 2>/dev/null; pkill sshd || true")
    time.sleep(_AWAY_SECONDS)
    inside(machine, "systemctl start ssh.service")


def test_a_playbook_goes_on_after_its_connection_was_cut(
    machine_factory: MachineFactory, tmp_path: Path
) -> None:
    machine = machine_factory()
    tasks = [
        {"name": f"Step {n}", "ansible.builtin.shell": f"sleep 1; echo {n} >>/root/done"}
        for n in range(6)
    ]
    playbook = tmp_path / "play.yml"
    play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    playbook.write_text(json.dumps(play))
    with_cut = threading.Timer(4, cut, [machine])
    with_cut.start()
    try:
        applied = apply_playbook(playbook, inventory({machine.name: machine}, {}))
    finally:
        with_cut.join()
    assert not applied.result.failed
    done = machine.ssh(["cat /root/done"]).stdout.split()
    assert sorted(set(done)) == list("012345")


def test_a_command_is_asked_again_after_its_connection_was_cut(
    machine_factory: MachineFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machine_factory()
    host = Host(name="one", address=machine.address, key=layout.ssh_key())
    with shared_connections(tmp_path / "known", retry_seconds=60) as ssh:
        with runner_for(host, ssh) as runner:
            assert runner.run(["echo", "one"]).stdout == "one\n"
            with monkeypatch.context() as here:
                here.setenv("PATH", str(tmp_path))  # later commands need no process of ssh
                assert runner.run(["sh", "-c", "cat; exit 3"], stdin="two").status == 3
        breaking = threading.Thread(target=cut, args=[machine])
        breaking.start()
        time.sleep(2)
        with runner_for(host, ssh) as runner:
            assert runner.run(["echo", "two"]).stdout == "two\n"
        breaking.join()
