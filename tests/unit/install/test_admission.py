"""State that is damaged or lost is refused, and so are servers of another installation."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.evidence.filing import signing_key
from ucontact_appliance.install.admission import demand_own, demand_whole, start_anew
from ucontact_appliance.install.journal import Journal, Progress, entry, save_journal
from ucontact_appliance.moving.carry import settle
from ucontact_appliance.pki.issue import ensure_pki
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import DataLocation
from ucontact_appliance.planning.ownership import SiteMark, mark_of
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.secrets import load_secrets, save_secrets, with_generated
from ucontact_appliance.state import StatePaths

SITE = small_site()
KEY_LINE = "192.0.2.10 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfsVWZEVhpYvT8eaCXGtVrN6Yx9uL5Fj0kM\n"


def at(folder: Path) -> StatePaths:
    return StatePaths(etc=folder / "etc", var=folder / "var")


@pytest.fixture
def installed(tmp_path: Path) -> StatePaths:
    """What an install of the small site leaves on this machine."""
    paths = at(tmp_path)
    save_secrets(paths.secrets, with_generated(SITE, {}))
    ensure_pki(SITE, make_plan(SITE, {}), paths)
    for role in Role:
        settle(paths.places, role, DataLocation(SITE.hosts[0], "0" * 32))
    journal = Journal()
    for phase in ("preflight", "certificates", "database"):
        journal = journal.with_entry(entry(phase, Progress.DONE))
    save_journal(paths.journal, journal)
    write_private(paths.known_hosts, KEY_LINE)
    signing_key(paths)
    write_private(paths.chain, '{"reports": []}\n')
    return paths


def mark(paths: StatePaths) -> SiteMark:
    return mark_of((paths.pki / "ca.pem").read_bytes())


def contents(paths: StatePaths) -> dict[str, bytes]:
    roots = (paths.etc, paths.var)
    return {str(p): p.read_bytes() for root in roots for p in root.rglob("*") if p.is_file()}


def test_before_the_first_install_nothing_is_damaged(tmp_path: Path) -> None:
    demand_whole(SITE, at(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_an_install_leaves_is_whole(installed: StatePaths) -> None:
    demand_whole(SITE, installed)


def test_a_first_install_that_was_killed_before_its_certificates_goes_on(tmp_path: Path) -> None:
    paths = at(tmp_path)
    save_secrets(paths.secrets, with_generated(SITE, {}))
    journal = Journal(progress=Progress.STARTED).with_entry(entry("base", Progress.STARTED))
    save_journal(paths.journal, journal)
    write_private(paths.known_hosts, KEY_LINE)
    demand_whole(SITE, paths)
    demand_own({"one": None}, SITE, paths)


def gone(*names: str) -> Callable[[StatePaths], None]:
    def spoil(paths: StatePaths) -> None:
        for name in names:
            path = getattr(paths, name)
            if path.is_dir():
                subprocess.run(["rm", "-r", path], check=True)
            else:
                path.unlink()

    return spoil


def holding(name: str, text: str) -> Callable[[StatePaths], None]:
    return lambda paths: write_private(getattr(paths, name), text)


def cut_ca_key(paths: StatePaths) -> None:
    (paths.pki / "ca.key").write_bytes(b"")


def only_the_record(paths: StatePaths) -> None:
    gone("places", "journal")(paths)
    write_private(paths.managed, "{}")


REPLACED: dict[str, tuple[Callable[[StatePaths], None], str]] = {
    "empty CA key": (cut_ca_key, "pki/ca.key"),
    "no pki": (gone("pki"), "pki/ca.key"),
    "no secrets": (gone("secrets"), "secrets.yml"),
    "empty secrets": (holding("secrets", ""), "secrets.yml"),
    "only the header of the secrets": (holding("secrets", "# Secrets\n"), "secrets.yml"),
    "no secret in the file": (holding("secrets", "{}\n"), "secrets.yml"),
    "garbage for secrets": (holding("secrets", "\0\0\0"), "secrets.yml"),
    "a secret without a value": (holding("secrets", "stun.turn: ''\n"), "secrets.yml"),
    "no report key": (gone("report_key"), "report.key"),
    "empty report key": (holding("report_key", ""), "report.key"),
    "garbage for the report key": (holding("report_key", "-----BEGIN X"), "report.key"),
}
BY_HAND: dict[str, tuple[Callable[[StatePaths], None], str]] = {
    "garbage for known hosts": (holding("known_hosts", KEY_LINE + "\0\0\n"), "known_hosts, line 2"),
    "a cut line of known hosts": (holding("known_hosts", KEY_LINE[:40]), "known_hosts, line 1"),
    "no places": (gone("places"), "places.json"),
    "no places, but a record of what was written": (only_the_record, "places.json"),
}
UNREADABLE = {
    "empty places": (holding("places", ""), "places.json"),
    "empty journal": (holding("journal", ""), "journal.json"),
}


@pytest.mark.parametrize("name", [*REPLACED, *BY_HAND])
def test_damaged_state_is_named_with_what_helps(installed: StatePaths, name: str) -> None:
    spoil, named = (REPLACED | BY_HAND)[name]
    spoil(installed)
    before = contents(installed)
    with pytest.raises(UsageError, match="nothing was changed") as caught:
        demand_whole(SITE, installed)
    assert named in caught.value.evidence
    assert "restore " in caught.value.helps
    assert contents(installed) == before


@pytest.mark.parametrize("name", UNREADABLE)
def test_state_that_cant_be_read_is_an_error(installed: StatePaths, name: str) -> None:
    spoil, named = UNREADABLE[name]
    spoil(installed)
    with pytest.raises(UnreachableError) as caught:
        demand_whole(SITE, installed)
    assert named in caught.value.what
    assert caught.value.helps


@pytest.mark.parametrize("name", BY_HAND)
def test_a_new_ca_excuses_nothing_else(installed: StatePaths, name: str) -> None:
    BY_HAND[name][0](installed)
    with pytest.raises(UsageError) as caught:
        demand_whole(SITE, installed, new_ca=True)
    done = re.search(r"(?:sed|echo) [^()]*?(?=   |$)", caught.value.helps)
    assert done is not None
    subprocess.run(done[0], shell=True, check=True)
    demand_whole(SITE, installed)


@pytest.mark.parametrize("name", REPLACED)
def test_a_new_ca_sets_aside_what_is_left_and_deletes_nothing(
    installed: StatePaths, name: str
) -> None:
    before = contents(installed)
    spoil, _ = REPLACED[name]
    spoil(installed)
    spoiled = contents(installed)
    demand_whole(SITE, installed, new_ca=True)
    kept = start_anew(SITE, installed, {"one": None}, datetime(2026, 11, 28, tzinfo=timezone.utc))
    assert all(path.name.endswith(".replaced-20261128T000000Z") for path in kept)
    assert not set(spoiled.values()) - set(contents(installed).values())
    values = with_generated(SITE, load_secrets(installed.secrets))
    save_secrets(installed.secrets, values)
    ensure_pki(SITE, make_plan(SITE, {}), installed)
    signing_key(installed)
    demand_whole(SITE, installed)
    fresh = contents(installed)
    assert fresh[str(installed.pki / "ca.key")] != before[str(installed.pki / "ca.key")]
    if "secret" not in name:
        assert fresh[str(installed.secrets)] == before[str(installed.secrets)]
    if name != "no pki":  # a key that browsers have pinned stays
        portal = str(installed.pki / "portal.key")
        assert fresh[portal] == before[portal]


def test_a_damaged_pinned_key_is_not_kept(installed: StatePaths) -> None:
    (installed.pki / "portal.key").write_bytes(b"")
    start_anew(SITE, installed, {})
    assert not installed.pki.exists()
    assert [path.name for path in installed.etc.glob("pki.replaced-*/portal.key")] == ["portal.key"]


def test_servers_of_this_machine_are_its_own(installed: StatePaths) -> None:
    demand_own({"one": mark(installed), "two": None, "three": SiteMark()}, SITE, installed)


def test_a_renewed_root_has_the_same_mark(installed: StatePaths) -> None:
    before = mark(installed)
    site = small_site(fqdn="voice.example.com")
    ensure_pki(site, make_plan(site, {}), installed)
    assert mark(installed).fingerprint != before.fingerprint
    demand_own({"one": before}, SITE, installed)


def test_a_ca_whose_certificate_is_lost_still_knows_its_servers(installed: StatePaths) -> None:
    before = mark(installed)
    (installed.pki / "ca.pem").unlink()
    demand_own({"one": before}, SITE, installed)


@pytest.mark.parametrize("damaged", [False, True])
def test_an_install_that_this_machine_does_not_know_is_refused(
    installed: StatePaths, tmp_path: Path, damaged: bool
) -> None:
    laptop = at(tmp_path / "laptop")
    found = SiteMark() if damaged else mark(installed)
    with pytest.raises(UsageError, match="this machine does not know the site") as caught:
        demand_own({"one": found}, SITE, laptop)
    assert found.words in caught.value.evidence
    assert str(laptop.etc) in caught.value.helps
    assert "--new-ca" in caught.value.helps
    assert not laptop.etc.exists()


def test_a_server_of_another_site_is_refused(installed: StatePaths, tmp_path: Path) -> None:
    other = at(tmp_path / "other")
    ensure_pki(small_site(site="other"), make_plan(small_site(site="other"), {}), other)
    with pytest.raises(
        UsageError, match="an installation that does not belong to this site"
    ) as caught:
        demand_own({"one": mark(other), "two": mark(installed)}, SITE, installed)
    assert "one: the CA of the site other" in caught.value.evidence
    assert "two:" not in caught.value.evidence


def test_an_interrupted_install_with_a_new_ca_goes_on(
    installed: StatePaths, tmp_path: Path
) -> None:
    laptop = at(tmp_path / "laptop")
    old = mark(installed)
    start_anew(SITE, laptop, {"one": old})
    demand_own({"one": old}, SITE, laptop)
    ensure_pki(SITE, make_plan(SITE, {}), laptop)
    demand_own({"one": mark(laptop), "two": old}, SITE, laptop)
    # The machine that installed it before is told that the servers are another's now.
    with pytest.raises(UsageError, match="an installation that does not belong to this site"):
        demand_own({"one": mark(laptop)}, SITE, installed)


def test_a_damaged_list_of_replaced_cas_is_an_error(installed: StatePaths) -> None:
    start_anew(SITE, installed, {})
    (installed.etc / "replaced-cas.json").write_text("")
    with pytest.raises(UnreachableError, match=r"replaced-cas\.json"):
        demand_own({}, SITE, installed)
