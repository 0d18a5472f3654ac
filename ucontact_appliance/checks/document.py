"""The document of `doctor --json`, and the verdict over all findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.site.model import Site


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """FAIL when a check failed or could not be carried out, else WARN or PASS.

    An error counts as a failure, and so does what was not judged because another check failed:
    what could not be judged is not known to be good. SKIP when nothing was judged at all.
    """
    verdicts = {Verdict.ERROR if finding.blocked_by else finding.verdict for finding in findings}
    if verdicts & {Verdict.FAIL, Verdict.ERROR}:
        return Verdict.FAIL
    for verdict in (Verdict.WARN, Verdict.PASS):
        if verdict in verdicts:
            return verdict
    return Verdict.SKIP


def to_document(site: Site, time: datetime, findings: Sequence[Finding]) -> dict[str, Any]:
    """The JSON shape that other programs rely on; `time` is an aware time, given in UTC."""
    return {
        "site": site.site,
        "time": time.astimezone(timezone.utc).isoformat(timespec="seconds"),
        "verdict": verdict_of(findings).value,
        "findings": [finding_row(finding) for finding in findings],
    }


def finding_row(finding: Finding) -> dict[str, Any]:
    """A finding as other programs read it."""
    return {
        "id": finding.id,
        "title": finding.title,
        "verdict": finding.verdict.value,
        "severity": finding.severity.value,
        "requirements": list(finding.requirements),
        "host": finding.host,
        "observed": finding.observed,
        "required": finding.required,
        "evidence": finding.evidence,
        "remedy": finding.remedy,
        "blocked_by": finding.blocked_by,
        "seconds": finding.seconds,
    }
