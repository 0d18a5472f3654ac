"""What is waived, as an auditor gets to see it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timezone

import pytest

from tests.unit.findings.test_changes import finding
from tests.unit.report.samples import SURVEY
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Verdict
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.report.compose import assess, compose, requirements
from ucontact_appliance.report.document import to_json
from ucontact_appliance.report.html import to_html
from ucontact_appliance.report.model import Report

R01 = next(row for row in requirements() if row.id == "R01")
GOOD = replace(finding("tls.good"), requirements=("R01",))
WAIVED = replace(
    finding("tls.chain", Verdict.FAIL),
    requirements=("R01",),
    waived=AppliedWaiver("a new one is <ordered>", date(2027, 1, 31)),
)
BROKEN = replace(WAIVED, id="tls.name", waived=None)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([GOOD, WAIVED], "waived"),
        ([WAIVED], "waived"),
        ([GOOD, WAIVED, BROKEN], "fail"),
        ([GOOD, replace(WAIVED, verdict=Verdict.SKIP, blocked_by="x.y")], "waived"),
        # A remark is one, waived or not: the requirement is met.
        ([GOOD, replace(WAIVED, verdict=Verdict.WARN)], "warn"),
    ],
)
def test_a_requirement_behind_a_waiver_is_never_met(findings: list[Finding], verdict: str) -> None:
    assert assess(R01, findings).verdict == verdict


def report() -> Report:
    site = small_site()
    now = datetime(2026, 11, 23, 3, 30, tzinfo=timezone.utc)
    return compose(site, make_plan(site, {}), {"one": SURVEY}, [GOOD, WAIVED], now)


def test_the_page_tells_reason_and_last_day() -> None:
    page = to_html(report())
    assert "Waivers" in page
    assert "a new one is &lt;ordered&gt; <small>until 2027-01-31</small>" in page
    assert "except those waived" in page
    assert "No check needs attention." in page


def test_the_document_tells_it_too() -> None:
    document = json.loads(to_json(report()))
    assert document["findings"][1]["waived"] == {
        "reason": "a new one is <ordered>",
        "until": "2027-01-31",
    }
    assert (
        next(row for row in document["requirements"] if row["id"] == "R01")["verdict"] == "waived"
    )
