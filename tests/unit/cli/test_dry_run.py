"""`ucontact install --dry-run`: it refuses what an install refuses, and ticks off no guess."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.unit.certs import issue
from tests.unit.cli.test_cli import SITE, Command, ucontact
from ucontact_appliance.cli import install
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.install import judging, plays
from ucontact_appliance.install import run as install_run
from ucontact_appliance.install.job import Surveyed
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import save_secrets
from ucontact_appliance.state import StatePaths, state_paths

__all__ = ["ucontact"]  # a fixture

NOW = datetime.now(timezone.utc)
ROOT = issue("root", authority=True, end=NOW + timedelta(days=999))


@pytest.fixture(autouse=True)
def _content_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """One server that every check is content with."""
    survey = Survey("debian", "", "Debian sid", 8192)

    def look(site: Site, paths: StatePaths, ssh: SshSettings) -> Surveyed:
        return Surveyed(site, {"one": survey}, {"one": "192.0.2.10"}, make_plan(site, {}))

    monkeypatch.setattr(install, "look", look)
    monkeypatch.setattr(judging, "run_checks", lambda *words, **options: ())
    monkeypatch.setattr(plays, "ready_package_managers", lambda *words, **options: None)
    monkeypatch.setattr(install_run, "demand_known", lambda *words: None)


@pytest.fixture
def site_file(ucontact: Command, tmp_path: Path) -> Path:
    """A site whose trunk has its password."""
    path = tmp_path / "site.yml"
    path.write_text(SITE)
    save_secrets(state_paths("demo").secrets, {"telephony.trunks.acme": "given one"})
    return path


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_what_was_not_judged_is_said_to_be_so_and_nothing_is_written(
    ucontact: Command, site_file: Path
) -> None:
    before = files_below(site_file.parent)
    answer = ucontact("install", "--dry-run")
    assert answer.code == 0, answer.err
    ticked = [line for line in answer.err.splitlines() if line.startswith("✓")]
    assert ["Preflight" in line for line in ticked] == [True]
    asked = [line for line in answer.err.splitlines() if line.startswith("?")]
    assert len(asked) == len([line for line in answer.out.splitlines() if "not judged: " in line])
    assert any("Certificates" in line for line in asked)
    assert all("not judged: " in line for line in asked)
    assert "nothing was changed" in answer.out
    assert files_below(site_file.parent) == before


def test_a_certificate_that_the_install_would_refuse_is_refused(
    ucontact: Command, site_file: Path
) -> None:
    folder = site_file.parent
    leaf = issue("x", ROOT, names=["contact.example.com"], end=NOW - timedelta(days=1))
    for name, data in (("chain", leaf.pem), ("key", leaf.key_pem), ("ca", ROOT.pem)):
        (folder / name).write_bytes(data)
    site_file.write_text(f"{SITE}certificate: {{source: files, chain: chain, key: key, ca: ca}}\n")
    answer = ucontact("install", "--dry-run")
    assert answer.code == 4
    assert "it expired on" in answer.err
    assert "✓" not in answer.err
    assert leaf.key_pem.decode().splitlines()[1] not in answer.err


def test_a_trunk_without_its_password_is_refused(ucontact: Command, site_file: Path) -> None:
    save_secrets(state_paths("demo").secrets, {})
    answer = ucontact("install", "--dry-run")
    assert answer.code == 2
    assert f"try: ucontact secrets set telephony.trunks.acme --site {site_file}" in answer.err
    assert "✓" not in answer.err


def test_a_release_that_is_none_is_refused(ucontact: Command, site_file: Path) -> None:
    (site_file.parent / "acme.tar.gz").write_bytes(b"nonsense")
    site_file.write_text(f"{SITE}release: acme.tar.gz\n")
    answer = ucontact("install", "--dry-run")
    assert answer.code == 2
    assert "not what its publisher signed" in answer.err
    assert "✓" not in answer.err


def test_secrets_that_can_not_be_read_are_no_reason_to_make_new_ones(
    ucontact: Command, site_file: Path
) -> None:
    state_paths("demo").secrets.write_text("nonsense")
    answer = ucontact("install", "--dry-run")
    assert answer.code == 2
    assert "damaged" in answer.err
