"""What was changed by hand since it was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.checks.drift import judge_drift
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.managed import (
    InstallationRecord,
    look,
    parse_fingerprints,
    written,
)
from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.planning.component_tables import managed_paths
from ucontact_appliance.planning.components import components
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.resources import ROLES

THEN = {"/etc/odbc.ini": "aa 640 root:asterisk", "/etc/turnserver.conf": "bb 640 root:turnserver"}


def test_files_as_written_pass() -> None:
    assert judge_drift(THEN, THEN).verdict is Verdict.PASS


def test_content_mode_and_absence_are_told_apart() -> None:
    now = {"/etc/odbc.ini": "aa 644 root:asterisk"}
    judgement = judge_drift(now, THEN)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.observed == "/etc/odbc.ini changed; /etc/turnserver.conf deleted"


def test_without_a_record_nothing_is_claimed(tmp_path: Path) -> None:
    assert judge_drift(THEN, {}).verdict is Verdict.SKIP
    assert written(str(tmp_path / "none"), "one") == {}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_a_damaged_record_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with pytest.raises(UnreachableError) as caught:
        written(str(path), "one")
    assert str(path) in caught.value.evidence


def test_a_record_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "managed.json"
    path.write_text(InstallationRecord(hosts={"one": THEN}).model_dump_json(), encoding="utf-8")
    assert written(str(path), "one") == THEN
    assert written(str(path), "two") == {}


def test_fingerprints_are_read() -> None:
    sums = "---- sums\naa  /etc/odbc.ini\ncc  /etc/a b\nee  /etc/gone\n"
    modes = "---- modes\n/etc/odbc.ini\t640 root:asterisk\n/etc/a b\t644 root:root\n"
    assert parse_fingerprints(sums + modes) == {
        "/etc/odbc.ini": "aa 640 root:asterisk",
        "/etc/a b": "cc 644 root:root",
    }
    assert parse_fingerprints("") == {}


def test_files_here_are_looked_at_as_they_are(tmp_path: Path) -> None:
    there, link = tmp_path / "a b", tmp_path / "link"
    there.write_text("uContact\n", encoding="utf-8")
    there.chmod(0o640)
    link.symlink_to(there)
    found = look(LocalRunner(), (str(there), str(tmp_path / "none"), str(link)))
    digest = hashlib.sha256(b"uContact\n").hexdigest()
    owner = f"{there.owner()}:{there.group()}"
    assert found == {
        str(there): f"{digest} 640 {owner}",
        str(link): f"{digest} 777 {owner}",
    }
    assert look(LocalRunner(), (str(tmp_path / "none"),)) == {}


def test_a_host_has_the_files_of_its_roles_each_once() -> None:
    site = small_site()
    paths = managed_paths(make_plan(site, {}).hosts[0])
    assert {"/etc/turnserver.conf", "/etc/nginx/nginx.conf"} < set(paths)
    assert len(paths) == len(set(paths))


def test_every_file_that_a_role_lays_down_whole_is_watched() -> None:
    watched = {path for one in components() for path in one.managed}
    laid_down = {
        f"/{str(path.relative_to(folder)).removesuffix('.j2')}"
        for kind in ("templates", "files")
        for folder in ROLES.glob(f"*/{kind}")
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] in ("etc", "usr")
    }
    # The release's own tree has checks of its own.
    assert laid_down - watched == {"/etc/IntegraServer/integraserver.properties"}
