"""Rehearsal machines come, answer, start afresh and leave nothing behind, even after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from ucontact_appliance.errors import UsageError
from ucontact_appliance.lab import layout, machines, network, processes
from ucontact_appliance.lab.machines import Spec

pytestmark = pytest.mark.machine


def quiet(text: str) -> None:
    """An observer for tests."""


def mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines]


@pytest.mark.parametrize("suite", ["bullseye", "sid"])
def test_a_machine_is_a_whole_server_with_a_network(
    machine_factory: MachineFactory, suite: str
) -> None:
    machine = machine_factory(suite)
    assert machine.ssh(["hostname"]).stdout.strip() == machine.name
    assert machine.ssh(["cat", "/proc/1/comm"]).stdout.strip() == "systemd"
    assert machine.ssh(["getent", "hosts", machine.name]).stdout.split()[0] == machine.address
    assert machine.ssh(["ping", "-c1", "-W2", str(layout.GATEWAY)]).returncode == 0


def test_up_again_finds_it_up(machine_factory: MachineFactory) -> None:
    machine = machine_factory()
    told: list[str] = []
    assert machines.up(Spec(machine.name), told.append) == machine
    assert "is up already" in told[0]


def test_another_machine_under_the_same_name_is_refused(machine_factory: MachineFactory) -> None:
    machine = machine_factory()
    with pytest.raises(UsageError, match="is another machine"):
        machines.up(Spec(machine.name, "bullseye"), quiet)


def test_reset_forgets_what_was_done_and_keeps_name_and_address(
    machine_factory: MachineFactory,
) -> None:
    machine = machine_factory()
    machine.ssh(["touch", "/root/mark"])
    fresh = machines.reset(machine.name, quiet)
    assert (fresh.name, fresh.address, fresh.state) == (machine.name, machine.address, "running")
    assert fresh.ssh(["test", "-e", "/root/mark"]).returncode == 1


def test_a_stopped_machine_boots_again_with_what_was_done(machine_factory: MachineFactory) -> None:
    machine = machine_factory()
    machine.ssh(["sh", "-c", "'echo kept > /root/mark; sync'"])
    processes.stop(machine.root)
    assert machines.find(machine.name).state == "stopped"
    again = machines.up(Spec(machine.name), quiet)
    assert again.ssh(["cat", "/root/mark"]).stdout.strip() == "kept"


def test_a_frozen_layer_carries_over(machine_factory: MachineFactory) -> None:
    machine = machine_factory()
    machine.ssh(["sh", "-c", "'echo frozen > /root/mark'"])
    layer = machines.freeze(machine.name, f"{machine.name}-layer", quiet)
    copy = machine_factory(layers=(layer,))
    try:
        assert copy.ssh(["cat", "/root/mark"]).stdout.strip() == "frozen"
        assert copy.ssh(["hostname"]).stdout.strip() == copy.name
    finally:
        machines.down([copy.name], quiet)
        machines.drop_layer(layer)


def test_a_machine_can_say_that_it_is_ubuntu(machine_factory: MachineFactory) -> None:
    machine = machine_factory("bullseye", ubuntu="20.04")
    assert 'VERSION_ID="20.04"' in machine.ssh(["cat", "/etc/os-release"]).stdout


def test_a_crashed_up_is_cleaned_by_down() -> None:
    name = f"t-crash-{os.getpid()}"
    code = (
        "from ucontact_appliance.lab import machines, processes\n"
        f"machines.up(machines.Spec({name!r}), print)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    root = layout.machines() / name / "root"
    deadline = time.monotonic() + 60
    while not processes.supervisors(root):
        assert time.monotonic() < deadline, "the machine never started to boot"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    machines.down([name], quiet)
    assert processes.supervisors(root) == ()
    assert not [mount for mount in mounts() if name in mount]
    assert not (layout.machines() / name).exists()


def test_the_network_lives_as_long_as_the_machines() -> None:
    name = f"t-net-{os.getpid()}"
    others = bool(machines.listed())
    machines.up(Spec(name), quiet)
    assert network.bridge_exists()
    machines.down([name], quiet)
    if not others and not machines.listed():
        assert not network.bridge_exists()
        tables = subprocess.run(
            ["nft", "list", "tables"], capture_output=True, text=True, check=True
        )
        assert layout.NFT_TABLE not in tables.stdout


def test_down_of_an_unknown_machine_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="there is no rehearsal machine"):
        machines.down(["no-such"], quiet)
