"""coturn answers everybody, relays for those who may, and to the telephony server only."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from tests.e2e.services import Service, service

pytestmark = pytest.mark.machine

CONFIG = "/etc/turnserver.conf"
# The tests restart it oftener than systemd thinks healthy.
RESTART = "systemctl reset-failed coturn; systemctl restart coturn && sleep 1"


@pytest.fixture(
    scope="module", params=["sid", pytest.param("trixie", marks=pytest.mark.exhaustive)]
)
def coturn(
    request: pytest.FixtureRequest,
    machine_factory: MachineFactory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Service:
    machine = machine_factory(request.param, layers=packages_layer(request.param))
    return service(machine, tmp_path_factory.mktemp("site"), "stun", "stun")


def test_everything_passes(coturn: Service) -> None:
    assert coturn.faults() == set()


def test_second_run_changes_nothing(coturn: Service) -> None:
    again = coturn.play()
    assert again.changed == 0, again.changed_names
    dry = coturn.play(check=True)
    assert dry.changed == 0, dry.changed_names


def test_this_version_knows_every_option(coturn: Service) -> None:
    log = coturn.site.sh("journalctl -b -u coturn --no-pager")
    assert "Bad configuration" not in log
    assert "Unknown" not in log


def test_secret_is_readable_by_the_service_alone(coturn: Service) -> None:
    assert coturn.site.sh(f"stat -c '%a %U %G' {CONFIG}").split() == ["640", "root", "turnserver"]


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ("s/^listening-port=.*/listening-port=3999/", {"ports.stun-udp"}),
        ("s/^use-auth-secret/no-auth/; /^static-auth-secret/d", {"stun.anonymous"}),
        ("s/^static-auth-secret=.*/&\\nstatic-auth-secret=not the secret/", {"stun.credential"}),
        ("s/^static-auth-secret=.*/static-auth-secret=another/", {"stun.relay"}),
        ("/^denied-peer-ip/d", {"stun.peers"}),
        ("$ a no-tls", {"ports.turn-tls"}),
    ],
    ids=["port", "no-auth", "second-secret", "other-secret", "peers", "no-tls"],
)
def test_each_fault_is_found(coturn: Service, change: str, faults: set[str]) -> None:
    coturn.site.sh(f"cp -a {CONFIG} /root/kept && sed -i '{change}' {CONFIG} && {RESTART}")
    try:
        assert coturn.faults() == faults
    finally:
        coturn.site.sh(f"cp -a /root/kept {CONFIG} && {RESTART}")


def test_spoilt_configuration_is_mended(coturn: Service) -> None:
    coturn.site.sh(f"echo no-auth > {CONFIG} && {RESTART}")
    assert "stun.anonymous" in coturn.faults()
    assert coturn.play().changed == 2  # the file, and the restart for it
    assert coturn.faults() == set()
    assert coturn.play().changed == 0


def test_interrupted_installation_is_finished(coturn: Service) -> None:
    coturn.site.sh(f"sed -i s/^realm=.*/realm=old/ {CONFIG} && {RESTART}")
    coturn.site.sh(f"sed -i s/^realm=.*/realm={coturn.site.subject.site.fqdn}/ {CONFIG}")
    changed = coturn.play().changed_names
    assert len(changed) == 1
    assert changed[0].endswith("Run coturn")
    assert coturn.play().changed == 0


def test_stopped_service_is_named_with_what_helps(coturn: Service) -> None:
    coturn.site.sh("systemctl stop coturn")
    assert coturn.faults() == {"stun.service"}
    remedy = coturn.findings()["stun.service"].remedy
    assert remedy.endswith("systemctl restart coturn")
    coturn.site.sh(RESTART)
    assert coturn.faults() == set()
