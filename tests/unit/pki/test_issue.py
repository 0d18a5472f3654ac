"""The site's keys and certificates: good ones stay, others are renewed, secrets stay private."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.certs import NOW, issue
from tests.unit.sites import small_site
from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.pki.issue import PkiResult, ensure_pki, foresee_pki
from ucontact_appliance.planning.certificates import names_of, spki_pin
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import StatePaths

FQDN = "contact.example.com"


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    return StatePaths(etc=tmp_path / "etc", var=tmp_path / "var")


def ensure(paths: StatePaths, site: Site, now: datetime = NOW, **options: Any) -> tuple[str, ...]:
    """What is written; every time it is foreseen before, without a write, errors included."""
    plan = make_plan(site, {})
    before = files(paths)

    def tried(act: Callable[..., PkiResult]) -> tuple[str, ...] | ApplianceError:
        try:
            return act(site, plan, paths, now=now, **options).changed
        except ApplianceError as error:
            return error

    foreseen = tried(foresee_pki)
    assert files(paths) == before
    done = tried(ensure_pki)
    if isinstance(done, ApplianceError):
        assert isinstance(foreseen, ApplianceError)
        assert (foreseen.what, foreseen.evidence) == (done.what, done.evidence)
        raise done
    assert foreseen == done
    return done


def certificate(paths: StatePaths, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((paths.pki / name).read_bytes())


def files(paths: StatePaths) -> dict[str, bytes]:
    folder = paths.pki
    return {p.name: p.read_bytes() for p in folder.iterdir()} if folder.exists() else {}


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


def lose(paths: StatePaths, names: tuple[str, ...]) -> None:
    for name in names:
        (paths.pki / name).unlink()


def damage(content: bytes, *names: str) -> Callable[[StatePaths], None]:
    def spoil(paths: StatePaths) -> None:
        for name in names:
            (paths.pki / name).write_bytes(content)

    return spoil


def other_key(name: str) -> Callable[[StatePaths], None]:
    return damage(issue("Another", authority=True).key_pem, name)


def no_ca_and_another_key(paths: StatePaths) -> None:
    lose(paths, ("ca.pem",))
    other_key("ca.key")(paths)


GARBAGE = issue("Cut", authority=True).key_pem[:60]
WEAK = issue("Weak", key=rsa.generate_private_key(65537, 1024)).key_pem
DAMAGES: dict[str, tuple[Callable[[StatePaths], None], str]] = {
    "empty CA key": (damage(b"", "ca.key"), "ca.key"),
    "cut CA key": (damage(GARBAGE, "ca.key"), "ca.key"),
    "weak CA key": (damage(WEAK, "ca.key"), "ca.key"),
    "lost CA key": (partial(lose, names=("ca.key",)), "ca.key"),
    "another CA key": (other_key("ca.key"), "ca.key"),
    "another CA key, no certificate": (no_ca_and_another_key, "internal-one.pem"),
    "empty CA certificate": (damage(b"", "ca.pem"), "ca.pem"),
    "cut CA certificate": (damage(b"-----BEGIN CERTIFICATE-----\nMII", "ca.pem"), "ca.pem"),
    "empty portal key": (damage(b"", "portal.key"), "portal.key"),
    "cut portal key": (damage(GARBAGE, "portal.key"), "portal.key"),
    "lost portal key and backup": (
        partial(lose, names=("portal.key", "hpkp-backup.key", "hpkp-backup.pub.pem", "pins.json")),
        "portal.pem",
    ),
    "empty internal key": (damage(b"", "internal-one.key"), "internal-one.key"),
    "lost internal key": (partial(lose, names=("internal-one.key",)), "internal-one.key"),
    "empty backup key": (damage(b"", "hpkp-backup.key"), "hpkp-backup.key"),
    "cut public backup key": (damage(b"", "hpkp-backup.pub.pem"), "hpkp-backup.pub.pem"),
    "lost backup key": (
        partial(lose, names=("hpkp-backup.key", "hpkp-backup.pub.pem")), "hpkp-backup.key",
    ),
    "another backup key": (other_key("hpkp-backup.key"), "hpkp-backup.key"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_or_lost_key_is_named_and_nothing_is_made_in_its_place(
    paths: StatePaths, name: str
) -> None:
    ensure(paths, small_site())
    spoil, named = DAMAGES[name]
    spoil(paths)
    before = files(paths)
    with pytest.raises(UsageError, match="nothing was changed") as caught:
        ensure(paths, small_site())
    assert str(paths.pki / named) in caught.value.evidence
    assert re.search("restore|mv ", caught.value.helps)
    assert "PRIVATE KEY" not in caught.value.evidence
    assert files(paths) == before


@pytest.mark.parametrize("name", DAMAGES)
def test_the_remedy_by_hand_is_one_that_works(paths: StatePaths, name: str) -> None:
    ensure(paths, small_site())
    spoil, _ = DAMAGES[name]
    spoil(paths)
    with pytest.raises(UsageError) as caught:
        ensure(paths, small_site())
    by_hand = re.search(r"mv [^()]*", caught.value.helps)
    if by_hand is None:
        assert "--new-ca" in caught.value.helps
        return
    subprocess.run(by_hand[0], shell=True, check=True)
    ensure(paths, small_site())
    assert ensure(paths, small_site()) == ()


def test_a_run_that_was_killed_between_the_halves_of_a_new_backup_key_goes_on(
    paths: StatePaths,
) -> None:
    ensure(paths, small_site())
    promoted = (paths.pki / "hpkp-backup.pub.pem").read_bytes()
    lose(paths, ("portal.key",))
    ensure(paths, small_site())
    (paths.pki / "hpkp-backup.pub.pem").write_bytes(promoted)
    assert set(ensure(paths, small_site())) == {"hpkp-backup.pub.pem"}


def test_a_customers_portal_key_is_copied_whatever_was_there(
    paths: StatePaths, tmp_path: Path
) -> None:
    site = customers_site(tmp_path)
    ensure(paths, site)
    damage(b"", "portal.key")(paths)
    assert ensure(paths, site) == ("portal.key",)


def pins(paths: StatePaths) -> tuple[str, str]:
    """What the web role and the doctor read: the pin of the served key, and of the backup key."""
    document = json.loads((paths.pki / "pins.json").read_text())
    return document["served"], document["backup"]


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


ROOT = issue("Customer root", authority=True)
MIDDLE = issue("Customer CA", ROOT, authority=True)
LEAF = issue("Customer leaf", MIDDLE, names=[FQDN])


def customers_site(folder: Path, key: bytes = LEAF.key_pem) -> Site:
    contents = {"chain": LEAF.pem + MIDDLE.pem, "key": key, "ca": ROOT.pem}
    for name, content in contents.items():
        (folder / f"{name}.pem").write_bytes(content)
    chosen = {name: str(folder / f"{name}.pem") for name in contents}
    return small_site(certificate={"source": "files", **chosen})


def test_the_customers_chain_is_copied_when_it_is_good(paths: StatePaths, tmp_path: Path) -> None:
    site = customers_site(tmp_path)
    ensure(paths, site)
    found = files(paths)
    assert found["portal.pem"] == LEAF.pem + MIDDLE.pem
    assert found["portal.key"] == LEAF.key_pem
    assert found["portal-ca.pem"] == ROOT.pem
    assert pins(paths)[0] == spki_pin(LEAF.pem)
    assert ensure(paths, site) == ()


def test_a_bad_chain_changes_nothing(paths: StatePaths, tmp_path: Path) -> None:
    good = small_site()
    ensure(paths, good)
    before = files(paths)
    with pytest.raises(UsageError, match="nothing was changed") as caught:
        ensure(paths, customers_site(tmp_path, ROOT.key_pem))
    assert str(tmp_path / "key.pem") in caught.value.evidence
    assert "PRIVATE" not in caught.value.evidence
    assert files(paths) == before


def test_a_file_that_is_not_there(paths: StatePaths, tmp_path: Path) -> None:
    site = customers_site(tmp_path)
    (tmp_path / "chain.pem").unlink()
    with pytest.raises(UnreachableError, match="can't be read"):
        ensure(paths, site)


def test_from_private_ca_to_files_and_back(paths: StatePaths, tmp_path: Path) -> None:
    ensure(paths, small_site())
    site = customers_site(tmp_path)
    assert set(ensure(paths, site)) == {"portal.key", "portal.pem", "portal-ca.pem", "pins.json"}
    assert "portal.pem" in ensure(paths, small_site())
    portal, ca = certificate(paths, "portal.pem"), certificate(paths, "ca.pem")
    portal.verify_directly_issued_by(ca)
