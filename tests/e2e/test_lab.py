"""Rehearsal machines come, answer, start afresh and leave nothing behind, even after a crash."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.lab import layout, machines, network, processes
from ucontact_appliance.lab.commands import run
from ucontact_appliance.lab.records import MachineSpec

pytestmark = pytest.mark.machine


def quiet(text: str) -> None:
    """An observer for tests."""


def mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines]


@pytest.mark.parametrize("suite", ["sid", pytest.param("bullseye", marks=pytest.mark.exhaustive)])
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
    assert machines.up(MachineSpec(machine.name), told.append) == machine
    assert any("is already running at" in text for text in told)


def test_another_machine_under_the_same_name_is_refused(machine_factory: MachineFactory) -> None:
    machine = machine_factory()
    with pytest.raises(UsageError, match="already exists with other settings"):
        machines.up(MachineSpec(machine.name, "bullseye"), quiet)


def test_the_bridge_keeps_its_mac_whoever_comes(machine_factory: MachineFactory) -> None:
    machine_factory()
    mac = Path(f"/sys/class/net/{layout.BRIDGE}/address")
    before = mac.read_text()
    # A bridge takes the lowest address of its ports, unless it was given one.
    run(["ip", "link", "add", "t-low", "type", "veth", "peer", "name", "t-low-peer"])
    try:
        run(["ip", "link", "set", "t-low", "address", "02:00:00:00:00:01"])
        run(["ip", "link", "set", "t-low", "master", layout.BRIDGE])
        assert mac.read_text() == before
    finally:
        run(["ip", "link", "delete", "t-low"])


def test_reset_forgets_what_was_done_and_keeps_name_and_address(
    machine_factory: MachineFactory,
) -> None:
    machine = machine_factory()
    machine.ssh(["touch", "/root/mark"])
    fresh = machines.reset(machine.name, quiet)
    assert (fresh.name, fresh.address, fresh.state) == (machine.name, machine.address, "running")
    assert fresh.ssh(["test", "-e", "/root/mark"]).returncode == 1


def test_a_stopped_machine_boots_again_as_it_was_left(machine_factory: MachineFactory) -> None:
    machine = machine_factory()
    before = machine.ssh(["cat", "/etc/machine-id"]).stdout
    machine.ssh(["sh", "-c", "'echo 192.0.2.1 peer >> /etc/hosts; sync'"])
    processes.stop(machine.root)
    assert machines.find(machine.name).state == "stopped"
    run(["umount", str(machine.root)])  # as after a reboot of the host
    again = machines.up(MachineSpec(machine.name), quiet)
    assert "192.0.2.1 peer" in again.ssh(["cat", "/etc/hosts"]).stdout
    assert again.ssh(["cat", "/etc/machine-id"]).stdout == before


def test_a_machine_that_reboots_comes_back_and_can_be_stopped(
    machine_factory: MachineFactory,
) -> None:
    machine = machine_factory()
    started = ["stat", "-c", "%Y", "/proc/1"]
    before = machine.ssh(started).stdout
    assert before
    machine.ssh(["systemctl", "reboot"])
    deadline = time.monotonic() + 60
    while (now := machine.ssh(started).stdout) in ("", before):  # down, or not down yet
        assert time.monotonic() < deadline, f"started {now or 'and does not answer'}"
        time.sleep(0.5)
    assert machines.find(machine.name).state == "running"
    processes.stop(machine.root)
    assert processes.supervisors(machine.root) == ()


def test_a_frozen_layer_carries_over(
    machine_factory: MachineFactory, request: pytest.FixtureRequest
) -> None:
    machine = machine_factory()
    machine.ssh(["sh", "-c", "'echo first > /root/mark'"])
    first = f"{machine.name}-first"
    request.addfinalizer(lambda: machines.drop_layer(first, quiet))
    layers = machines.freeze(machine.name, first, quiet)
    assert layers == (first,)

    middle = machine_factory(layers=layers)
    middle.ssh(["sh", "-c", "'echo second > /root/second'"])
    second = f"{machine.name}-second"
    request.addfinalizer(lambda: machines.drop_layer(second, quiet))
    layers = machines.freeze(middle.name, second, quiet)

    top = machine_factory(layers=layers)
    request.addfinalizer(lambda: machines.down([top.name], quiet))
    assert top.ssh(["cat", "/root/mark", "/root/second"]).stdout.split() == ["first", "second"]
    assert top.ssh(["hostname"]).stdout.strip() == top.name
    with pytest.raises(UsageError, match="uses the layer"):
        machines.drop_layer(first, quiet)


def test_a_settled_machine_is_reset_to_what_it_had_become(
    machine_factory: MachineFactory, request: pytest.FixtureRequest
) -> None:
    machine = machine_factory()
    machine.ssh(["sh", "-c", "'echo kept > /root/mark; echo 192.0.2.1 peer >> /etc/hosts'"])
    identity = machine.ssh(["cat", "/etc/machine-id"]).stdout
    layer = f"{machine.name}-site"
    request.addfinalizer(lambda: machines.drop_layer(layer, quiet))
    request.addfinalizer(lambda: machines.down([machine.name], quiet))
    settled = machines.settle(machine.name, layer, quiet)
    assert (settled.state, settled.address) == ("stopped", machine.address)

    again = machines.reset(machine.name, quiet)
    assert again.address == machine.address
    again.ssh(["sh", "-c", "'rm /root/mark; echo fault > /root/fault'"])
    third = machines.reset(machine.name, quiet)
    assert third.ssh(["ls", "/root"]).stdout.split() == ["mark"]
    assert third.ssh(["hostname"]).stdout.strip() == machine.name
    assert "192.0.2.1 peer" in third.ssh(["cat", "/etc/hosts"]).stdout
    assert third.ssh(["cat", "/etc/machine-id"]).stdout == identity
    with pytest.raises(UsageError, match="already"):
        machines.settle(machine.name, layer, quiet)


def test_a_layer_that_is_not_there_is_told_and_nothing_is_made() -> None:
    name = f"t-none-{os.getpid()}"
    with pytest.raises(UsageError, match="there is no layer 'absent'"):
        machines.up(MachineSpec(name, layers=("absent",)), quiet)
    assert not (layout.machines() / name).exists()


def test_a_machine_can_say_that_it_is_ubuntu(machine_factory: MachineFactory) -> None:
    machine = machine_factory("bullseye", ubuntu="20.04")
    assert 'VERSION_ID="20.04"' in machine.ssh(["cat", "/etc/os-release"]).stdout


@pytest.fixture
def own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lab in a folder, on a bridge and in a range of its own, with the images made already.

    What it leaves behind can be seen whatever other machines run here. Its forwarding switch is a
    file, because the real one is shared.
    """
    machines.base_image("sid", quiet)
    shared = layout.lab_root()
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path))
    lay_out(shared)
    number = 100 + os.getpid() % 100
    network_of_its_own = ipaddress.IPv4Network(f"10.204.{number}.0/24")
    monkeypatch.setattr(layout, "NETWORK", network_of_its_own)
    monkeypatch.setattr(layout, "GATEWAY", network_of_its_own[1])
    monkeypatch.setattr(layout, "BRIDGE", f"uctest{number}")
    monkeypatch.setattr(layout, "NFT_TABLE", f"uctest{number}")
    forwarding = tmp_path / "ip_forward"
    forwarding.write_text("0")
    monkeypatch.setattr(network, "_FORWARDING", forwarding)
    yield tmp_path
    machines.down_all(quiet)
    with elsewhere(tmp_path, monkeypatch):
        machines.down_all(quiet)


@contextmanager
def elsewhere(own_lab: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """From a second lab folder, on the same bridge."""
    with monkeypatch.context() as there:
        there.setenv("UCONTACT_VAR", str(own_lab / "elsewhere"))
        yield


def lay_out(shared: Path) -> None:
    """Make the current lab folder one with the keys and the images of sid of a shared one."""
    shutil.copytree(
        shared, layout.lab_root(), ignore=shutil.ignore_patterns("machines", "images", "lock")
    )
    layout.images().mkdir()
    for image in (shared / "images").glob("sid-*"):
        (layout.images() / image.name).symlink_to(image)


def left_by(lab: Path) -> list[str]:
    """What is still there once an ssh whose starter was killed has run into its own time-out."""
    deadline = time.monotonic() + 10
    while traces(lab) and time.monotonic() < deadline:
        time.sleep(0.2)
    return traces(lab)


def traces(lab: Path) -> list[str]:
    """All that a lab of its own has left on the host; its cached images and keys may stay."""
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    commands = [_command(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [
        *(mount for mount in mounts() if str(lab) in mount),
        *(words for words in commands if str(lab) in words),
        *(path.name for path in (lab / "lab/machines").glob("*")),
        *(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{layout.BRIDGE}")),
        *(path.name for path in (lab / "lab/images").glob(".*")),
        *([layout.BRIDGE] if network.bridge_exists() else []),
        *([layout.NFT_TABLE] if layout.NFT_TABLE in tables.stdout else []),
        *([str(layout.saved_forwarding())] if layout.saved_forwarding().exists() else []),
        *(["forwarding"] if (lab / "ip_forward").read_text() != "0" else []),
    ]


def _command(cmdline: Path) -> str:
    try:
        return cmdline.read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:  # it ended while we looked
        return ""


def killed_when(seen: Callable[[], bool], act: Callable[[], object], how: signal.Signals) -> int:
    """Do it in a process of its own and kill that as soon as `seen`; its raw exit status."""
    pid = os.fork()
    if not pid:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            act()
            os._exit(0)
        except BaseException:
            os._exit(1)
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline, "it never came to the point where it was to be killed"
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it ended before it was to be killed"
        time.sleep(0.01)
    os.kill(pid, how)
    return os.waitpid(pid, 0)[1]


def test_the_network_lives_as_long_as_the_machines(own_lab: Path) -> None:
    machines.up(MachineSpec("one"), quiet)
    machines.up(MachineSpec("two"), quiet)
    assert (own_lab / "ip_forward").read_text() == "1"
    machines.down(["one"], quiet)
    assert network.bridge_exists()
    assert machines.find("two").ssh(["true"]).returncode == 0
    machines.down_all(quiet)
    assert left_by(own_lab) == []


def test_two_lab_folders_never_give_one_address_to_two_machines(
    own_lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = machines.up(MachineSpec("one"), quiet)
    one.ssh(["sh", "-c", "'echo kept > /root/mark; sync'"])
    ours = layout.lab_root()
    with elsewhere(own_lab, monkeypatch):
        lay_out(ours)
        with pytest.raises(UsageError, match="of another lab folder is running"):
            machines.up(MachineSpec("one"), quiet)
        other = machines.up(MachineSpec("other"), quiet)
        assert other.address != one.address
        machines.down_all(quiet)
        processes.stop(one.root)
        usurper = machines.up(MachineSpec("other"), quiet)
    assert usurper.address == one.address
    with pytest.raises(UsageError, match=f"{one.address} .* is in use by another") as caught:
        machines.up(MachineSpec("one"), quiet)
    assert str(usurper.root.parent) in caught.value.evidence
    with elsewhere(own_lab, monkeypatch):
        machines.down_all(quiet)
    again = machines.up(machines.spec_for("one"), quiet)
    assert again.address == one.address
    assert again.ssh(["cat", "/root/mark"]).stdout.strip() == "kept"


@pytest.mark.exhaustive
def test_a_service_killed_in_one_machine_lives_on_in_another(own_lab: Path) -> None:
    one, two = (machines.up(MachineSpec(name), quiet) for name in ("one", "two"))
    for machine in (one, two):
        assert machine.ssh(["systemd-run", "--unit=same", "sleep", "1000"]).returncode == 0
    # A signal to a whole unit goes by its cgroup, which must not be the other machine's as well.
    assert one.ssh(["systemctl", "kill", "--signal=KILL", "same"]).returncode == 0
    deadline = time.monotonic() + 10
    while one.ssh(["systemctl", "is-active", "same"]).stdout.strip() != "failed":
        assert time.monotonic() < deadline, "the unit was not killed at all"
    assert two.ssh(["systemctl", "is-active", "same"]).stdout.strip() == "active"


@pytest.mark.exhaustive
def test_a_network_that_another_lab_folder_uses_stays(
    own_lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machines.up(MachineSpec("one"), quiet)
    with elsewhere(own_lab, monkeypatch):
        assert machines.down_all(quiet) == ()
    assert machine.ssh(["true"]).returncode == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_up_cut_off_in_its_boot_leaves_nothing(own_lab: Path, how: signal.Signals) -> None:
    root = layout.machines() / "cut" / "root"
    booting = lambda: bool(processes.supervisors(root))  # noqa: E731
    assert killed_when(booting, lambda: machines.up(MachineSpec("cut"), quiet), how)
    if how is signal.SIGKILL:  # nobody was left to clean up
        assert traces(own_lab) != []
        machines.down_all(quiet)
    assert left_by(own_lab) == []


@pytest.mark.exhaustive
def test_an_up_killed_while_it_makes_an_image_leaves_nothing(own_lab: Path) -> None:
    def building() -> bool:
        return any((half / "var/lib/dpkg").exists() for half in layout.images().glob(".half-*"))

    up = lambda: machines.up(MachineSpec("cut", "trixie"), quiet)  # noqa: E731
    assert killed_when(building, up, signal.SIGKILL)
    assert any("mmdebstrap" in trace for trace in traces(own_lab))
    machines.down_all(quiet)
    assert left_by(own_lab) == []


@pytest.mark.exhaustive
def test_a_machine_that_does_not_come_up_is_taken_back(
    own_lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "boot_command", lambda *a, **k: ["sh", "-c", "echo no; exit 1"])
    with pytest.raises(UnreachableError, match="did not come up") as caught:
        machines.up(MachineSpec("one"), quiet)
    assert "no" in caught.value.evidence
    assert left_by(own_lab) == []


@pytest.mark.exhaustive
def test_a_stopped_machine_that_does_not_come_up_stays_stopped(
    own_lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machines.up(MachineSpec("one"), quiet)
    processes.stop(machine.root)
    with monkeypatch.context() as broken:
        broken.setattr(processes, "boot_command", lambda *a, **k: ["false"])
        with pytest.raises(UnreachableError):
            machines.up(MachineSpec("one"), quiet)
    assert machines.find("one").state == "stopped"
    assert not [mount for mount in mounts() if str(own_lab) in mount]
    assert machines.up(MachineSpec("one"), quiet).ssh(["true"]).returncode == 0


def test_down_of_an_unknown_machine_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="there is no rehearsal machine"):
        machines.down(["no-such"], quiet)
