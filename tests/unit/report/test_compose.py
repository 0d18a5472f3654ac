from collections import Counter

import pytest

from tests.unit.report.samples import FINDINGS, finding, report
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.findings.registry import CHECKS
from ucontact_appliance.report.compose import assess, requirements
from ucontact_appliance.report.html import STATUSES
from ucontact_appliance.report.model import Requirement
from ucontact_appliance.report.verdicts import MANUAL, PARTIAL
from ucontact_appliance.resources import load_data

# SPEC.md: R01 to R25 and C01 to C07
_IDS = [f"R{n:02}" for n in range(1, 26)] + [f"C{n:02}" for n in range(1, 8)]
_PLAIN = Requirement("R01", "access", "Portal", "It answers", "effective")


def test_every_requirement_is_in_the_catalogue_once_and_in_order() -> None:
    assert [requirement.id for requirement in requirements()] == _IDS


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.id)
def test_a_requirement_is_complete(requirement: Requirement) -> None:
    assert requirement.group in load_data("requirements")["groups"]
    assert requirement.title
    assert requirement.required
    assert not requirement.required.endswith(".")  # the page ends the sentence
    assert requirement.status in STATUSES
    if requirement.status != "effective":
        assert requirement.note, "an aged promise says since when"


def test_what_no_check_covers_tells_a_person_where_to_look() -> None:
    covered = {name for check in CHECKS for name in check.requirements}
    assert covered <= set(_IDS)
    silent = [r.id for r in requirements() if r.id not in covered and not r.manual]
    assert silent == []


def test_the_checks_that_tell_versions_exist() -> None:
    known = {check.id for check in CHECKS}
    named = load_data("requirements")["versions"]
    assert set(named) <= known
    assert [name for name, times in Counter(named).items() if times > 1] == []


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], MANUAL),
        (["pass"], "pass"),
        (["pass", "warn"], "warn"),
        (["warn", "error", "pass"], "error"),
        (["error", "fail", "skip"], "fail"),
        (["skip", "skip"], "skip"),
        (["pass", "skip"], PARTIAL),
        (["warn", "skip"], "warn"),
    ],
)
def test_a_requirement_is_as_good_as_its_worst_finding(verdicts: list[str], expected: str) -> None:
    findings = [finding(f"a.{n}", Verdict(v), "R01") for n, v in enumerate(verdicts)]
    other = finding("b.other", Verdict.FAIL, "R02")
    assessment = assess(_PLAIN, [*findings, other])
    assert assessment.verdict == expected
    assert other not in assessment.findings


@pytest.mark.parametrize(
    ("others", "expected"), [([], "error"), (["pass"], "error"), (["fail"], "fail")]
)
def test_what_a_failure_elsewhere_blocks_is_not_met(others: list[str], expected: str) -> None:
    blocked = finding("a.b", Verdict.SKIP, "R01", blocked_by="host.reachable")
    findings = [blocked, *(finding(f"a.{v}", Verdict(v), "R01") for v in others)]
    assert assess(_PLAIN, findings).verdict == expected


def test_a_run_with_blocked_checks_is_no_success() -> None:
    assert report(finding("a.b", Verdict.SKIP, "R01", blocked_by="x.y")).verdict == "fail"


def test_what_a_person_must_look_at_is_never_wholly_met() -> None:
    requirement = Requirement("R13", "sizing", "t", "r", "effective", manual="Look at the cards.")
    assert assess(requirement, [finding("a.b", Verdict.PASS, "R13")]).verdict == PARTIAL


def test_the_report_of_a_run() -> None:
    made = report()
    verdicts = {a.requirement.id: a.verdict for a in made.assessments}
    assert verdicts["R01"] == PARTIAL
    assert verdicts["R03"] == "skip"
    assert verdicts["R09"] == verdicts["R10"] == "fail"
    assert verdicts["R13"] == PARTIAL
    assert verdicts["R14"] == MANUAL
    assert verdicts["R24"] == "error"
    assert made.time == "2026-03-02T02:30:05+00:00"
    assert made.verdict == "fail"
    assert made.findings == FINDINGS
    assert [version.id for version in made.versions] == ["host.system"]
    assert made.hosts[0].system == "Ubuntu 24.04.1 LTS"
