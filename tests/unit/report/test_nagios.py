"""The line that Nagios and Icinga read, held against the guidelines' own grammar."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from tests.unit.findings.test_changes import finding
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Verdict
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.findings.translated import translated
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.nagios import NagiosStatus, status_of, to_line, trouble_line

# 'label'=value[UOM];[warn];[crit];[min];[max]
_DATUM = re.compile(r"[a-z_]+=-?[0-9.]+(s|%|[KMG]?B|c)?(;[0-9.]*){0,4}")
GOOD, WARNED = finding("a.a"), finding("b.b", Verdict.WARN)
BROKEN, ERROR = finding("c.c", Verdict.FAIL), finding("d.d", Verdict.ERROR)
BEHIND = finding("e.e", Verdict.SKIP, blocked_by="c.c")
WAIVED = replace(BROKEN, id="f.f", waived=AppliedWaiver("known", date(2027, 1, 1)))


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([GOOD], NagiosStatus.OK),
        ([GOOD, finding("s.s", Verdict.SKIP)], NagiosStatus.OK),
        ([GOOD, WAIVED], NagiosStatus.OK),
        ([GOOD, WARNED], NagiosStatus.WARNING),
        ([WARNED, ERROR], NagiosStatus.UNKNOWN),
        ([WARNED, ERROR, BROKEN, BEHIND], NagiosStatus.CRITICAL),
        ([], NagiosStatus.UNKNOWN),
    ],
)
def test_status(findings: list[Finding], status: NagiosStatus) -> None:
    assert status_of(findings) is status


def test_all_is_well() -> None:
    assert to_line([GOOD, GOOD], 4.2) == (
        "UCONTACT OK - 2 passed | passed=2;;;0;2 warned=0;0;;0;2 failed=0;;0;0;2 errors=0;;0;0;2 "
        "skipped=0;;;0;2 blocked=0;;;0;2 waived=0;;;0;2 time=4.200s;;;0"
    )


def test_the_cause_is_named_and_its_symptoms_counted() -> None:
    text, __, data = to_line([GOOD, WARNED, BROKEN, BEHIND, WAIVED], 1).partition(" | ")
    assert text == (
        "UCONTACT CRITICAL - 1 failed: c.c on one (seen); 1 blocked by them; "
        "1 warned: b.b on one (seen); 1 waived"
    )
    assert all(_DATUM.fullmatch(datum) for datum in data.split())
    assert len(data.split()) == 8


def test_what_was_seen_breaks_neither_the_line_nor_its_data() -> None:
    line = to_line([replace(BROKEN, observed="a | b\nc\tä" + "x" * 500)], 1)
    assert line.count("|") == 1
    assert "\n" not in line
    assert "a / b c äxxx" in line
    assert len(line) < 400


def test_many_causes_are_named_in_part() -> None:
    many = [replace(BROKEN, id=f"c.{number}") for number in range(9)]
    assert "9 failed: c.0 on one" in to_line(many, 1)
    assert "and 4 more" in to_line(many, 1)


def test_what_kept_the_checks_from_running() -> None:
    told = trouble_line(UnreachableError("no site file", evidence="x | y\nz"))
    assert told == "UCONTACT UNKNOWN - no site file: x / y z"


def test_the_line_in_spanish_keeps_its_status_and_its_data() -> None:
    translate = translation(Language.ES)
    findings = [GOOD, WARNED, replace(BROKEN, observed=_("not enabled")), BEHIND, WAIVED]
    text, __, data = to_line(translated(findings, translate), 1, translate).partition(" | ")
    assert text == (
        "UCONTACT CRITICAL - 1 con falla: c.c en one (no habilitado); "
        "1 sin evaluar por esa causa; 1 con aviso: b.b en one (seen); 1 exceptuado"
    )
    assert data == to_line(findings, 1).partition(" | ")[2]
    many = [replace(BROKEN, id=f"c.{number}") for number in range(9)]
    assert "y 4 más" in to_line(many, 1, translate)
    told = trouble_line(UnreachableError(_("MySQL can't be reached"), evidence="x"), translate)
    assert told == "UCONTACT UNKNOWN - no se llega a MySQL: x"
