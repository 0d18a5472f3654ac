"""Selections of a report's findings and requirements that readers look for first. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.report.controls import ControlAssessment, Framework
from ucontact_appliance.report.model import Assessment, Report

_SUPPORT = "lifecycle."  # the checks of vendor support
_PROBLEMS = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN)  # worst first


def sections(report: Report) -> list[tuple[str, list[Assessment]]]:
    """Return the assessments by group, in the order of data/requirements.yml."""
    return [
        (title, [a for a in report.assessments if a.requirement.group == group])
        for group, title in report.groups.items()
    ]


def aged(report: Report) -> list[Assessment]:
    """Return the requirements that are retired or past support."""
    return [a for a in report.assessments if a.requirement.status != "effective"]


def retired(report: Report) -> list[tuple[Framework, ControlAssessment]]:
    """Return the frameworks' controls that are retired."""
    return [
        (one.framework, assessed)
        for one in report.frameworks
        for assessed in one.assessments
        if assessed.control.status is not None
    ]


def past_support(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings of components whose vendor support has ended or soon ends."""
    return [f for f in findings if f.id.startswith(_SUPPORT) and f.verdict in _PROBLEMS]


def problems(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that need attention, worst first; waived ones do not."""
    return [
        finding
        for verdict in _PROBLEMS
        for finding in findings
        if finding.verdict is verdict and finding.waived is None
    ]


def waived(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that site.yml waives."""
    return [finding for finding in findings if finding.waived and not finding.blocked_by]


def skipped(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings of checks that can't see their subject from here."""
    return [f for f in findings if f.verdict is Verdict.SKIP and not f.blocked_by]


def blocked(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that were not judged because another check did not pass."""
    return [finding for finding in findings if finding.blocked_by and finding.waived is None]


def once(findings: Sequence[Finding]) -> list[tuple[Finding, Finding | None]]:
    """Return each finding, with its host's earlier finding that has the same evidence, if any."""
    first: dict[tuple[str, str], Finding] = {}
    rows: list[tuple[Finding, Finding | None]] = []
    for finding in findings:
        earlier = first.setdefault((finding.host, finding.evidence), finding)
        rows.append((finding, earlier if finding.evidence and earlier is not finding else None))
    return rows
