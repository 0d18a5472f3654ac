"""What changed between two reports."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.unit.report.samples import finding, report
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Verdict
from ucontact_appliance.errors import UsageError
from ucontact_appliance.report.difference import ChangeDirection, Difference, differences
from ucontact_appliance.report.document import to_document
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.read import SavedReport, components, read_report
from ucontact_appliance.report.write import forms


def kept(*findings: Finding, components: dict[tuple[str, str], str] | None = None) -> SavedReport:
    return SavedReport(to_document(report(*findings)), components or {})


def with_file(made: Report, path: str, told: str) -> SavedReport:
    host = replace(made.hosts[0], files={path: told})
    return SavedReport(to_document(replace(made, hosts=(host,))), {})


def turns(old: SavedReport, new: SavedReport, kind: str) -> dict[str, ChangeDirection]:
    return {one.id: one.turn for one in differences(old, new) if one.kind == kind}


def test_nothing_changed_is_nothing_told() -> None:
    assert differences(kept(), kept()) == ()


def test_each_finding_that_changed_is_told_with_its_turn() -> None:
    old = kept(
        finding("a.worse", Verdict.PASS, "R01"),
        finding("a.better", Verdict.FAIL, "R02"),
        finding("a.gone", Verdict.PASS, "R03"),
        finding("a.blocked", Verdict.WARN, "R04"),
        finding("a.same", Verdict.WARN, "R05"),
    )
    new = kept(
        finding("a.worse", Verdict.FAIL, "R01"),
        finding("a.better", Verdict.PASS, "R02"),
        finding("a.new", Verdict.PASS, "R03"),
        finding("a.blocked", Verdict.SKIP, "R04", blocked_by="a.worse"),
        finding("a.same", Verdict.WARN, "R05"),
    )
    assert turns(old, new, "finding") == {
        "a.worse": ChangeDirection.WORSE,
        "a.better": ChangeDirection.BETTER,
        "a.gone": ChangeDirection.GONE,
        "a.new": ChangeDirection.NEW,
        "a.blocked": ChangeDirection.CHANGED,
    }
    assert turns(old, new, "requirement") == {
        "R01": ChangeDirection.WORSE,
        "R02": ChangeDirection.BETTER,
        "R04": ChangeDirection.WORSE,
    }
    assert differences(old, new)[0].turn is ChangeDirection.WORSE


def test_controls_of_frameworks_are_compared() -> None:
    old = kept(finding("web.header.hsts", Verdict.PASS, "R09"))
    new = kept(finding("web.header.hsts", Verdict.FAIL, "R09"))
    assert (
        turns(old, new, "control")["owasp-headers/Strict-Transport-Security"]
        is ChangeDirection.WORSE
    )


def test_a_waiver_is_no_pass() -> None:
    failed = finding("a", Verdict.FAIL, "R01")
    waived = replace(failed, waived=AppliedWaiver("agreed", date(2027, 1, 1)))
    assert turns(kept(failed), kept(waived), "finding") == {"a": ChangeDirection.BETTER}
    good = finding("a", Verdict.PASS, "R01")
    assert turns(kept(good), kept(waived), "finding") == {"a": ChangeDirection.WORSE}


def test_versions_and_components_that_drifted_are_told() -> None:
    old = kept(
        finding("host.system", Verdict.PASS, "R18", observed="Ubuntu 22.04"),
        components={("one", "nginx"): "1.24", ("one", "left"): "1"},
    )
    new = kept(
        finding("host.system", Verdict.PASS, "R18", observed="Ubuntu 24.04"),
        components={("one", "nginx"): "1.26", ("one", "came"): "2"},
    )
    told = [one for one in differences(old, new) if one.kind in ("version", "component")]
    assert told == [
        Difference(
            ChangeDirection.CHANGED,
            "version",
            "host.system",
            "one",
            "",
            "Ubuntu 22.04",
            "Ubuntu 24.04",
        ),
        Difference(ChangeDirection.CHANGED, "component", "nginx", "one", "", "1.24", "1.26"),
        Difference(ChangeDirection.GONE, "component", "left", "one", "", "1", ""),
        Difference(ChangeDirection.NEW, "component", "came", "one", "", "", "2"),
    ]


def test_a_file_that_drifted_is_told_by_hash_mode_and_owner() -> None:
    old = with_file(report(), "/etc/nginx/nginx.conf", f"{'a' * 64} 644 root:root")
    new = with_file(report(), "/etc/nginx/nginx.conf", f"{'a' * 64} 666 root:root")
    (told,) = [one for one in differences(old, new) if one.kind == "file"]
    assert (told.turn, told.id, told.host) == (
        ChangeDirection.CHANGED,
        "/etc/nginx/nginx.conf",
        "one",
    )
    assert told.before == "aaaaaaaaaaaa… 644 root:root"
    assert told.now == "aaaaaaaaaaaa… 666 root:root"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in forms(report()).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_written_report_is_read_again(folder: Path) -> None:
    assert differences(read_report(folder), kept()) == ()


def test_components_are_those_of_every_device() -> None:
    part = {"name": "nginx", "version": "1.26"}
    bom = {"components": [{"name": "one", "components": [part, {"name": "unversioned"}]}]}
    assert components(bom) == {("one", "nginx"): "1.26"}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("report.json", None, "report.json can't be read"),
        ("report.json", "{", "report.json is not JSON"),
        ("report.json", json.dumps({"schema": 1}), "is not a report of this appliance"),
        ("report.json", "[" * 100_000, "report.json is not JSON"),
        ("sbom.json", None, "sbom.json can't be read"),
        ("sbom.json", "[]", "sbom.json is not a CycloneDX bill of materials"),
        (
            "sbom.json",
            '{"components": [{"components": [{"version": "1"}]}]}',
            "is not a CycloneDX bill",
        ),
    ],
)
def test_what_is_no_report_is_told(folder: Path, name: str, content: str | None, says: str) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(UsageError, match=says):
        read_report(folder)


@pytest.mark.parametrize("name", ["report.json", "sbom.json"])
def test_a_link_is_not_followed(folder: Path, name: str) -> None:
    (folder / name).rename(folder / "other")
    (folder / name).symlink_to(folder / "other")
    with pytest.raises(UsageError, match=f"{name} is refused: symbolic link"):
        read_report(folder)
