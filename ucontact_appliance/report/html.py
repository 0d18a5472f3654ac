"""A report as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections import Counter

import jinja2

from ucontact_appliance.report.model import Assessment, Report
from ucontact_appliance.resources import TEMPLATES

# What a verdict is called on the page, best reading order for a summary.
VERDICTS = {
    "pass": "met",
    "warn": "met with a remark",
    "fail": "not met",
    "error": "could not be judged",
    "skip": "not verifiable here",
    "manual": "to be looked at by a person",
}


def to_html(report: Report) -> str:
    """The page; every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES / "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        verdicts=VERDICTS,
        counts=Counter(assessment.verdict for assessment in report.assessments),
        check_counts=Counter(finding.verdict.value for finding in report.findings),
        sections=_sections(report),
        problems=[f for f in report.findings if f.verdict.value in ("fail", "error", "warn")],
        skipped=[f for f in report.findings if f.verdict.value == "skip"],
    )


def _sections(report: Report) -> list[tuple[str, list[Assessment]]]:
    """The assessments by group, in the order of the table."""
    return [
        (title, [a for a in report.assessments if a.requirement.group == group])
        for group, title in report.groups.items()
    ]
