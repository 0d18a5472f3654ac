"""A report as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

import jinja2

from ucontact_appliance.report import parts
from ucontact_appliance.report.model import Report
from ucontact_appliance.resources import TEMPLATES

# What a verdict over a requirement is called on the page, in reading order.
VERDICTS = {
    "pass": "met",
    "partial": "met as far as seen",
    "warn": "met with a remark",
    "waived": "not met, and waived",
    "fail": "not met",
    "error": "could not be judged",
    "skip": "not verifiable here",
    "manual": "for a person to look at",
}
STATUSES = {"effective": "effective", "retired": "retired", "past-support": "past support"}


@dataclass(frozen=True)
class Headline:
    """The report in one sentence, with the verdict that colours it."""

    verdict: str
    text: str


def to_html(report: Report) -> str:
    """The page; every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES / "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    counts = Counter(assessment.verdict for assessment in report.assessments)
    return environment.get_template("report.html.j2").render(
        report=report,
        time=spoken(report.time),
        verdicts=VERDICTS,
        statuses=STATUSES,
        headline=headline(counts),
        counts=counts,
        check_counts=Counter(finding.verdict.value for finding in report.findings),
        sections=parts.sections(report),
        aged=parts.aged(report),
        problems=parts.problems(report.findings),
        waived=parts.waived(report.findings),
        skipped=parts.skipped(report.findings),
        blocked=parts.blocked(report.findings),
        evidence=parts.once(report.findings),
    )


def headline(counts: Mapping[str, int]) -> Headline:
    """The sentence for these numbers of requirements by verdict."""
    texts = {
        "fail": "Not every requirement is met",
        "error": "Not every requirement could be judged",
        "waived": "Every requirement that could be verified is met, but for what is waived",
        "warn": "Every requirement that could be verified is met, with remarks",
        "partial": "Every requirement that could be verified is met",
        "pass": "Every requirement that could be verified is met",
    }
    for verdict, text in texts.items():
        if counts.get(verdict):
            return Headline("pass" if verdict == "partial" else verdict, text)
    return Headline("skip", "Nothing could be verified")


def spoken(time: str) -> str:
    """An ISO 8601 time as `23 November 2026, 02:29 UTC`."""
    moment = datetime.fromisoformat(time).astimezone(timezone.utc)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
