"""The customer's own chain and key: judged, then copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.certs import issue
from tests.unit.pki.issued import FQDN, certificate, damage, ensure, files, pins
from tests.unit.sites import small_site
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.planning.certificates import spki_pin
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import StatePaths

ROOT = issue("Customer root", authority=True)
MIDDLE = issue("Customer CA", ROOT, authority=True)
LEAF = issue("Customer leaf", MIDDLE, names=[FQDN])


def customers_site(folder: Path, key: bytes = LEAF.key_pem) -> Site:
    contents = {"chain": LEAF.pem + MIDDLE.pem, "key": key, "ca": ROOT.pem}
    for name, content in contents.items():
        (folder / f"{name}.pem").write_bytes(content)
    chosen = {name: str(folder / f"{name}.pem") for name in contents}
    return small_site(certificate={"source": "files", **chosen})


def test_a_customers_portal_key_is_copied_whatever_was_there(
    paths: StatePaths, tmp_path: Path
) -> None:
    site = customers_site(tmp_path)
    ensure(paths, site)
    damage(b"", "portal.key")(paths)
    assert ensure(paths, site) == ("portal.key",)


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
