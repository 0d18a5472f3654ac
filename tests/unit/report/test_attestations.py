"""A person's word stands in for a check that can't be; it never outweighs one that can."""

from __future__ import annotations

from datetime import date

import pytest

from tests.unit.report.samples import finding, report
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.errors import UsageError
from ucontact_appliance.report.attestations import DatedAttestations
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.report.model import Report
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.waivers import Attestation

TODAY = date(2026, 3, 2)  # the day of the samples' report, in UTC
_HEAD = """\
site: demo
fqdn: contact.example.com
agents: 10
hosts: [{name: one, address: 192.0.2.10}]
attestations:
"""


def word(control: str = "R14", seen: str = "2026-01-15", until: str = "2026-12-31") -> Attestation:
    return Attestation(
        control=control,
        statement="five of thirty workstations sampled",
        by="Ana Pérez, quality",
        seen=date.fromisoformat(seen),
        until=date.fromisoformat(until),
    )


def verdict(made: Report, requirement: str) -> str:
    return next(one.verdict for one in made.assessments if one.requirement.id == requirement)


def test_what_no_check_covers_can_be_vouched_for() -> None:
    assert verdict(report(), "R14") == "manual"
    made = report(attestations=[word().model_dump()])
    assert verdict(made, "R14") == "attested"
    (row,) = [one for one in made.assessments if one.requirement.id == "R14"]
    assert row.attestation == word()


def test_a_part_that_is_left_to_a_person_can_be_vouched_for() -> None:
    seen = finding("ports.sip-udp", Verdict.PASS, "R13")
    assert verdict(report(seen), "R13") == "partial"
    assert verdict(report(seen, attestations=[word("R13").model_dump()]), "R13") == "attested"


@pytest.mark.parametrize("found", [Verdict.FAIL, Verdict.ERROR, Verdict.WARN])
def test_a_word_outweighs_no_check(found: Verdict) -> None:
    made = report(finding("ports.sip-udp", found, "R13"), attestations=[word("R13").model_dump()])
    assert verdict(made, "R13") == found.value


def test_a_word_is_no_eye_for_a_check_that_saw_nothing() -> None:
    made = report(
        finding("ports.sip-udp", Verdict.PASS, "R13"),
        finding("ports.rtp", Verdict.SKIP, "R13"),
        attestations=[word("R13").model_dump()],
    )
    assert verdict(made, "R13") == "partial"


@pytest.mark.parametrize(
    ("seen", "until", "holds"),
    [
        ("2026-03-02", "2026-03-02", True),
        ("2025-03-02", "2026-03-01", False),
        ("2026-03-03", "2027-03-03", False),
    ],
)
def test_a_word_holds_from_the_day_of_looking_to_its_last(
    seen: str, until: str, holds: bool
) -> None:
    found = DatedAttestations((word(seen=seen, until=until),), TODAY).word_for("R14")
    assert (found is not None) is holds


def test_the_newest_word_counts() -> None:
    old, new = word(seen="2026-01-01"), word(seen="2026-02-01")
    assert DatedAttestations((new, old), TODAY).word_for("R14") == new


def test_a_frameworks_control_can_be_vouched_for() -> None:
    name = "iso-27001/8.10"
    assert name in control_ids()
    made = report(attestations=[word(name).model_dump()])
    (row,) = [
        control
        for one in made.frameworks
        if one.framework.id == "iso-27001"
        for control in one.assessments
        if control.control.id == "8.10"
    ]
    assert row.attestation == word(name)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("control: R41", "line 6: attestations[0].control: there is no control 'R41'; did you"),
        ("control: pci-dss/9", "there is no control 'pci-dss/9'"),
        ("until: 2026-01-01", "'until' (2026-01-01) is before 'seen' (2026-01-15)"),
        ("seen: 20260115", "write the date as 2027-01-31"),
        ("statement: fine", "attestations[0].statement"),
        ("by: ''", "attestations[0].by"),
        ("whom: me", "whom"),
    ],
)
def test_a_mistake_is_told_with_its_line(row: str, says: str) -> None:
    good = {
        "control": "R14",
        "statement": "five of thirty workstations sampled",
        "by": "Ana Pérez",
        "seen": "2026-01-15",
        "until": "2026-12-31",
    }
    key, _, value = row.partition(": ")
    text = ", ".join(f"{name}: {said}" for name, said in ({**good, key: value}).items())
    with pytest.raises(UsageError) as refused:
        parse_site(f"{_HEAD}  - {{{text}}}\n", known_controls=control_ids())
    assert says in refused.value.evidence
