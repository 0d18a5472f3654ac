"""Secrets are generated once, kept 0600, and show up nowhere by accident."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import (
    Secrets,
    load_secrets,
    provided_names,
    required_names,
    save_secrets,
    with_generated,
)


def test_two_sites_share_no_secret() -> None:
    site = small_site()
    one, two = with_generated(site, {}), with_generated(site, {})
    assert set(one) == set(required_names(site))
    assert not set(one.values()) & set(two.values())
    assert len(set(one.values())) == len(one)


def test_what_is_known_is_kept() -> None:
    site = small_site()
    once = with_generated(site, {})
    assert with_generated(site, once) == once


def test_a_new_extension_gets_a_secret_of_its_own() -> None:
    before = with_generated(small_site(), {})
    grown = small_site(telephony={"extensions": ["6001", "6002", "6003"]})
    after = with_generated(grown, before)
    assert set(after) - set(before) == {"telephony.extensions.6003"}


def test_a_trunk_with_an_account_needs_a_password_that_is_given() -> None:
    trunk = {"name": "acme", "host": "sip.example.net", "username": "me"}
    site = small_site(telephony={"trunks": [trunk]})
    assert provided_names(site) == ("telephony.trunks.acme",)
    assert "telephony.trunks.acme" not in with_generated(site, {})


def test_the_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "secrets.yml"
    save_secrets(path, {"a.b": "c"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert dict(load_secrets(path)) == {"a.b": "c"}


def test_the_tree_follows_the_dots() -> None:
    assert Secrets({"a.b.c": "1", "a.d": "2"}).tree() == {"a": {"b": {"c": "1"}, "d": "2"}}


def test_a_repr_shows_no_value() -> None:
    assert "hush" not in repr(Secrets({"name": "hush"}))


@pytest.mark.parametrize("damage", ["- hush", "a: [hush]", "hush", "a: 'hush"])
def test_a_damaged_file_is_named_without_its_content(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "secrets.yml"
    path.write_text(damage)
    with pytest.raises(UsageError) as caught:
        load_secrets(path)
    error = caught.value
    assert "hush" not in f"{error.what} {error.evidence} {error.helps}"


def test_site_type_is_frozen() -> None:
    site: Site = small_site()
    with pytest.raises(ValueError, match="frozen"):
        site.agents = 5  # type: ignore[misc]
