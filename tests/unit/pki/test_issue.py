"""The site's keys and certificates: good ones stay, others are renewed, secrets stay private."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.certs import NOW
from tests.unit.pki.issued import FQDN, certificate, ensure, files, pins
from tests.unit.sites import small_site
from ucontact_appliance.errors import UsageError
from ucontact_appliance.planning.certificates import names_of, spki_pin
from ucontact_appliance.state import StatePaths


def test_the_first_run_makes_all_and_the_second_nothing(paths: StatePaths) -> None:
    site = small_site()
    assert set(ensure(paths, site)) == set(files(paths)) == {
        "ca.pem", "ca.key", "portal.pem", "portal.key", "portal-ca.pem", "hpkp-backup.key",
        "hpkp-backup.pub.pem", "internal-one.pem", "internal-one.key", "pins.json",
    }  # fmt: skip
    before = files(paths)
    assert ensure(paths, site) == ()
    assert files(paths) == before


def test_private_keys_are_private(paths: StatePaths) -> None:
    ensure(paths, small_site())
    assert paths.pki.stat().st_mode & 0o777 == 0o700
    for path in paths.pki.iterdir():
        wanted = 0o600 if path.suffix == ".key" else 0o644
        assert path.stat().st_mode & 0o777 == wanted, path.name


@pytest.mark.parametrize("name", ["ca.key", "portal.key", "internal-one.key", "hpkp-backup.key"])
def test_a_key_that_others_could_read_is_made_private_again(paths: StatePaths, name: str) -> None:
    ensure(paths, small_site())
    (paths.pki / name).chmod(0o644)
    assert ensure(paths, small_site()) == (name,)
    assert (paths.pki / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("leaf", "name"),
    [("portal", FQDN), ("internal-one", "one"), ("internal-one", "localhost")],
)
def test_openssl_verifies_strictly_by_name_and_purpose(
    paths: StatePaths, leaf: str, name: str
) -> None:
    now = datetime.now(NOW.tzinfo)
    ensure(paths, small_site(), now)
    done = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-purpose", "sslserver"),
            *("-verify_hostname", name, "-CAfile", str(paths.pki / "ca.pem")),
            str(paths.pki / f"{leaf}.pem"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_names_and_life_of_the_portals_certificate(paths: StatePaths) -> None:
    ensure(paths, small_site(network={"profile": "nat", "public_address": "198.51.100.7"}))
    portal = certificate(paths, "portal.pem")
    assert names_of(portal) == (FQDN, "192.0.2.10", "198.51.100.7")
    assert portal.not_valid_after_utc - portal.not_valid_before_utc <= timedelta(days=398)


def test_a_big_sites_portal_does_not_speak_for_the_database_alone(paths: StatePaths) -> None:
    hosts = [{"name": n, "address": f"192.0.2.{i}"} for i, n in enumerate(["pbx", "web", "db"], 1)]
    ensure(paths, small_site(agents=600, hosts=hosts))
    assert names_of(certificate(paths, "portal.pem")) == (FQDN, "192.0.2.1", "192.0.2.2")
    wanted = ("db", FQDN, "localhost", "192.0.2.3", "127.0.0.1")
    assert names_of(certificate(paths, "internal-db.pem")) == wanted


def test_a_local_host_is_called_by_the_address_that_others_use(paths: StatePaths) -> None:
    site = small_site(hosts=[{"name": "one", "address": "local"}])
    ensure(paths, site, addresses={"one": "192.0.2.77"})
    assert "192.0.2.77" in names_of(certificate(paths, "portal.pem"))


def test_a_name_longer_than_a_common_name_may_be(paths: StatePaths) -> None:
    fqdn = ".".join(["a" * 60, "b" * 60, "example.com"])
    ensure(paths, small_site(fqdn=fqdn))
    portal = certificate(paths, "portal.pem")
    assert names_of(portal)[0] == fqdn
    assert portal.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


@settings(max_examples=15)
@given(days=st.integers(0, 800))
@example(days=334)
@example(days=335)
def test_whatever_the_day_the_portal_has_more_than_a_month_left(
    tmp_path_factory: pytest.TempPathFactory, days: int
) -> None:
    folder = tmp_path_factory.mktemp("pki")
    paths = StatePaths(etc=folder, var=folder)
    ensure(paths, small_site())
    key = (paths.pki / "portal.key").read_bytes()
    later = NOW + timedelta(days=days)
    changed = ensure(paths, small_site(), later)
    for name in ("portal.pem", "internal-one.pem"):
        assert certificate(paths, name).not_valid_after_utc - later > timedelta(days=30)
    # A pinned key stays the served key through renewals (R10).
    assert (paths.pki / "portal.key").read_bytes() == key
    assert ("portal.pem" in changed) == (days >= 335)


def test_another_name_renews_the_certificates_with_the_same_keys(paths: StatePaths) -> None:
    ensure(paths, small_site())
    before = files(paths)
    changed = ensure(paths, small_site(fqdn="voice.example.com"))
    assert set(changed) == {"ca.pem", "portal.pem", "portal-ca.pem", "internal-one.pem"}
    assert certificate(paths, "ca.pem").public_key() == (
        x509.load_pem_x509_certificate(before["ca.pem"]).public_key()
    )


def test_renumbering_inside_private_networks_keeps_the_root(paths: StatePaths) -> None:
    ensure(paths, small_site(hosts=[{"name": "one", "address": "10.0.0.5"}]))
    changed = ensure(paths, small_site(hosts=[{"name": "one", "address": "192.168.7.5"}]))
    assert changed == ("portal.pem", "internal-one.pem")


def test_a_stolen_root_is_good_for_this_site_only(paths: StatePaths, tmp_path: Path) -> None:
    ensure(paths, small_site(), datetime.now(NOW.tzinfo))
    key, leaf = tmp_path / "k.pem", tmp_path / "leaf.pem"
    (tmp_path / "names").write_text("subjectAltName=DNS:bank.example.net\n")
    openssl = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    asked = subprocess.run(
        [*openssl, "-nodes", "-keyout", str(key), "-subj", "/CN=bank.example.net"],
        check=True,
        capture_output=True,
    )
    ca, ca_key = str(paths.pki / "ca.pem"), str(paths.pki / "ca.key")
    subprocess.run(
        [
            *("openssl", "x509", "-req", "-CA", ca, "-CAkey", ca_key, "-set_serial", "7"),
            *("-extfile", str(tmp_path / "names"), "-out", str(leaf)),
        ],
        input=asked.stdout,
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", ca, str(leaf)], capture_output=True, text=True, check=False
    )
    assert "permitted subtree violation" in done.stderr


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("ca.pem", None),
        *((f"{leaf}.pem", damage) for leaf in ("portal", "internal-one")
          for damage in (b"", b"not a certificate", None)),
    ],
)  # fmt: skip
def test_a_certificate_that_the_ca_can_issue_again_is_issued_again(
    paths: StatePaths, name: str, damage: bytes | None
) -> None:
    ensure(paths, small_site())
    if damage is None:
        (paths.pki / name).unlink()
    else:
        (paths.pki / name).write_bytes(damage)
    assert name in ensure(paths, small_site())
    assert ensure(paths, small_site()) == ()


def test_pins_are_of_the_served_and_of_the_backup_key(paths: StatePaths) -> None:
    ensure(paths, small_site())
    served, backup = pins(paths)
    assert served == spki_pin((paths.pki / "portal.pem").read_bytes())
    assert backup == spki_pin((paths.pki / "hpkp-backup.pub.pem").read_bytes())
    assert served != backup


def test_a_compromised_key_gives_way_to_the_pinned_backup(paths: StatePaths) -> None:
    ensure(paths, small_site())
    _, backup = pins(paths)
    (paths.pki / "portal.key").unlink()
    ensure(paths, small_site())
    served, fresh = pins(paths)
    assert served == backup
    assert fresh != backup
    assert ensure(paths, small_site()) == ()


def test_the_backup_key_may_be_kept_elsewhere(paths: StatePaths) -> None:
    ensure(paths, small_site())
    before = pins(paths)
    away = (paths.pki / "hpkp-backup.key").rename(paths.etc / "away")
    assert ensure(paths, small_site()) == ()
    assert pins(paths) == before
    (paths.pki / "portal.key").unlink()
    with pytest.raises(UsageError, match="kept elsewhere") as caught:
        ensure(paths, small_site())
    assert "hpkp-backup.key" in caught.value.helps
    away.rename(paths.pki / "hpkp-backup.key")
    ensure(paths, small_site())
    assert pins(paths)[0] == before[1]
