"""One verdict over several findings: how far a requirement or a control is shown to hold. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.model import Finding, Verdict

MANUAL = "manual"
ATTESTED = "attested"
PARTIAL = "partial"
WAIVED = "waived"
# The worst first: what is assessed is as good as its worst finding.
_ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN, Verdict.PASS, Verdict.SKIP)


def assessed(findings: Sequence[Finding], left_to_a_person: bool) -> str:
    """The verdict over findings that all belong to one requirement or control.

    `left_to_a_person` says that they show a part only. What comes back is a word of
    `report.model.Assessment.verdict`: 'fail', 'error', 'warn', 'pass', 'skip', or one of MANUAL,
    PARTIAL and WAIVED.
    """
    # What builds on a failed check was not judged: that is not the same as not to be seen.
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
