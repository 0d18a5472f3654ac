"""A report as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from markupsafe import Markup, escape

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.language.catalogue import ENGLISH, Language
from ucontact_appliance.report import parts
from ucontact_appliance.report.known import STATUSES as FLAWS
from ucontact_appliance.report.model import Report
from ucontact_appliance.templating import environment

# What a verdict over a requirement is called on the page, in reading order.
VERDICTS = {
    "pass": "met",
    "partial": "met as far as seen",
    "attested": "met by a person's word",
    "warn": "met with a remark",
    "waived": "not met, and waived",
    "fail": "not met",
    "error": "could not be judged",
    "skip": "not verifiable here",
    "manual": "for a person to look at",
}
STATUSES = {"effective": "effective", "retired": "retired", "past-support": "past support"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DATES = tuple(f"{{0}} {month} {{1}}" for month in _MONTHS)


# The report in a sentence, by the worst verdict over a requirement.
HEADLINES = {
    "fail": "Not every requirement is met",
    "error": "Not every requirement could be judged",
    "waived": "Every requirement that could be verified is met, but for what is waived",
    "warn": "Every requirement that could be verified is met, with remarks",
    "partial": "Every requirement that could be verified is met",
    "attested": "Every requirement that could be verified is met",
    "pass": "Every requirement that could be verified is met",
}
NOTHING = "Nothing could be verified"
OWN = "The appliance's own requirements"
# How many requirements are what, in parts to be joined.
_MET = "%s of %s requirements are met"
_LEFT = "%s for a person to look at"
_OTHERS = {
    "partial": "%s of them as far as it can be seen from here",
    "attested": "%s of them by a person's word",
    "fail": "%s not met",
    "waived": "%s not met, and waived",
    "error": "%s could not be judged",
}
PARTS = (_MET, *_OTHERS.values(), _LEFT)
METHODS = {
    "probed": "probed live at",
    "read": "read from a file at",
    "attested": "attested at",
}
_CODE = re.compile("`([^`]+)`")
Tally = tuple[tuple[str, int], ...]  # numbers by verdict, in reading order, zeros left out


@dataclass(frozen=True)
class Headline:
    """The report in one sentence, with the verdict that colours it."""

    verdict: str
    text: str


@dataclass(frozen=True)
class Here:
    """What was found on one server."""

    tally: Tally
    findings: tuple[Finding, ...]
    problems: tuple[Finding, ...]
    versions: tuple[Finding, ...]


def to_html(report: Report, words: Language = ENGLISH, tongue: str = "en") -> str:
    """The page; every value is escaped.

    `words` says the page's own words, `tongue` names their language (ISO 639-1); what the report
    holds is in that language already (`report.translated.said_report`).
    """
    jinja = environment("report", html=True)
    jinja.filters["coded"] = coded
    counts = Counter(assessment.verdict for assessment in report.assessments)
    return jinja.get_template("report.html.j2").render(
        report=report,
        t=words.text,
        tongue=tongue,
        time=spoken(report.time, words),
        verdicts=VERDICTS,
        statuses=STATUSES,
        methods=METHODS,
        flaw_statuses=FLAWS,
        headline=headline(counts),
        sentence=sentence(counts, len(report.assessments)),
        counts=counts,
        check_counts=Counter(finding.verdict.value for finding in report.findings),
        tallies=_tallies(report, words),
        by_host={host.name: _here(report, host.name) for host in report.hosts},
        retired=parts.retired(report),
        old=parts.past_support(report.findings),
        sections=parts.sections(report),
        aged=parts.aged(report),
        problems=parts.problems(report.findings),
        waived=parts.waived(report.findings),
        skipped=parts.skipped(report.findings),
        blocked=parts.blocked(report.findings),
        evidence=parts.once(report.findings),
    )


def coded(text: str) -> Markup:
    """The text, escaped, with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def headline(counts: Mapping[str, int]) -> Headline:
    """The sentence for these numbers of requirements by verdict."""
    for verdict, text in HEADLINES.items():
        if counts.get(verdict):
            return Headline("pass" if verdict in ("partial", "attested") else verdict, text)
    return Headline("skip", NOTHING)


def sentence(counts: Mapping[str, int], of: int) -> tuple[str, ...]:
    """How many of so many requirements are what, in parts to be joined."""
    met = sum(counts.get(one, 0) for one in ("pass", "partial", "warn", "attested"))
    told = [part % counts[one] for one, part in _OTHERS.items() if counts.get(one)]
    left = counts.get("manual", 0) + counts.get("skip", 0)
    last = [_LEFT % left] if left else []
    return (_MET % (met, of), *told, *last)


def spoken(time: str, words: Language = ENGLISH) -> str:
    """An ISO 8601 time as `23 November 2026, 02:29 UTC`."""
    moment = datetime.fromisoformat(time).astimezone(timezone.utc)
    day = words.text(DATES[moment.month - 1].format(moment.day, moment.year))
    return f"{day}, {moment:%H:%M} UTC"


def _tally(verdicts: Iterable[str]) -> Tally:
    counts = Counter(verdicts)
    return tuple((verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict])


def _tallies(report: Report, words: Language) -> list[tuple[str, str, Tally]]:
    """The appliance's own requirements, then each framework: name, anchor, numbers."""
    own = _tally(a.verdict for a in report.assessments)
    return [
        (words.text(OWN), "overview", own),
        *(
            (
                f"{one.framework.title} {one.framework.version}",
                one.framework.id,
                _tally(a.verdict for a in one.assessments),
            )
            for one in report.frameworks
        ),
    ]


def _here(report: Report, host: str) -> Here:
    mine = tuple(finding for finding in report.findings if finding.host == host)
    return Here(
        tally=_tally("waived" if f.waived else _colour(f) for f in mine),
        findings=mine,
        problems=tuple(parts.problems(mine)),
        versions=tuple(finding for finding in report.versions if finding.host == host),
    )


def _colour(finding: Finding) -> str:
    return Verdict.ERROR.value if finding.blocked_by else finding.verdict.value
