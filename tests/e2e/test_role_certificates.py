"""Keys and certificates reach the server only when they are sound, and services take them up."""

from __future__ import annotations

import shutil
import ssl

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from tests.e2e.small import Small, small
from ucontact_appliance.checks.certificates import CHECKS
from ucontact_appliance.checks.model import Check, Verdict
from ucontact_appliance.facts.certificates import FOLDER
from ucontact_appliance.pki.issue import ensure_pki

pytestmark = pytest.mark.machine

# What is served needs the services: only NGINX is here, on 443.
ON_DISK = tuple(check for check in CHECKS if not check.id.startswith("certificates.served."))
SERVED = tuple(check for check in CHECKS if check.id == "certificates.served.https")
NGINX = (
    "server { listen 443 ssl; ssl_certificate /etc/ssl/ucontact/portal.pem; "
    "ssl_certificate_key /etc/ssl/ucontact/private/portal.key; }"
)


@pytest.fixture(
    scope="module", params=["sid", pytest.param("bullseye", marks=pytest.mark.exhaustive)]
)
def site(
    request: pytest.FixtureRequest,
    machine_factory: MachineFactory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Small:
    here = small(
        machine_factory(request.param, layers=packages_layer(request.param)),
        tmp_path_factory.mktemp("site"),
    )
    here.prepare()
    here.play("certificates")
    here.sh("DEBIAN_FRONTEND=noninteractive apt-get install -qq -y nginx >/dev/null 2>&1")
    here.sh(f"echo '{NGINX}' >/etc/nginx/conf.d/t.conf && systemctl restart nginx")
    return here


def issue_again(site: Small) -> None:
    subject = site.subject
    ensure_pki(subject.site, subject.plan, subject.state)


def failing(site: Small, checks: tuple[Check, ...] = ON_DISK) -> set[str]:
    told = site.judge(checks)
    return {check for check, judgement in told.items() if judgement.verdict is not Verdict.PASS}


def hashes(site: Small) -> str:
    return site.sh(f"cd {FOLDER} && sha256sum *.pem private/*")


def test_a_second_run_changes_nothing(site: Small) -> None:
    again = site.play("certificates")
    assert again.changed == 0, again.changed_names
    dry = site.play("certificates", check=True)
    assert dry.changed == 0, dry.changed_names


def test_modes_and_what_is_there(site: Small) -> None:
    listing = site.sh(f"cd {FOLDER} && stat -c '%a %U:%G %n' . private *.pem private/*; ls -A")
    assert listing.split("\n")[:8] == [
        "755 root:root .",
        "750 root:ucontact-tls private",
        "644 root:root ca.pem",
        "644 root:root internal.pem",
        "644 root:root portal-ca.pem",
        "644 root:root portal.pem",
        "640 root:ucontact-tls private/internal.key",
        "640 root:ucontact-tls private/portal.key",
    ]
    assert ".new" not in listing
    assert "hpkp" not in listing


def test_all_checks_pass(site: Small) -> None:
    assert failing(site, (*ON_DISK, *SERVED)) == set()


def test_a_renewed_certificate_is_served_without_a_restart(site: Small) -> None:
    main = site.sh("systemctl show -p MainPID nginx")
    (site.subject.state.pki / "portal.pem").unlink()
    issue_again(site)
    assert site.play("certificates", check=True).changed_names == [
        "certificates : Look at the keys and certificates in place"
    ]
    assert site.play("certificates").changed > 0
    site.sh("sleep 2")  # NGINX starts its new workers after the reload has returned
    live = ssl.get_server_certificate((site.machine.address, 443))
    assert live.split() == (site.subject.state.pki / "portal.pem").read_text().split()
    assert site.sh("systemctl show -p MainPID nginx") == main
    assert failing(site, SERVED) == set()
    assert site.play("certificates").changed == 0


def test_a_certificate_that_is_not_served_yet_is_found_and_its_remedy_works(site: Small) -> None:
    (site.subject.state.pki / "portal.pem").unlink()
    issue_again(site)
    portal = (site.subject.state.pki / "portal.pem").read_text()
    site.sh(f"cat >{FOLDER}/portal.pem <<'END'\n{portal}END")
    assert failing(site, (*ON_DISK, *SERVED)) == {"certificates.served.https"}
    site.sh(SERVED[0].remedy.replace("{ssh} ", ""))
    site.sh("sleep 2")  # NGINX starts its new workers after the reload has returned
    assert failing(site, SERVED) == set()


def test_a_wrong_key_replaces_nothing(site: Small) -> None:
    pki = site.subject.state.pki
    before = hashes(site)
    kept = (pki / "portal.key").read_bytes()
    shutil.copy(pki / "ca.key", pki / "portal.key")
    try:
        refused = site.play("certificates", expect_failure=True)
    finally:
        (pki / "portal.key").write_bytes(kept)
    assert refused.result.failed[0].task.endswith("before anything is replaced")
    assert "portal.pem: its key is not private/portal.key" in refused.output
    assert "PRIVATE KEY" not in refused.output
    assert hashes(site) == before
    site.play("certificates")
    assert ".new" not in site.sh(f"ls -A {FOLDER}")


def test_a_chain_that_leads_elsewhere_replaces_nothing(site: Small) -> None:
    pki = site.subject.state.pki
    before = hashes(site)
    kept = (pki / "portal-ca.pem").read_bytes()
    shutil.copy(pki / f"internal-{site.machine.name}.pem", pki / "portal-ca.pem")
    try:
        refused = site.play("certificates", expect_failure=True)
    finally:
        (pki / "portal-ca.pem").write_bytes(kept)
    assert "portal.pem: " in refused.output
    assert "this server's clock says" in refused.output
    assert hashes(site) == before
    site.play("certificates")


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (f"chmod 644 {FOLDER}/private/portal.key", {"certificates.modes"}),
        (f"chown nobody {FOLDER}/private/internal.key", {"certificates.modes"}),
        (f"chmod 777 {FOLDER}", {"certificates.modes"}),
        (f"cp {FOLDER}/private/internal.key {FOLDER}/private/portal.key", {"certificates.portal"}),
        (f"cp {FOLDER}/portal.pem {FOLDER}/internal.pem", {"certificates.internal"}),
    ],
)
def test_each_fault_is_found_and_an_install_mends_it(
    site: Small, fault: str, found: set[str]
) -> None:
    site.sh(fault)
    assert failing(site) == found
    assert site.play("certificates").changed > 0
    assert failing(site) == set()


def test_a_backup_key_on_the_web_server_is_found(site: Small) -> None:
    key = (site.subject.state.pki / "hpkp-backup.key").read_text()
    site.sh(f"cat >/etc/nginx/b.key <<'END'\n{key}END")
    assert failing(site) == {"certificates.backup"}
    site.sh("rm /etc/nginx/b.key")
    assert failing(site) == set()
