"""The module `release_tree` on the oldest Python of a supported target (Ubuntu 16.04: 2.7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import MachineFactory
from tests.e2e.support import Applied, apply_playbook, inventory
from tests.unit.release.samples import archive, manifest_of, members
from ucontact_appliance.lab.records import Machine

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

WRITABLE = [
    {"path": f"web/{name}", "owner": "nobody", "group": "nogroup", "mode": "0755"}
    for name in ("tmp", "forms", "images")
]


@pytest.fixture(scope="module")
def old_machine(machine_factory: MachineFactory) -> Machine:
    machine = machine_factory("bullseye")
    install = "apt-get update -qq && apt-get install -qq -y --no-install-recommends python2.7"
    done = machine.ssh([install], timeout=300)
    assert done.returncode == 0, done.stderr
    return machine


def converge(machine: Machine, folder: Path, *, check: bool = False) -> Applied:
    play: dict[str, Any] = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Lay down the release",
                "release_tree": {
                    "root": "/etc/IntegraServer",
                    "state": "/var/lib/IntegraServer",
                    "archive": "/root/release.tar.gz",
                    "manifest": "/root/release.json",
                    "writable": WRITABLE,
                },
            }
        ],
    }
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")
    hosts = inventory({machine.name: machine}, {})
    hosts["all"]["hosts"][machine.name]["ansible_python_interpreter"] = "/usr/bin/python2.7"
    return apply_playbook(path, hosts, check=check)


def offer(machine: Machine, folder: Path, version: str) -> None:
    manifest = manifest_of(version=version)
    release = archive(folder / "release.tar.gz", members(manifest))
    (machine.root / "root/release.tar.gz").write_bytes(release.read_bytes())
    (machine.root / "root/release.json").write_bytes(manifest.document())


def test_it_converges_on_python_2_7(old_machine: Machine, tmp_path: Path) -> None:
    offer(old_machine, tmp_path, "5.1")
    assert converge(old_machine, tmp_path).changed == 1
    assert converge(old_machine, tmp_path).changed == 0
    home = "/etc/IntegraServer/current"
    spoil = f"rm {home}/web/IntegraPortalWS.war; touch {home}/web/x; chmod 600 {home}/reports/*"
    assert old_machine.ssh([spoil]).returncode == 0
    assert converge(old_machine, tmp_path, check=True).changed == 1
    assert converge(old_machine, tmp_path).changed == 1
    assert converge(old_machine, tmp_path).changed == 0
    listed = old_machine.ssh(["stat -c '%a %U %G' /var/lib/IntegraServer/images/logo.svg"])
    assert listed.stdout.strip() == "644 nobody nogroup"
    offer(old_machine, tmp_path, "5.2")
    assert converge(old_machine, tmp_path).changed == 1
    assert old_machine.ssh([f"readlink {home}"]).stdout.strip() == "releases/5.2"
    assert converge(old_machine, tmp_path).changed == 0
