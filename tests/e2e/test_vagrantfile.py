"""The Vagrantfile as Vagrant itself reads it: the same machines as the lab's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ucontact_appliance.planning.model import Size
from ucontact_appliance.planning.rehearsal import machine_names
from ucontact_appliance.resources import load_data

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

_HERE = Path(__file__).parents[2]
_LXC_NET = Path("/usr/libexec/lxc/lxc-net")
_BRIDGE = "lxcbr0"
_SLOW_SECONDS = 600


def run(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def bridges() -> set[str]:
    """Those of LXC: the lab's comes and goes with the machines of other tests."""
    links = json.loads(run("ip", "-json", "link", "show", "type", "bridge"))
    return {row["ifname"] for row in links if row["ifname"].startswith("lxc")}


def containers() -> set[str]:
    return set(run("lxc-ls", "-1").split())


def pivots() -> set[Path]:
    """The cgroups that LXC goes into to take away its others, and leaves behind empty."""
    root = Path("/sys/fs/cgroup")
    return {*root.glob("lxc.pivot"), *root.glob("*/lxc.pivot")}


def monitors(name: str) -> list[str]:
    """The processes of a container on the host; those that have ended have no command line."""
    lines = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    return [line.decode() for line in lines if b"lxc" in line and name.encode() in line]


def gone(name: str) -> bool:
    """Whether the container's processes end: they outlive `vagrant destroy` by a moment."""
    deadline = time.monotonic() + 15
    while monitors(name) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not monitors(name)


@pytest.fixture
def bridge() -> Iterator[None]:
    """What lxc-net would bring up at boot, but for DHCP and masquerading: a host's rules stay."""
    network = load_data("rehearsal")["vagrant"]["lxc"]["network"]
    with ExitStack() as undo:
        before = pivots()
        if _BRIDGE not in bridges():
            run("ip", "link", "add", _BRIDGE, "type", "bridge")
            undo.callback(run, "ip", "link", "delete", _BRIDGE)
            run("ip", "address", "add", f"{network}.1/24", "dev", _BRIDGE)
            run("ip", "link", "set", _BRIDGE, "up")
        yield
        for path in pivots() - before:
            path.rmdir()


def vagrant(
    folder: Path, size: str, *words: str, provider: str = "libvirt", seconds: int = 120
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "SIZE": size,
        "VAGRANT_CWD": str(_HERE),
        "VAGRANT_HOME": str(folder / "home"),
        "VAGRANT_DOTFILE_PATH": str(folder / "state"),
        "VAGRANT_DEFAULT_PROVIDER": provider,
        "VAGRANT_CHECKPOINT_DISABLE": "1",
    }
    return subprocess.run(
        ["vagrant", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


@pytest.mark.parametrize("size", [size.value for size in Size])
def test_vagrant_takes_the_file_for_each_size(tmp_path: Path, size: str) -> None:
    done = vagrant(tmp_path, size, "validate")
    assert done.returncode == 0, done.stdout + done.stderr
    # Without VirtualBox at hand Vagrant checks everything but the provider itself.
    done = vagrant(tmp_path, size, "validate", "--ignore-provider", provider="virtualbox")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("size", list(Size))
def test_its_machines_are_the_labs(tmp_path: Path, size: Size) -> None:
    done = vagrant(tmp_path, size.value, "status", "--machine-readable")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert tuple(row[1] for row in rows if row[2:4] == ["provider-name", "libvirt"]) == (
        machine_names(size)
    )


def test_another_size_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    done = vagrant(tmp_path, "huge", "validate")
    assert done.returncode != 0
    assert "SIZE=huge: there is small, medium, big" in done.stderr + done.stdout


def test_every_size_has_its_machines_in_the_table() -> None:
    assert set(load_data("rehearsal")["vagrant"]["machines"]) == {size.value for size in Size}


def test_lxc_net_has_the_network_that_the_table_names() -> None:
    network = load_data("rehearsal")["vagrant"]["lxc"]["network"]
    script = _LXC_NET.read_text()
    assert re.search(r'^LXC_ADDR="(.*)"$', script, re.MULTILINE)[1] == f"{network}.1"
    assert re.search(r'^LXC_BRIDGE="(.*)"$', script, re.MULTILINE)[1] == _BRIDGE


@pytest.mark.usefixtures("bridge")
def test_a_machine_comes_up_on_lxc_is_reached_and_leaves_nothing(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "installer/box.py"],
        cwd=_HERE,
        env={**os.environ, "PYTHONPATH": str(_HERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    before = containers(), bridges()
    name = machine_names(Size.SMALL)[0]
    with ExitStack() as undo:
        undo.callback(vagrant, tmp_path, "small", "destroy", "--force", provider="lxc")
        done = vagrant(tmp_path, "small", "up", provider="lxc", seconds=_SLOW_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
        (container,) = containers() - before[0]
        told = re.search(rf"name: {name} +address: (\S+) +user: (\S+)", done.stdout)
        assert told is not None, done.stdout
        config = tmp_path / "ssh_config"
        config.write_text(vagrant(tmp_path, "small", "ssh-config", provider="lxc").stdout)
        key = re.search(r"IdentityFile (.*)", config.read_text())
        assert key is not None, config.read_text()
        # As the installer would: with what was told for site.yml, and nothing of Vagrant's.
        ask = "hostname; sudo id -u; systemctl is-system-running --wait; getent hosts localhost"
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes")
        answer = run(
            *("ssh", "-q", "-F", "none", "-i", key[1].strip('"')),
            *(word for option in options for word in ("-o", option)),
            *(f"{told[2]}@{told[1]}", ask),
        )
        assert answer.splitlines()[:3] == [name, "0", "running"]
        assert "localhost" in answer.splitlines()[3]
        assert monitors(container)
        done = vagrant(tmp_path, "small", "destroy", "--force", provider="lxc")
        assert done.returncode == 0, done.stdout + done.stderr
    assert gone(container)
    assert containers() == before[0]
    assert bridges() == before[1]
    assert not Path("/var/lib/lxc", container).exists()
