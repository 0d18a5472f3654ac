"""Wrong input of every kind: one clear error, the contract's exit code, nothing changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.installed import ucontact
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.state import var_root

pytestmark = pytest.mark.machine

SITE = "wrong-input"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    yield {**os.environ, "UCONTACT_ETC": str(tmp_path / "etc")}
    shutil.rmtree(var_root() / SITE, ignore_errors=True)


def write_site(folder: Path, address: str, key: object = None) -> Path:
    path = folder / "site.yml"
    path.write_text(
        f"site: {SITE}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
        f"  - {{name: server, address: {address}, key: {key or layout.ssh_key()}}}\n"
    )
    return path


def refused(done: subprocess.CompletedProcess[str], code: int, *told: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    for words in told:
        assert words in done.stderr


def test_an_unreachable_host(
    tmp_path: Path, environment: dict[str, str], machine_factory: MachineFactory
) -> None:
    machine_factory()  # the lab's network is up, and nobody has this address
    site = write_site(tmp_path, str(layout.NETWORK[250]))
    done = ucontact("install", "--yes", "--site", str(site), env=environment)
    refused(done, 3, "server", str(layout.NETWORK[250]), "try:")


def test_a_key_that_opens_nothing(
    tmp_path: Path, environment: dict[str, str], machine_factory: MachineFactory
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    site = write_site(tmp_path, machine_factory().address, key)
    done = ucontact("install", "--yes", "--site", str(site), env=environment)
    refused(done, 3, "Permission denied")


def test_an_unsupported_system(
    tmp_path: Path, environment: dict[str, str], machine_factory: MachineFactory
) -> None:
    machine = machine_factory()
    machine.ssh(["sed -i 's/^ID=.*/ID=fedora/' /etc/os-release"])
    before = packages(machine)
    site = write_site(tmp_path, machine.address)
    done = ucontact("install", "--yes", "--site", str(site), env=environment)
    refused(done, 4, "Preflight", "host.system", "Debian 13")
    assert packages(machine) == before


def test_a_full_disk(
    tmp_path: Path, environment: dict[str, str], machine_factory: MachineFactory
) -> None:
    machine = machine_factory()
    machine.ssh(["mkdir -p /var/spool/asterisk/monitor && mount -t tmpfs -o size=64m tmpfs /var"])
    before = packages(machine)
    site = write_site(tmp_path, machine.address)
    done = ucontact("install", "--yes", "--site", str(site), env=environment)
    refused(done, 4, "Preflight", "disk.room", "GB free on /var")
    assert packages(machine) == before


def test_a_dry_run_on_a_fresh_server_changes_nothing(
    tmp_path: Path, environment: dict[str, str], machine_factory: MachineFactory
) -> None:
    machine = machine_factory()
    snapshot = "find / -xdev -newer /run/mark -type f -not -path '/proc/*' -not -path '/var/log/*'"
    machine.ssh(["touch /run/mark; sleep 1.1"])
    site = write_site(tmp_path, machine.address)
    done = ucontact("install", "--dry-run", "--site", str(site), env=environment)
    assert done.returncode == 0, done.stderr
    changed = machine.ssh([snapshot]).stdout.split()
    assert [path for path in changed if not path.startswith(("/run/", "/sys/"))] == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "etc") == ["site.yml"]


def packages(machine: Machine) -> str:
    return machine.ssh(["dpkg-query -W | sha256sum; ls /etc | sha256sum"]).stdout
