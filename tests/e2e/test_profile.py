"""`ucontact profile --site` over ssh: two machines at once, one of them by Python 2.7."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.hardware.profile import host_profiles
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.site.model import Host

pytestmark = pytest.mark.machine

_LEFT = "find / -xdev -name '.ucontact-profile-*' -print"


@pytest.fixture(scope="module")
def old(machine_factory: MachineFactory) -> Machine:
    """A machine whose only Python is 2.7: every name of another leads to nothing."""
    machine = machine_factory("bullseye")
    script = (
        "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq &&"
        " apt-get install -y -qq --no-install-recommends python2.7 &&"
        " rm /usr/bin/python3 && ! command -v python3"
    )
    done = machine.ssh([script], timeout=120)
    assert done.returncode == 0, done.stderr
    return machine


@pytest.fixture(scope="module")
def new(machine_factory: MachineFactory) -> Machine:
    return machine_factory("sid")


def host(name: str, machine: Machine, **other: int) -> Host:
    return Host(name=name, address=machine.address, key=layout.ssh_key(), **other)


def test_two_machines_are_profiled_at_once_one_by_python_2(
    old: Machine, new: Machine, tmp_path: Path
) -> None:
    found = host_profiles([host("old", old), host("new", new)], tmp_path / "known_hosts")
    first, second = found["old"], found["new"]
    assert not isinstance(first, UnreachableError), first.evidence
    assert not isinstance(second, UnreachableError), second.evidence
    assert (first.python, first.os_version) == ("2.7", "11")
    assert (second.python.split(".")[0], second.os_version) == ("3", "")
    # The same hardware below both: the two Pythons must see the same.
    assert (first.cpu, first.memory) == (second.cpu, second.memory)
    for seen, machine in ((first, old), (second, new)):
        assert seen.hostname == machine.name
        assert seen.virtualisation == "systemd-nspawn"
        assert seen.nics[0].ipv4 == (machine.address,)
        assert seen.route4 is not None
        assert seen.route4.gateway == str(layout.GATEWAY)
        (write,) = seen.write_latency
        assert write.samples > 0, write.error
        assert machine.ssh([_LEFT]).stdout == ""


def test_a_host_out_of_reach_is_told_and_the_other_is_shown(new: Machine, tmp_path: Path) -> None:
    site = tmp_path / "site.yml"
    site.write_text(
        f"site: profiled\nfqdn: demo.ucontact.test\nagents: 40\nhosts:\n"
        f"  - {{name: tel, address: {new.address}, key: {layout.ssh_key()}}}\n"
        # Nothing listens on this port of the host that runs the tests.
        f"  - {{name: back, address: {layout.GATEWAY}, port: 1, key: {layout.ssh_key()}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ucontact_appliance", "profile", "--site", str(site), "--json"],
        env={**os.environ, "UCONTACT_ETC": str(tmp_path / "etc")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    tel, back = json.loads(done.stdout)["hosts"]
    assert (tel["name"], tel["error"], tel["hostname"]) == ("tel", None, new.name)
    assert [row["size"] for row in tel["could_carry"]] == ["small", "medium", "big"]
    assert (back["name"], list(back)) == ("back", ["name", "error"])
    assert "host back (" in done.stderr
