"""A report as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from markupsafe import Markup, escape

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.language.catalogue import Translate, english
from ucontact_appliance.language.messages import Message, _, ngettext
from ucontact_appliance.language.words import word
from ucontact_appliance.report import parts
from ucontact_appliance.report.known import STATUSES as FLAWS
from ucontact_appliance.report.model import Report
from ucontact_appliance.templating import environment

# The names of the verdicts over requirements on the page, in display order.
VERDICTS = {
    "pass": _("met"),
    "partial": _("met as far as verified"),
    "attested": _("met by attestation"),
    "warn": _("met with a remark"),
    "waived": _("not met, and waived"),
    "fail": _("not met"),
    "error": _("could not be judged"),
    "skip": _("not verifiable here"),
    "manual": _("for manual review"),
}
STATUSES = {"effective": _("effective"), "retired": _("retired"), "past-support": _("past support")}
_DATES = (
    _("{day} January {year}"),
    _("{day} February {year}"),
    _("{day} March {year}"),
    _("{day} April {year}"),
    _("{day} May {year}"),
    _("{day} June {year}"),
    _("{day} July {year}"),
    _("{day} August {year}"),
    _("{day} September {year}"),
    _("{day} October {year}"),
    _("{day} November {year}"),
    _("{day} December {year}"),
)
SIZES = {
    "small": _("small site"),
    "medium": _("medium site"),
    "big": _("big site"),
}

# The report's headline, by the worst verdict over a requirement.
HEADLINES = {
    "fail": _("Not every requirement is met"),
    "error": _("Not every requirement could be judged"),
    "waived": _("Every requirement that could be verified is met, except those waived"),
    "warn": _("Every requirement that could be verified is met, with remarks"),
    "partial": _("Every requirement that could be verified is met"),
    "attested": _("Every requirement that could be verified is met"),
    "pass": _("Every requirement that could be verified is met"),
}
NOTHING = _("Nothing could be verified")
OWN = _("The appliance's own requirements")
# The number of requirements per verdict, as parts of a sentence.
_OTHERS = {
    "partial": _("{count} of them as far as could be verified"),
    "attested": _("{count} of them by attestation"),
    "fail": _("{count} not met"),
    "waived": _("{count} not met, and waived"),
    "error": _("{count} could not be judged"),
}
METHODS = {
    "probed": _("probed live at"),
    "read": _("read from a file at"),
    "attested": _("attested at"),
}
_CODE = re.compile("`([^`]+)`")
Tally = tuple[tuple[str, int], ...]  # counts by verdict, in display order, without zeros


@dataclass(frozen=True)
class Headline:
    """The report in one sentence, with the verdict that sets its colour."""

    verdict: str
    text: str


@dataclass(frozen=True)
class HostSummary:
    """The findings of one server."""

    tally: Tally
    findings: tuple[Finding, ...]
    problems: tuple[Finding, ...]
    versions: tuple[Finding, ...]


def to_html(report: Report, translate: Translate = english, language: str = "en") -> str:
    """Return the page; every value is escaped.

    `translate` translates the page's own words into `language` (ISO 639-1). The report's content
    is in that language already (`report.translated.translated_report`).
    """
    jinja = environment("report", html=True, extensions=["jinja2.ext.i18n"])
    jinja.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: translate(_(text)),
        ngettext=lambda one, many, count: translate(ngettext(one, many, count)),
        newstyle=True,
    )
    jinja.filters["coded"] = coded
    jinja.globals |= {"translate": translate, "word": word}
    counts = Counter(assessment.verdict for assessment in report.assessments)
    return jinja.get_template("report.html.j2").render(
        report=report,
        language=language,
        time=long_date(report.time, translate),
        verdicts=VERDICTS,
        statuses=STATUSES,
        methods=METHODS,
        flaw_statuses=FLAWS,
        sizes=SIZES,
        headline=headline(counts),
        sentence=sentence(counts, len(report.assessments)),
        counts=counts,
        check_counts=Counter(finding.verdict.value for finding in report.findings),
        tallies=_tallies(report, translate),
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
    """Return the escaped text, with text between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def headline(counts: Mapping[str, int]) -> Headline:
    """Return the headline for these counts of requirements by verdict."""
    for verdict, text in HEADLINES.items():
        if counts.get(verdict):
            return Headline("pass" if verdict in ("partial", "attested") else verdict, text)
    return Headline("skip", NOTHING)


def sentence(counts: Mapping[str, int], of: int) -> tuple[Message, ...]:
    """Return the counts of the `of` requirements by verdict, as parts of a sentence."""
    met = sum(counts.get(one, 0) for one in ("pass", "partial", "warn", "attested"))
    told = [part.filled(count=counts[one]) for one, part in _OTHERS.items() if counts.get(one)]
    left = counts.get("manual", 0) + counts.get("skip", 0)
    last = [_("{count} for manual review", count=left)] if left else []
    return (_("{met} of {count} requirements are met", met=met, count=of), *told, *last)


def long_date(time: str, translate: Translate = english) -> str:
    """Return an ISO 8601 time as `23 November 2026, 02:29 UTC`."""
    moment = datetime.fromisoformat(time).astimezone(timezone.utc)
    day = translate(_DATES[moment.month - 1].filled(day=moment.day, year=moment.year))
    return f"{day}, {moment:%H:%M} UTC"


def _tally(verdicts: Iterable[str]) -> Tally:
    counts = Counter(verdicts)
    return tuple((verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict])


def _tallies(report: Report, translate: Translate) -> list[tuple[str, str, Tally]]:
    """Return name, anchor and counts of the appliance's requirements, then of each framework."""
    own = _tally(a.verdict for a in report.assessments)
    return [
        (translate(OWN), "overview", own),
        *(
            (
                f"{one.framework.title} {one.framework.version}",
                one.framework.id,
                _tally(a.verdict for a in one.assessments),
            )
            for one in report.frameworks
        ),
    ]


def _here(report: Report, host: str) -> HostSummary:
    mine = tuple(finding for finding in report.findings if finding.host == host)
    return HostSummary(
        tally=_tally("waived" if f.waived else _colour(f) for f in mine),
        findings=mine,
        problems=tuple(parts.problems(mine)),
        versions=tuple(finding for finding in report.versions if finding.host == host),
    )


def _colour(finding: Finding) -> str:
    return Verdict.ERROR.value if finding.blocked_by else finding.verdict.value
