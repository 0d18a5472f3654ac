"""JUnit XML that pipelines read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.findings.test_changes import finding
from tests.unit.report.everything import everything
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Verdict
from ucontact_appliance.report.junit import report_to_junit

TIME = "2026-11-23T10:00:00+00:00"
ALL = (
    finding("a.pass"),
    finding("a.fail", Verdict.FAIL),
    finding("a.error", Verdict.ERROR),
    finding("a.skip", Verdict.SKIP),
    finding("a.warn", Verdict.WARN),
    finding("a.waived", Verdict.FAIL, waived=AppliedWaiver("until then", date(2030, 1, 1))),
    finding("a.fail", Verdict.FAIL, host="two"),
)


def _document(findings: tuple[Finding, ...]) -> bytes:
    report = replace(everything(), site="demo", time=TIME, findings=findings, vulnerabilities=None)
    return report_to_junit(report)


def test_each_host_is_a_suite_with_its_numbers() -> None:
    root = ElementTree.fromstring(_document(ALL))
    one, two, _ = root.findall("testsuite")  # the last one is of vulnerabilities
    numbers = {key: one.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert numbers == {"tests": "6", "failures": "1", "errors": "1", "skipped": "2"}
    assert (two.get("name"), two.get("failures")) == ("two", "1")


def test_cases_tell_what_came_of_them() -> None:
    root = ElementTree.fromstring(_document(ALL))
    cases = {case.get("name", "").partition(":")[0]: case for case in root[0]}
    assert [child.tag for child in cases["a.pass"]] == []
    assert cases["a.fail"][0].tag == "failure"
    assert cases["a.error"][0].tag == "error"
    assert cases["a.warn"][0].tag == "system-out"
    assert cases["a.waived"][0].get("message") == "waived until 2030-01-01: until then"


@given(st.text())
def test_whatever_was_printed_it_is_xml(text: str) -> None:
    broken = replace(finding("a.fail", Verdict.FAIL), observed=text, evidence=text)
    ElementTree.fromstring(_document((broken,)))
