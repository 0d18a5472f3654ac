"""A report as a PDF to print and to sign, typeset by Typst with the fonts in its wheel.

Answers of servers reach the template as data (JSON), never as Typst markup.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import typst

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.findings.changes import state_of
from ucontact_appliance.language.catalogue import Translate, english
from ucontact_appliance.language.messages import Message, _
from ucontact_appliance.language.words import word
from ucontact_appliance.report import parts
from ucontact_appliance.report.controls import ControlAssessment
from ucontact_appliance.report.exhibits import Exhibit
from ucontact_appliance.report.html import METHODS, SIZES, STATUSES, VERDICTS, headline, long_date
from ucontact_appliance.report.known import GIVE_A_FEED, NO_FEED, TITLE, AffectedPackages, flaws
from ucontact_appliance.report.known import STATUSES as FLAWS
from ucontact_appliance.report.model import Assessment, Report
from ucontact_appliance.report.states import STATES
from ucontact_appliance.report.text import clean
from ucontact_appliance.report.vulnerabilities import HostJudgement, KnownToday
from ucontact_appliance.resources import TEMPLATES
from ucontact_appliance.site.waivers import Attestation

# All fixed texts of the document except its headline and date. `{0}` and `{1}` are filled in.
WORDS: Mapping[str, Message] = {
    "report": _("Compliance report"),
    "contents": _("Contents"),
    "page": _("Page {0} of {1}"),
    "site": _("Site"),
    "looked_at": _("Checked on"),
    "size": _("Size"),
    "agents": _("{0}, {1} agents"),
    "judged_by": _("Judged by"),
    "appliance": _("uContact appliance {0}, {1} checks"),
    "met": _("{0} of {1} requirements are met"),
    "of_them_partial": _("{0} of them as far as could be verified"),
    "of_them_attested": _("{0} of them by attestation"),
    "not_met": _("{0} not met"),
    "not_met_waived": _("{0} not met, and waived"),
    "not_judged": _("{0} could not be judged"),
    "for_a_person": _("{0} for manual review"),
    "checks_passed": _("of {0} checks passed"),
    "attention": _("What needs attention"),
    "no_attention": _("No check needs attention."),
    "blocked_more": _(
        "Not judged, because they depend on these: {0}. Fix these, and write the report again."
    ),
    "waived": _("Waivers"),
    "waived_note": _(
        "These checks did not pass. site.yml states why that is accepted, and until when."
    ),
    "until": _("until {0}"),
    "glance": _("Requirements at a glance"),
    "frameworks": _("Frameworks"),
    "frameworks_note": _(
        "External controls that apply to this system, each covered by the same checks. "
        "This is what was observed; whoever certifies the site decides. The wording is "
        "ours; the publisher's own text is binding."
    ),
    "retired_since": _("retired {0}"),
    "attested": _("Attested"),
    "attested_by": _("“{0}” {1}, {2}; valid until {3}."),
    "aged": _("Requirements met, but outdated"),
    "aged_note": _(
        "These are delivered as specified. Retired means that browsers no longer act "
        "on the control: it must not be counted as protection. Past support means that "
        "the vendor has ended standard support for versions that the specification "
        "names."
    ),
    "servers": _("Servers and versions"),
    "server": _("Server"),
    "address": _("Address"),
    "carries": _("Roles"),
    "system": _("System"),
    "memory": _("Memory"),
    "component": _("Component"),
    "flaws": TITLE,
    "no_feed": NO_FEED + " {0}",
    "feed": _("Judged by {0} (written {1}, {2} days old, SHA-256 {3})."),
    "feed_refused": _("Refused as evidence: {0}"),
    "flaws_unjudged": _("Not judged: {0}"),
    "flaws_found": _(
        "{0} packages judged, {1} open vulnerabilities with a fix that is not "
        "installed, {2} without a fix, {3} undetermined."
    ),
    "installed": _("Installed"),
    "status": _("Status"),
    "fixed_in": _("Fixed in"),
    "urgency": _("Urgency"),
    **{f"flaw.{key}": name for key, name in FLAWS.items()},
    "detail": _("Requirements in detail"),
    "check": _("Check"),
    "verdict": _("Verdict"),
    "observed": _("Observed"),
    "required": _("Required"),
    "remedy": _("Remedy"),
    "reason": _("Reason"),
    "serves": _("Covers"),
    "severity": _("severity {0}"),
    "person": _("Manual review"),
    "no_check": _("No check of the appliance can verify it."),
    "limits": _("Method, and what was not verified"),
    "method": _(
        "Every check examined the running site while this report was made: from the "
        "installing machine over the network, as an agent's browser or phone would, "
        "and on the servers with commands that only read. The one exception is a small "
        "temporary file that times the disks. A requirement is as good as its worst "
        "check. A check that depends on one that did not pass is not judged, and "
        "neither is its requirement. A check that can't observe its subject from here "
        "says so and never counts as passed. A requirement with such a check, or with "
        "a part that needs manual review, is at best met as far as verified."
    ),
    "evidence": _("Checks and evidence"),
    "evidence_note": _("The output that each check received, shown once, with secrets removed."),
    "exhibit": _("{0} {1}"),
    **{f"method.{key}": name for key, name in METHODS.items()},
    "same_answer": _("The same output as for {0}."),
    "cut": _("{0} more lines are in report.json."),
    "builds_on": _("not judged: it depends on {0}, which did not pass"),
    **{f"state.{state}": word(state) for state in STATES},
    **{f"verdict.{key}": name for key, name in VERDICTS.items()},
    **{f"status.{key}": name for key, name in STATUSES.items()},
}

# Limits of a check's printed evidence, in lines and characters per line; report.json has the rest.
_LINES = 40
_WIDTH = 2000

_TEMPLATE = TEMPLATES / "report" / "report.typ"


def to_pdf(report: Report, translate: Translate = english, language: str = "en") -> bytes:
    """Return the document (A4); the same report and Typst release give the same bytes.

    `translate` translates the document's own words into `language` (ISO 639-1). Only the template
    and the fonts in Typst's wheel are read. A character without a glyph in these fonts is printed
    as an empty box.
    """
    return typst.compile(
        _TEMPLATE,
        root=_TEMPLATE.parent,
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"report": json.dumps(content(report, translate, language))},
        timestamp=int(datetime.fromisoformat(report.time).timestamp()),
    )


def content(report: Report, translate: Translate = english, language: str = "en") -> dict[str, Any]:
    """Return the template's input: the texts to print, and the words around them."""
    words = {key: translate(text) for key, text in WORDS.items()}
    findings = report.findings
    counts = Counter(assessment.verdict for assessment in report.assessments)
    passed = sum(finding.verdict is Verdict.PASS for finding in findings)
    told = headline(counts)
    anchors: dict[tuple[str, str], str] = {}
    for index, one in enumerate(findings):
        anchors.setdefault((one.host, one.id), f"check-{index}")

    def row(finding: Finding) -> dict[str, Any]:
        return {"anchor": anchors[finding.host, finding.id], **_finding(finding, words, translate)}

    made = {
        "words": {"language": language, **words},
        "fqdn": report.fqdn,
        "site": report.site,
        "time": long_date(report.time, translate),
        "size": words["agents"].format(translate(SIZES[report.size]), report.agents),
        "judged_by": words["appliance"].format(report.appliance, len(findings)),
        "headline": {"verdict": told.verdict, "text": translate(told.text)},
        "summary": _summary(counts, len(report.assessments), words),
        "tiles": [
            *(
                {"verdict": verdict, "count": counts[verdict], "name": words[f"verdict.{verdict}"]}
                for verdict in VERDICTS
                if counts[verdict]
            ),
            {
                "verdict": "",
                "count": passed,
                "name": words["checks_passed"].format(len(findings)),
            },
        ],
        "problems": [row(one) for one in parts.problems(findings)],
        "blocked": len(parts.blocked(findings)),
        "waived": [row(one) for one in parts.waived(findings)],
        "sections": [
            {"title": title, "rows": [_assessment(one, words, row) for one in assessments]}
            for title, assessments in parts.sections(report)
        ],
        "aged": [_requirement(one, words) for one in parts.aged(report)],
        "hosts": [
            {
                "name": host.name,
                "address": host.address,
                "roles": ", ".join(host.roles),
                "system": host.system,
                "memory": f"{host.memory_mb} MB",
            }
            for host in report.hosts
        ],
        "frameworks": [
            {
                "id": one.framework.id,
                "title": f"{one.framework.title} {one.framework.version}",
                "publisher": one.framework.publisher,
                "note": one.framework.note,
                "rows": [_control(assessed, words) for assessed in one.assessments],
            }
            for one in report.frameworks
        ],
        "versions": [row(one) for one in report.versions],
        "flaws": _flaws(report.vulnerabilities, words, translate),
        "limits": list(report.limits),
        "skipped": [row(one) for one in parts.skipped(findings)],
        "evidence": [
            row(one)
            | {"anchor": f"check-{index}"}
            | _evidence(one, earlier, words)
            | {"exhibits": [_exhibit(shown, words) for shown in report.shown(one)]}
            for index, (one, earlier) in enumerate(parts.once(findings))
        ],
    }
    return {key: _cleaned(value) for key, value in made.items()}


def _summary(counts: Mapping[str, int], total: int, words: Mapping[str, str]) -> str:
    good = ("pass", "partial", "warn", "attested")
    met = words["met"].format(sum(counts[one] for one in good), total)
    for verdict in ("partial", "attested"):
        if counts[verdict]:
            met += f", {words[f'of_them_{verdict}'].format(counts[verdict])}"
    others = (
        ("not_met", counts["fail"]),
        ("not_met_waived", counts["waived"]),
        ("not_judged", counts["error"]),
        ("for_a_person", counts["manual"] + counts["skip"]),
    )
    return "; ".join([met, *(words[key].format(count) for key, count in others if count)]) + "."


def _requirement(assessment: Assessment, words: Mapping[str, str]) -> dict[str, Any]:
    requirement = assessment.requirement
    effective = requirement.status == "effective"
    return {
        "id": requirement.id,
        "title": requirement.title,
        "required": requirement.required,
        "note": requirement.note,
        "manual": requirement.manual,
        "status": "" if effective else words[f"status.{requirement.status}"],
        "verdict": assessment.verdict,
        "name": words[f"verdict.{assessment.verdict}"],
        "attested": _attested(assessment.attestation, words),
    }


def _control(assessed: ControlAssessment, words: Mapping[str, str]) -> dict[str, Any]:
    control, status = assessed.control, assessed.control.status
    return {
        "id": control.id,
        "title": control.title,
        "required": control.required,
        "manual": control.look,
        "note": "" if status is None else status.why,
        "status": "" if status is None else words["retired_since"].format(status.since),
        "verdict": assessed.verdict,
        "name": words[f"verdict.{assessed.verdict}"],
        "checks": " ".join(dict.fromkeys(one.id for one in assessed.findings)),
        "attested": _attested(assessed.attestation, words),
    }


def _attested(word: Attestation | None, words: Mapping[str, str]) -> str:
    if word is None:
        return ""
    return words["attested_by"].format(word.statement, word.by, word.seen, word.until)


def _assessment(
    assessment: Assessment, words: Mapping[str, str], row: Callable[[Finding], dict[str, Any]]
) -> dict[str, Any]:
    return _requirement(assessment, words) | {"findings": [row(one) for one in assessment.findings]}


def _finding(finding: Finding, words: Mapping[str, str], translate: Translate) -> dict[str, Any]:
    state = state_of(finding)
    wrong = finding.verdict in (Verdict.WARN, Verdict.FAIL, Verdict.ERROR)
    behind = words["builds_on"].format(finding.blocked_by) if finding.blocked_by else ""
    return {
        "id": finding.id,
        "title": finding.title,
        "host": finding.host,
        "verdict": "error" if state == "blocked" else state,
        "name": words[f"state.{state}"],
        "requirements": ", ".join(finding.requirements),
        "severity": words["severity"].format(translate(word(finding.severity.value))),
        "observed": behind or finding.observed,
        "required": finding.required,
        "remedy": finding.remedy if wrong else "",
        "reason": finding.waived.reason if finding.waived else "",
        "until": words["until"].format(finding.waived.until) if finding.waived else "",
    }


def _evidence(
    finding: Finding, earlier: Finding | None, words: Mapping[str, str]
) -> dict[str, Any]:
    if earlier is not None:
        return {"evidence": "", "left_out": words["same_answer"].format(earlier.id)}
    lines = finding.evidence.splitlines()
    shown = [line if len(line) <= _WIDTH else f"{line[:_WIDTH]} …" for line in lines[:_LINES]]
    more = words["cut"].format(len(lines) - _LINES) if len(lines) > _LINES else ""
    return {"evidence": "\n".join(shown), "left_out": more}


def _exhibit(exhibit: Exhibit, words: Mapping[str, str]) -> dict[str, Any]:
    """Return the exhibit's texts, with only the time of day: the first page has the date."""
    method = words[f"method.{exhibit.method.value}"]
    return {
        "how": words["exhibit"].format(method, exhibit.began[11:19]),
        "id": exhibit.id,
        "sha256": exhibit.sha256,
    }


def _flaws(
    known: KnownToday | None, words: Mapping[str, str], translate: Translate
) -> dict[str, Any]:
    if known is None:
        return {"note": words["no_feed"].format(GIVE_A_FEED), "refused": "", "hosts": []}
    written = f"{known.written.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    days = round(known.age_days, 1)
    refused = words["feed_refused"].format(translate(known.refused)) if known.refused else ""
    rows = flaws(known)
    return {
        "note": words["feed"].format(known.file, written, days, known.sha256),
        "refused": refused,
        "hosts": [
            _flaws_of(host, judged, [one for one in rows if one.host == host], words, translate)
            for host, judged in known.hosts
        ],
    }


def _flaws_of(
    host: str,
    judged: HostJudgement,
    rows: Sequence[AffectedPackages],
    words: Mapping[str, str],
    translate: Translate,
) -> dict[str, Any]:
    counts = Counter(one.status for one in (*judged.affected, *judged.undetermined))
    states = (counts["fixed-in"], counts["open"], counts["undetermined"])
    silent = (*([judged.reason] if judged.reason else []), *judged.unjudged)
    return {
        "name": f"{host}: {judged.suite}",
        "found": "" if judged.reason else words["flaws_found"].format(judged.packages, *states),
        "rows": [
            {
                "cve": one.first.cve,
                "installed": one.installed,
                "status": words[f"flaw.{one.first.status}"],
                "source": f"{one.first.source} {one.first.source_version}",
                "fixed": one.first.fixed_version or "–",
                "urgency": one.first.urgency,
                "scope": one.first.scope,
            }
            for one in rows
        ],
        "unjudged": [words["flaws_unjudged"].format(translate(one)) for one in silent],
    }


def _cleaned(value: Any) -> Any:
    """Return the value with its texts cleaned of characters that JSON and fonts can't represent."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: _cleaned(below) for key, below in value.items()}
    if isinstance(value, Sequence):
        return [_cleaned(below) for below in value]
    return value
