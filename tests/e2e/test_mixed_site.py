"""A medium site of two systems: telephony on Debian 11 with Asterisk 16, the rest on sid."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator

import pytest

from tests.e2e.ami import answers
from tests.e2e.conftest import MachineFactory
from tests.e2e.several import Several, sh, told
from tests.e2e.softphone import chromium, echo_call, new_recording, recordings, sign_in
from tests.remedies import run_all
from ucontact_appliance.lab.records import Machine

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]


@pytest.fixture(scope="module")
def telephony(machine_factory: MachineFactory) -> Machine:
    return machine_factory("bullseye")


@pytest.fixture(scope="module")
def backend(machine_factory: MachineFactory) -> Machine:
    return machine_factory("sid")


@pytest.fixture(scope="module")
def site(
    telephony: Machine, backend: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Several]:
    mixed = Several(telephony.name, tmp_path_factory.mktemp("site"))
    mixed.write(30, [telephony, backend])
    try:
        mixed.install()
        yield mixed
    finally:
        shutil.rmtree(mixed.state, ignore_errors=True)


def test_it_is_healthy_down_to_a_real_call(site: Several, telephony: Machine) -> None:
    assert "Asterisk 16." in sh(telephony, "asterisk -V")
    wrong = site.wrong("--deep")
    # Stock Asterisk, an aged system that mends it no more, and alternate STUN ports of a coturn
    # that can't be told to leave them (the firewall lets nobody there).
    usual = ("asterisk.build", "host.system", "lifecycle.asterisk", "ports.unexpected")
    assert set(wrong) <= {f"{telephony.name}:{check}" for check in usual}, told(wrong)
    assert all(found["verdict"] == "warn" for found in wrong.values()), told(wrong)


def test_a_browser_calls_by_the_portals_name(
    site: Several, telephony: Machine, backend: Machine
) -> None:
    def shell(script: str) -> str:
        return sh(telephony, script)

    before = recordings(shell)
    secret = site.secrets()["telephony.extensions.6001"]
    with chromium() as browser:
        echo_call(sign_in(browser, backend.address, "6001", secret))
    new_recording(shell, before)
    deadline = time.monotonic() + 20
    while sh(backend, "mysql -Ne 'select count(*) from ccdata.cdr'").strip() != "1":
        assert time.monotonic() < deadline, "no call record on the backend's server"
        time.sleep(0.5)


def test_a_second_install_changes_nothing(site: Several) -> None:
    assert "changed=0" in site.install().stdout


def test_every_remedy_for_its_telephony_server_runs_there(
    site: Several, telephony: Machine
) -> None:
    """Last: it restarts services. Asterisk 16 knows other commands than Asterisk 22."""
    assert site.plan.host(telephony.name).roles
    assert run_all(telephony.address, site.plan.host(telephony.name).roles) == {}


def test_the_backend_reaches_the_manager_interface_with_tls(
    site: Several, telephony: Machine, backend: Machine
) -> None:
    secret = site.secrets()["telephony.ami.backend"]
    pause = {"Action": "QueuePause", "Interface": "Local/6001@agent/n", "Paused": "true"}
    call = {"Action": "Originate", "Channel": "Local/6001@agent", "Application": "Echo"}

    def there(script: str) -> str:
        return sh(backend, script)

    banner, login, paused, called = answers(there, telephony.address, secret, [pause, call])
    assert "Asterisk Call Manager" in banner
    assert "Authentication accepted" in login
    assert "Interface not found" in paused  # allowed, and nobody is logged in
    assert "Permission denied" in called
    # From anywhere else the firewall does not answer.
    with pytest.raises(TimeoutError):
        socket.create_connection((telephony.address, 5039), 3)
