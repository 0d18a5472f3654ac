import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest
from jsonschema import Draft202012Validator

from tests.unit.checks.subjects import check, subjects
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import (
    AppliedWaiver,
    Finding,
    Severity,
    Verdict,
    failed,
    warned,
)
from ucontact_appliance.findings.changes import EarlierFinding, compare
from ucontact_appliance.findings.document import schema, schema_text, to_document, verdict_of
from ucontact_appliance.findings.run import run_tasks, tasks_for
from ucontact_appliance.resources import ROOT


def _finding(verdict: Verdict) -> Finding:
    return Finding(
        "a.b",
        "title",
        verdict,
        Severity.HIGH,
        ("R09",),
        "one",
        "seen",
        "wanted",
        "$ x",
        "do",
        None,
        0.5,
    )


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ([Verdict.PASS, Verdict.SKIP], Verdict.PASS),
        ([Verdict.PASS, Verdict.WARN], Verdict.WARN),
        ([Verdict.WARN, Verdict.ERROR], Verdict.FAIL),
        ([Verdict.FAIL], Verdict.FAIL),
        ([Verdict.SKIP], Verdict.SKIP),
        ([], Verdict.SKIP),
    ],
)
def test_verdict(verdicts: list[Verdict], overall: Verdict) -> None:
    assert verdict_of([_finding(verdict) for verdict in verdicts]) is overall


def test_the_document_that_other_programs_read() -> None:
    here = datetime(2026, 11, 23, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))
    document = to_document(small_site(), here, [_finding(Verdict.FAIL)])
    assert json.loads(json.dumps(document)) == {
        "site": "demo",
        "time": "2026-11-23T02:05:06+00:00",
        "verdict": "fail",
        "findings": [
            {
                "id": "a.b",
                "title": "title",
                "verdict": "fail",
                "severity": "high",
                "requirements": ["R09"],
                "host": "one",
                "observed": "seen",
                "required": "wanted",
                "evidence": "$ x",
                "remedy": "do",
                "blocked_by": None,
                "blocked_on": None,
                "seconds": 0.5,
                "waived": None,
            }
        ],
        "causes": [
            {
                "id": "a.b",
                "hosts": ["one"],
                "severity": "high",
                "title": "title",
                "observed": "seen",
                "remedy": "do",
                "behind": [],
            }
        ],
    }


NOW = datetime(2026, 11, 23, 4, 5, 6, tzinfo=timezone.utc)


def test_a_run_as_it_is_printed_fits_the_published_schema() -> None:
    catalogue = (
        check("host.reachable"),
        check("a.broken", lambda subject: failed("seen", "wanted", "$ x")),
        check("b.behind", lambda subject: warned("never judged"), "a.broken"),
    )
    findings = run_tasks(
        tasks_for(catalogue, subjects()), lambda finding, host: finding, lambda finding: None
    )
    findings = (
        replace(findings[0], waived=AppliedWaiver("moved", date(2026, 12, 1))),
        *findings[1:],
    )
    changes = compare([EarlierFinding("gone.check", "one", "was there", "pass")], findings, NOW)
    document = json.loads(json.dumps(to_document(small_site(), NOW, findings, changes)))
    Draft202012Validator.check_schema(schema())
    validator = Draft202012Validator(schema())
    validator.validate(document)
    assert document["findings"][0]["waived"] == {"reason": "moved", "until": "2026-12-01"}
    assert {row["kind"] for row in document["changes"]["rows"]} == {"new", "gone"}
    # The schema holds what programs rely on: without any one of these it is broken. Documents that
    # were kept before a key came have it not.
    for key in document["findings"][0].keys() - {"blocked_on"}:
        part = {name: value for name, value in document["findings"][0].items() if name != key}
        assert not validator.is_valid({**document, "findings": [part]}), key
    assert not validator.is_valid({**document, "verdict": "good"})


def test_the_published_schema_is_the_models_own() -> None:
    # mend it with: python -m ucontact_appliance.findings.document > docs/schemas/doctor.schema.json
    published = ROOT / "docs" / "schemas" / "doctor.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text()


def test_what_is_waived_does_not_count() -> None:
    waived = replace(_finding(Verdict.FAIL), waived=AppliedWaiver("known", date(2026, 12, 1)))
    assert verdict_of([waived, _finding(Verdict.PASS)]) is Verdict.PASS
    assert verdict_of([waived, _finding(Verdict.FAIL)]) is Verdict.FAIL
    assert verdict_of([waived]) is Verdict.SKIP


def test_what_is_blocked_is_not_known_to_be_good() -> None:
    behind = replace(_finding(Verdict.SKIP), blocked_by="a.b")
    assert verdict_of([behind, _finding(Verdict.PASS)]) is Verdict.FAIL
