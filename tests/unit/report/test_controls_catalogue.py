"""The files of data/controls, held against the registry of checks."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

import pytest

from ucontact_appliance.checks.model import Severity, Stage
from ucontact_appliance.findings.registry import CHECKS, IDS
from ucontact_appliance.report.compose import requirements
from ucontact_appliance.report.controls import NAMES, Control, Framework, frameworks
from ucontact_appliance.resources import DATA, ROOT, load_data

CONTROLS = [
    pytest.param(framework, control, id=f"{framework.id}-{control.id}")
    for framework in frameworks()
    for control in framework.controls
]
by_framework = pytest.mark.parametrize("framework", frameworks(), ids=lambda one: str(one.id))


def test_no_file_of_the_folder_is_lost() -> None:
    files = {path.stem for path in (DATA / "controls").iterdir()}
    assert files == set(NAMES)
    assert [framework.id for framework in frameworks()] == list(NAMES)


@by_framework
def test_no_control_of_the_file_is_lost(framework: Framework) -> None:
    rows = load_data(f"controls/{framework.id}")["controls"]
    assert [control.id for control in framework.controls] == [row["id"] for row in rows]
    assert len({control.id for control in framework.controls}) == len(rows)


@by_framework
def test_a_framework_has_a_fair_number_of_controls_and_some_that_checks_show(
    framework: Framework,
) -> None:
    shown = [control for control in framework.controls if control.checks]
    assert len(framework.controls) >= 12
    assert len(shown) >= len(framework.controls) / 3


@pytest.mark.parametrize(("framework", "control"), CONTROLS)
def test_every_check_that_is_named_exists_and_is_named_once(
    framework: Framework, control: Control
) -> None:
    assert [name for name in control.checks if name not in IDS] == []
    assert [name for name, times in Counter(control.checks).items() if times > 1] == []


@pytest.mark.parametrize(("framework", "control"), CONTROLS)
def test_a_control_has_checks_or_tells_a_person_where_to_look(
    framework: Framework, control: Control
) -> None:
    assert control.checks or control.look


@pytest.mark.parametrize(("framework", "control"), CONTROLS)
def test_texts_end_as_the_page_needs_them(framework: Framework, control: Control) -> None:
    assert not control.title.endswith(".")
    assert not control.required.endswith(".")  # the page ends the sentence
    assert not control.look or re.search(r"[.?]$", control.look)


def test_every_named_check_leaves_a_finding_in_a_report_of_any_site() -> None:
    # What runs before an installation only, or on some sites only, would never be seen by a report.
    named = {name for one in frameworks() for control in one.controls for name in control.checks}
    lasting = {
        check.id
        for check in CHECKS
        if check.without is None and check.stages & {Stage.DOCTOR, Stage.DEEP}
    }
    assert named - lasting == set()


def test_every_check_that_hurts_serves_a_control_or_a_requirement() -> None:
    named = {name for one in frameworks() for control in one.controls for name in control.checks}
    known = {requirement.id for requirement in requirements()}
    serious = [check for check in CHECKS if check.severity in (Severity.HIGH, Severity.CRITICAL)]
    lost = [
        check.id for check in serious if not (check.id in named or known & {*check.requirements})
    ]
    assert serious
    assert lost == []


def test_what_protects_a_site_is_in_a_framework_too() -> None:
    # R and C numbers are the product's own: an outsider asks for these by his own lists.
    named = {name for one in frameworks() for control in one.controls for name in control.checks}
    protects = {
        check.id
        for check in CHECKS
        if check.id.startswith(("firewall.", "web.header."))
        or check.id.endswith((".versions", ".secrecy", ".trust"))
    }
    least = {"mysql.plaintext", "asterisk.jail", "certificates.modes", "disk.retention"}
    assert (protects | least) - named == set()


@pytest.mark.parametrize(("framework", "control"), CONTROLS)
def test_a_retired_control_says_since_when_and_why(framework: Framework, control: Control) -> None:
    if control.status is None:
        return
    assert date(2000, 1, 1) < control.status.since < date(2030, 1, 1)
    assert control.status.why
    assert control.look, "what is advised in its place is said"


def test_headers_that_browsers_gave_up_are_retired() -> None:
    headers = next(one for one in frameworks() if one.id == "owasp-headers")
    retired = {control.id for control in headers.controls if control.status}
    assert {"Public-Key-Pins", "X-XSS-Protection"} <= retired
    sent = load_data("headers")
    asked = {control.id.lower() for control in headers.controls}
    assert {row["name"].lower() for row in sent["headers"]} <= asked
    assert {row["name"].lower() for row in sent["not_sent"]} <= asked


def test_the_guideline_of_tls_is_the_one_that_is_set_up() -> None:
    tls = next(one for one in frameworks() if one.id == "mozilla-tls")
    assert tls.version == load_data("tls")["guideline"]["version"]


def test_texts_name_only_checks_that_exist() -> None:
    prefixes = "|".join(sorted({re.escape(name.split(".")[0]) for name in IDS}))
    word = re.compile(rf"(?<![\w/.-])(?:{prefixes})\.[a-z_-]+(?:\.[a-z_-]+)*(?![\w/.]*[\w/])")
    told = " ".join(
        f"{control.look} {control.required}" for one in frameworks() for control in one.controls
    )
    others = {"mysql.service", "mysql.user", "site.yml"}  # a unit, a table and a file
    found = set(word.findall(told))
    assert "mysql.accounts" in found
    assert found - others - IDS == set()


def test_the_page_of_frameworks_names_every_file_and_version() -> None:
    page = (ROOT / "docs" / "controls.md").read_text(encoding="utf-8")
    for framework in frameworks():
        row = next(line for line in page.splitlines() if f"`{framework.id}.yml`" in line)
        assert framework.version.removeprefix("list of ")[:4] in row
