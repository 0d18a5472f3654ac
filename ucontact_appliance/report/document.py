"""A report as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ucontact_appliance.checks.document import finding_row
from ucontact_appliance.report.model import Assessment, Report

SCHEMA = 1


def to_json(report: Report) -> str:
    """The whole report; requirements name their findings by check and host."""
    document = {
        "schema": SCHEMA,
        "appliance": report.appliance,
        "site": report.site,
        "fqdn": report.fqdn,
        "size": report.size,
        "agents": report.agents,
        "time": report.time,
        "verdict": report.verdict,
        "hosts": [asdict(host) for host in report.hosts],
        "versions": [
            {"check": finding.id, "host": finding.host, "observed": finding.observed}
            for finding in report.versions
        ],
        "requirements": [_row(assessment) for assessment in report.assessments],
        "findings": [finding_row(finding) for finding in report.findings],
        "limits": list(report.limits),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _row(assessment: Assessment) -> dict[str, Any]:
    requirement = assessment.requirement
    return {
        "id": requirement.id,
        "group": requirement.group,
        "title": requirement.title,
        "required": requirement.required,
        "status": requirement.status,
        "note": requirement.note,
        "manual": requirement.manual,
        "verdict": assessment.verdict,
        "observed": [
            {
                "check": finding.id,
                "host": finding.host,
                "verdict": finding.verdict.value,
                "observed": finding.observed,
                "evidence": finding.evidence,
            }
            for finding in assessment.findings
        ],
    }
