"""The last words of an install: what a person does next, and no secret."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.cli.console import out
from ucontact_appliance.cli.install_view import show_installed
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.install.run import InstallResult
from ucontact_appliance.pki.issue import ensure_pki
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import save_secrets, with_generated
from ucontact_appliance.state import StatePaths, state_paths

DONE = InstallResult(changed=0, seconds=41.6, log=Path("/var/log/one.log"), call="a tone was heard")


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Site:
    """A site with its CA and its secrets on this machine."""
    monkeypatch.setenv("UCONTACT_ETC", str(folder / "etc"))
    site = small_site(**changes)
    paths = state_paths(site.site)
    ensure_pki(site, make_plan(site, {}), paths, addresses={"one": "192.0.2.10"})
    save_secrets(paths.secrets, with_generated(site, {}))
    return site


def openssl_fingerprint(paths: StatePaths) -> str:
    words = ["openssl", "x509", "-in", str(paths.pki / "ca.pem"), "-noout", "-fingerprint"]
    done = subprocess.run([*words, "-sha256"], capture_output=True, text=True, check=True)
    return done.stdout.strip().partition("=")[2]


def test_the_ca_the_fingerprint_and_the_first_login_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = installed(tmp_path, monkeypatch)
    paths = state_paths(site.site)
    site_file = tmp_path / "my site" / "site.yml"
    show_installed(site, site_file, DONE)
    told = capsys.readouterr().out
    assert "changed=0 in 42 s" in told
    assert "https://contact.example.com/uContact/" in told
    assert f"ucontact secrets show telephony.extensions.6001 --site '{site_file}'" in told
    assert str(paths.pki / "ca.pem") in told
    assert openssl_fingerprint(paths) in told
    assert "update-ca-certificates" in told
    for secret in paths.secrets.read_text().split(": ")[1:]:
        assert secret.split()[0] not in told


def test_a_fingerprint_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    # Each of these is a picture to Rich.
    out.print("SHA-256 12:AB:34:CD:56:A:B:O:78")
    assert "SHA-256 12:AB:34:CD:56:A:B:O:78" in capsys.readouterr().out


def test_where_the_customer_brought_a_certificate_no_ca_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = installed(tmp_path, monkeypatch)
    files = {"source": "files", "chain": "/a.pem", "key": "/a.key"}
    own = site.model_validate({**site.model_dump(mode="json"), "certificate": files})
    show_installed(own, tmp_path / "site.yml", DONE)
    told = capsys.readouterr().out
    assert "login   6001" in told
    assert "CA " not in told


def test_a_site_without_extensions_has_no_first_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = installed(tmp_path, monkeypatch, telephony={"extensions": []})
    show_installed(site, tmp_path / "site.yml", replace(DONE, changed=3))
    told = capsys.readouterr().out
    assert "changed=3" in told
    assert "login" not in told


def test_a_ca_that_can_not_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = installed(tmp_path, monkeypatch)
    (state_paths(site.site).pki / "ca.pem").write_text("nonsense")
    with pytest.raises(UnreachableError, match=r"ca\.pem"):
        show_installed(site, tmp_path / "site.yml", DONE)
