"""Combine findings into one verdict: how far a requirement or a control is verified. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.model import Finding, Verdict

MANUAL = "manual"
ATTESTED = "attested"
PARTIAL = "partial"
WAIVED = "waived"
# Worst first: a requirement or control is as good as its worst finding.
_ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN, Verdict.PASS, Verdict.SKIP)


def assessed(findings: Sequence[Finding], left_to_a_person: bool) -> str:
    """Return the verdict over the findings of one requirement or control.

    `left_to_a_person` says that they verify only a part. The result is a value of
    `report.model.Assessment.verdict`: 'fail', 'error', 'warn', 'pass', 'skip', or one of MANUAL,
    PARTIAL and WAIVED.
    """
    # A blocked check was not judged, which differs from one that can't see its subject (skip).
    seen = {
        Verdict.ERROR if finding.blocked_by else finding.verdict
        for finding in findings
        if finding.waived is None or finding.verdict is Verdict.WARN
    }
    worst = next((verdict for verdict in _ORDER if verdict in seen), None)
    excepted = any(f.waived and f.verdict is not Verdict.WARN for f in findings)
    if excepted and worst not in (Verdict.FAIL, Verdict.ERROR):
        return WAIVED
    if worst is None:
        return MANUAL
    unseen = Verdict.SKIP in seen or left_to_a_person
    return PARTIAL if worst is Verdict.PASS and unseen else worst.value
