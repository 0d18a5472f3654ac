"""What every server has in common, on Debian's two ends and on machines that say Ubuntu.

The roles packages and baseline: neither needs anything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.support import Applied, apply_role
from ucontact_appliance.lab.records import Machine

pytestmark = pytest.mark.machine

FQDN = "contact.example.com"


@pytest.fixture(
    scope="module",
    params=[
        ("sid", None),
        pytest.param(("bullseye", "20.04"), marks=pytest.mark.exhaustive),
    ],
    ids=["sid", "bullseye-as-ubuntu-20.04"],
)
def machine(request: pytest.FixtureRequest, machine_factory: MachineFactory) -> Machine:
    suite, ubuntu = request.param
    made = machine_factory(suite, ubuntu=ubuntu)
    assert made.ssh(["echo 192.0.2.200 printer >>/etc/hosts"]).returncode == 0
    return made


@pytest.fixture(scope="module")
def first(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    folder = tmp_path_factory.mktemp("first")
    before = apply(machine, folder)  # it needs none of the packages
    assert apply_packages(machine, folder).changed > 0
    return before


def apply_packages(machine: Machine, folder: Path, **options: Any) -> Applied:
    return apply_role(machine, "packages", {}, folder, **options)


def apply(machine: Machine, folder: Path, **options: Any) -> Applied:
    parameters = {
        "baseline_names": {machine.name: machine.address, FQDN: machine.address},
        "baseline_reserved_ports": ["10000-10800", "49152-49552"],
    }
    return apply_role(machine, "baseline", parameters, folder, **options)


def sh(machine: Machine, script: str) -> str:
    done = machine.ssh([script])
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    return done.stdout


def test_a_second_run_changes_nothing(machine: Machine, first: Applied, tmp_path: Path) -> None:
    assert first.changed > 0
    for role in (apply, apply_packages):
        again = role(machine, tmp_path)
        assert again.changed == 0, again.changed_names
        dry = role(machine, tmp_path, check=True)
        assert dry.changed == 0, dry.changed_names


@pytest.mark.usefixtures("first")
def test_names_resolve_and_the_customers_lines_stay(machine: Machine) -> None:
    for name in (FQDN, machine.name):
        assert machine.address in sh(machine, f"getent ahosts {name}")
    assert sh(machine, "getent hosts $(cat /proc/sys/kernel/hostname)")
    assert "192.0.2.200" in sh(machine, "getent hosts printer")


@pytest.mark.usefixtures("first")
def test_accounts(machine: Machine) -> None:
    assert sh(machine, "getent group ucontact-tls")
    assert sh(machine, "getent passwd integra").strip().endswith("/usr/sbin/nologin")


def test_kernel_parameters_that_can_be_set_are_and_the_others_are_told(
    machine: Machine, first: Applied
) -> None:
    assert sh(machine, "sysctl -n net.ipv4.tcp_max_syn_backlog").strip() == "4096"
    reserved = sh(machine, "sysctl -n net.ipv4.ip_local_reserved_ports").strip()
    assert reserved == "10000-10800,49152-49552"
    assert "not settable vm.swappiness: read-only here" in first.output
    assert "net.core.rmem_max = 16777216" in sh(machine, "cat /etc/sysctl.d/60-ucontact.conf")


@pytest.mark.usefixtures("first")
def test_a_parameter_that_somebody_turned_is_turned_back(machine: Machine, tmp_path: Path) -> None:
    sh(machine, "sysctl -q -w net.ipv4.tcp_max_syn_backlog=128")
    again = apply(machine, tmp_path)
    (changed,) = again.changed_names
    assert changed.endswith(": Set the kernel parameters that differ")
    assert sh(machine, "sysctl -n net.ipv4.tcp_max_syn_backlog").strip() == "4096"


@pytest.mark.usefixtures("first")
def test_the_clock_is_kept_after_a_boot(machine: Machine) -> None:
    assert sh(machine, "systemctl is-enabled chrony").strip() == "enabled"


@pytest.mark.usefixtures("first")
def test_logs_are_rotated(machine: Machine) -> None:
    timers = sh(machine, "systemctl is-active ucontact-logrotate.timer logrotate.timer")
    assert timers.split() == ["active", "active"]
    sh(machine, "systemctl start ucontact-logrotate.service")
    assert sh(machine, "systemctl --failed --quiet") == ""


@pytest.mark.usefixtures("first")
def test_an_unsupported_system_is_refused_by_name(machine: Machine, tmp_path: Path) -> None:
    sh(machine, "cp -P /etc/os-release /root/kept; rm /etc/os-release")
    sh(
        machine,
        "printf 'ID=fedora\\nVERSION_ID=41\\nPRETTY_NAME=\"Fedora 41\"\\n' >/etc/os-release",
    )
    try:
        refused = apply_packages(machine, tmp_path, expect_failure=True)
    finally:
        sh(machine, "rm /etc/os-release; mv /root/kept /etc/os-release")
    (failed,) = refused.result.failed
    assert failed.message.startswith("This server runs Fedora 41 (fedora 41), which is not supp")
    assert "Ubuntu 24.04" in failed.message
    assert refused.changed == 0
