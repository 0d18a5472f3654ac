import json
from datetime import datetime, timedelta, timezone

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.checks.document import to_document, verdict_of
from ucontact_appliance.checks.model import Finding, Severity, Verdict


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
                "seconds": 0.5,
            }
        ],
    }
