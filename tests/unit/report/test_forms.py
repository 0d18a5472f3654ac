"""One report, all forms: each shows everything that a report holds, or WITHOUT says why not."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timezone
from functools import cache
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft202012Validator
from pypdf import PdfReader

from tests.unit.report.everything import FINDINGS, KNOWN, OTHER_WORD, OWN_WORD, REFUSED, everything
from tests.unit.report.test_oscal import valid as valid_oscal
from ucontact_appliance.checks.model import AppliedWaiver, Finding
from ucontact_appliance.language.choice import Language
from ucontact_appliance.report.document import schema
from ucontact_appliance.report.html import STATUSES, VERDICTS
from ucontact_appliance.report.model import Report, ReportedHost
from ucontact_appliance.report.nagios import to_line
from ucontact_appliance.report.pdf import content
from ucontact_appliance.report.prometheus import to_text
from ucontact_appliance.report.states import STATES
from ucontact_appliance.report.vulnerabilities import (
    HostJudgement,
    KnownToday,
    Status,
    Vulnerability,
)
from ucontact_appliance.report.write import (
    DOCUMENT,
    EVIDENCE,
    FILES,
    JUNIT,
    OSCAL,
    PAGE,
    PAPER,
    SBOM,
    forms,
)
from ucontact_appliance.resources import ROOT

NAGIOS, PROMETHEUS = "nagios", "prometheus"
FORMS = (*FILES, NAGIOS, PROMETHEUS)


@dataclass(frozen=True)
class Kind:
    """Something that a report can hold, and the texts of `everything()` by which a form shows it.

    `holds` are the model's fields that it stands for. Where forms word it in their own way, `in_`
    has the texts by form.
    """

    name: str
    holds: tuple[str, ...]
    marks: tuple[str, ...] = ()
    in_: Mapping[str, tuple[str, ...]] | None = None

    def marks_in(self, form: str) -> tuple[str, ...]:
        """What has to be there."""
        return (self.in_ or {}).get(form, self.marks)


def _findings(field: str) -> tuple[str, ...]:
    return tuple(str(getattr(one, field)) for one in FINDINGS)


def _verdicts(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}-{verdict}" for verdict in VERDICTS)


PEOPLE = (PAGE, PAPER)
# Findings and their states: see `states_in`, which reads each form in its own way.
KINDS = (
    Kind("the appliance's version", ("Report.appliance",), ("appliance-version",)),
    Kind("the site's name", ("Report.site",), ("site-name",)),
    Kind("the portal's name", ("Report.fqdn",), ("fqdn.example.com",)),
    Kind("the number of agents", ("Report.agents",), ("54321",)),
    Kind(
        "the site's size",
        ("Report.size",),
        ("big site",),
        {DOCUMENT: ('"size": "big"',), OSCAL: ('"name": "size"', '"value": "big"')},
    ),
    Kind(
        "the report's time",
        ("Report.time",),
        ("2026-03-02T02:30:05",),
        {
            PAGE: ("2 March 2026, 02:30 UTC",),
            PAPER: ("2 March 2026, 02:30 UTC",),
            PROMETHEUS: ("ucontact_doctor_last_run_timestamp_seconds",),
        },
    ),
    Kind(
        "the verdict over all findings",
        ("Report.verdict",),
        ("Not every requirement is met",),
        {
            DOCUMENT: ('"verdict": "fail"',),
            OSCAL: ('"name": "verdict"', '"value": "fail"'),
            NAGIOS: ("UCONTACT CRITICAL",),
        },
    ),
    Kind("servers: name", ("Report.hosts", "ReportedHost.name"), ("server-one",)),
    Kind("servers: address", ("ReportedHost.address",), ("192.0.2.77",)),
    Kind("servers: roles", ("ReportedHost.roles",), ("role-of-one",)),
    Kind("servers: system and memory", ("ReportedHost.system", "ReportedHost.memory_mb"),
         ("system-of-one", "98765")),
    Kind("servers: fingerprints of files", ("ReportedHost.files",), ("/etc/managed.conf",)),
    Kind("groups of requirements", ("Report.groups",), ("group-title",),
         {DOCUMENT: ("group-id",), OSCAL: ("group-id",)}),
    Kind("requirements", ("Report.assessments",),
         (*_verdicts("requirement"), *_verdicts("demanded"))),
    Kind("requirements: notes", ("Requirement.note",), _verdicts("noted")),
    Kind("requirements: what a person looks at", ("Requirement.manual",), _verdicts("looked")),
    Kind("requirements: retired, past support", ("Requirement.status",),
         tuple(STATUSES[key] for key in ("retired", "past-support")),
         {DOCUMENT: ('"retired"', '"past-support"'), OSCAL: ('"retired"', '"past-support"')}),
    Kind("requirements: a person's word", ("Assessment.attestation",),
         (OWN_WORD.by, OWN_WORD.statement, str(OWN_WORD.seen), str(OWN_WORD.until))),
    Kind("findings: id", ("Report.findings", "Finding.id"), _findings("id")),
    Kind("findings: title", ("Finding.title",), _findings("title")),
    Kind("findings: server", ("Finding.host",), ("server-one",)),
    Kind("findings: what was observed", ("Finding.observed",),
         tuple(f"observed-{s}" for s in ("warn", "fail", "error", "skip")),
         {NAGIOS: tuple(f"observed-{s}" for s in ("warn", "fail", "error"))}),
    Kind("findings: what is required", ("Finding.required",), ("required-fail", "required-error")),
    Kind("findings: evidence", ("Finding.evidence",), ("evidence-fail", "evidence-error")),
    Kind("findings: remedy", ("Finding.remedy",), ("remedy-fail",)),
    Kind("findings: severity", ("Finding.severity",), ("critical",)),
    Kind("findings: requirements served", ("Finding.requirements",), ("Q01",)),
    Kind("findings: seconds", ("Finding.seconds",), ("1.25",), {PAGE: ("1.2 s",)}),
    Kind("findings: what blocks one", ("Finding.blocked_by",), ("depends on kind.fail",),
         {DOCUMENT: ('"blocked_by": "kind.fail"',)}),
    Kind("findings: the server on which that failed", ("Finding.blocked_on",),
         ('"blocked_on": "other-host"',)),
    Kind("waivers: reason", ("Finding.waived", "AppliedWaiver.reason"), ("excuse-waived",)),
    Kind("waivers: last day", ("AppliedWaiver.until",), ("2031-02-03",)),
    Kind("versions of components", ("Report.versions",), ("observed-pass",)),
    Kind("limits", ("Report.limits",), ("limit-of-all",)),
    Kind("frameworks", ("Report.frameworks",),
         ("framework-title", "publisher-of-it", *_verdicts("control"))),
    Kind("frameworks: what a person looks at", ("Control.look",), _verdicts("seen")),
    Kind("frameworks: retired controls", ("Control.status",), ("2019-08-07", "outdated-control")),
    Kind("frameworks: a person's word", ("ControlAssessment.attestation",),
         (OTHER_WORD.by, OTHER_WORD.statement)),
    Kind("exhibits named by findings", ("Finding.sources",), ("server-one/facts.host.system",)),
    Kind("exhibits: hash", ("Exhibit.sha256",), ("5e5e5e5e5e5e5e5e",)),
    Kind("exhibits: commands and answers", ("Report.exhibits",),
         ("exhibited-command", "exhibited-output")),
    Kind("contents of servers", ("Report.contents",),
         ("soundlib", "server/archived.jar", "unread-part")),
    Kind("contents of the installing machine", ("Report.controller",), ("distributed", "3.11.99")),
    Kind("vulnerabilities: the feed", ("Report.vulnerabilities", "KnownToday.file",
         "KnownToday.sha256", "KnownToday.written", "KnownToday.age_days"),
         ("/srv/feed-file.json", KNOWN.sha256, "2026-02-25", "4.6")),
    Kind("vulnerabilities: known", ("KnownToday.hosts", "HostJudgement.affected",
         "Vulnerability.cve", "Vulnerability.package", "Vulnerability.version"),
         ("CVE-2026-1111", "CVE-2026-2222", "flawedlib", "7.7.7-1")),
    Kind("vulnerabilities: undetermined", ("HostJudgement.undetermined",), ("CVE-2026-3333",)),
    Kind("vulnerabilities: status", ("Vulnerability.status",),
         ("fix available, not installed", "no fix yet", "undetermined"),
         {DOCUMENT: ('"fixed-in"', '"open"', '"undetermined"')}),
    Kind("vulnerabilities: the fix", ("Vulnerability.fixed_version",), ("7.7.7-9",)),
    Kind("vulnerabilities: urgency", ("Vulnerability.urgency",), ("unimportant",)),
    Kind("vulnerabilities: scope", ("Vulnerability.scope",), ("scope-of-it",)),
    Kind("vulnerabilities: source package and architecture", ("Vulnerability.source",
         "Vulnerability.source_version", "Vulnerability.architecture"),
         ("flawedsource", "7.7.7-0", "armhf")),
    Kind("vulnerabilities: the feed's words", ("Vulnerability.description",
         "Vulnerability.no_advisory", "Vulnerability.no_advisory_reason"),
         ("described CVE-2026-1111", "minor-issue", "postponed")),
    Kind("vulnerabilities: suite and packages judged",
         ("HostJudgement.suite", "HostJudgement.packages"), ("suite-of-one", "4321")),
    Kind("vulnerabilities: what can't be told of a server", ("HostJudgement.unjudged",),
         ("uncomparable-package",)),
    Kind("vulnerabilities: a server that is not judged", ("HostJudgement.reason",),
         ("unjudged-server",)),
    Kind("vulnerabilities: a feed that is refused", ("KnownToday.refused",), ("refused-feed",)),
    Kind("vulnerabilities: no feed given", ("Report.vulnerabilities",),
         ("No vulnerability feed was given",), {DOCUMENT: ('"vulnerabilities": null',)}),
)  # fmt: skip
NAMES = tuple(kind.name for kind in KINDS)


def _but(*shown: str) -> tuple[str, ...]:
    """All kinds but those that begin so."""
    return tuple(name for name in NAMES if not name.startswith(shown))


# The one table of what a form has no place for. What is in it and is shown after all is an error.
WITHOUT: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        PEOPLE,
        (
            "servers: fingerprints of files",
            "exhibits: commands and answers",
            "contents of",
        ),
        "hundreds of hashes, exchanges and packages: report.json, evidence.json and sbom.json",
    ),
    (
        PEOPLE,
        ("vulnerabilities: the feed's words", "findings: the server on which"),
        "long, or told by the finding behind it: report.json has it",
    ),
    (
        (PAPER,),
        ("findings: seconds",),
        "how long a check took is no evidence",
    ),
    (
        (DOCUMENT,),
        ("exhibits: hash", "exhibits: commands and answers", "contents of"),
        "evidence.json and sbom.json lie beside it; it names the exhibits by id",
    ),
    (
        (OSCAL,),
        (
            "servers: fingerprints of files",
            "exhibits: commands and answers",
            "contents of",
            "findings: evidence",
            "findings: seconds",
            "findings: the server on which",
        ),
        "it refers to report.json, evidence.json and sbom.json beside it",
    ),
    (
        (JUNIT,),
        (
            "the appliance's version",
            "the portal's name",
            "the number of agents",
            "the site's size",
            "the verdict over all",
            "servers: address",
            "servers: roles",
            "servers: system",
            "servers: fingerprints of files",
            "groups",
            "requirements",
            "findings: requirements served",
            "findings: the server on which",
            "versions",
            "limits",
            "frameworks",
            "exhibits",
            "contents of",
        ),
        "a case is a check with its outcome and nothing beside it; a pipeline judges by cases",
    ),
    (
        (SBOM,),
        (
            *_but(
                "vulnerabilities", "contents of", "the site's name", "the report's time",
                "servers: name", "findings: server",
            ),
        ),
        "a bill of materials lists what is installed and what is known of that, no judgement",
    ),
    (
        (EVIDENCE,),
        _but(
            "exhibits", "the site's name", "the report's time", "servers: name", "findings: server"
        ),
        "it holds the exhibits alone; what was judged by them is in report.json",
    ),
    (
        (NAGIOS,),
        _but(
            "the verdict over all", "findings: what was observed", "servers: name",
            "findings: server",
        ),
        "one line of the doctor's findings: those that ask for attention by name, others counted",
    ),
    (
        (PROMETHEUS,),
        _but(
            "the site's name", "servers: name", "findings: id", "findings: server",
            "findings: severity", "findings: seconds", "the report's time",
        ),
        "numbers with the doctor's findings as labels: free texts would make endless series",
    ),
)  # fmt: skip


@cache
def rendered(variant: str) -> dict[str, bytes]:
    """Every form of the whole report, or of one without a feed or with a refused one."""
    made = everything()
    if variant != "whole":
        made = replace(made, vulnerabilities=REFUSED if variant == "refused" else None)
    time = datetime(2026, 3, 2, 2, 30, 5, tzinfo=timezone.utc)
    return {
        **forms(made),
        NAGIOS: to_line(made.findings, 12.5).encode(),
        PROMETHEUS: to_text(made.site, made.findings, time, 12.5).encode(),
    }


@cache
def text(form: str, variant: str) -> str:
    """What the form shows, without white space; a PDF breaks lines, XML escapes quotes."""
    data = rendered(variant)[form]
    if form == PAPER:
        shown = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    elif form == PAGE:
        shown = re.sub(r"<style>.*?</style>|<[^>]*>", "", data.decode(), flags=re.DOTALL)
    elif form == OSCAL:
        shown = data.decode().replace("\\\\", "")  # Markdown's
    else:
        shown = data.decode()
    return _packed(shown.replace("&#39;", "'"))


def _packed(value: str) -> str:
    return "".join(value.split())


def shows(form: str, kind: Kind) -> bool:
    variant = {"a feed that is refused": "refused", "no feed given": "none"}.get(
        kind.name.partition(": ")[2], "whole"
    )
    return all(_packed(mark) in text(form, variant) for mark in kind.marks_in(form))


def listed(form: str, kind: Kind) -> list[str]:
    """The reasons of the table why this form does not show it."""
    return [
        reason
        for some, names, reason in WITHOUT
        if form in some and any(kind.name.startswith(name) for name in names)
    ]


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_shows_each_kind_or_the_table_says_why_not(form: str, kind: Kind) -> None:
    reasons = listed(form, kind)
    assert len(reasons) <= 1, "two reasons"
    if reasons:
        assert not shows(form, kind), f"{form} shows it: take it out of WITHOUT"
    else:
        each = [replace(kind, marks=(mark,), in_=None) for mark in kind.marks_in(form)]
        missing = [one.marks for one in each if not shows(form, one)]
        assert not missing, f"{form} does not show {missing}, and WITHOUT gives no reason"


def _fields(model: type) -> set[str]:
    assert is_dataclass(model)
    return {f"{model.__name__}.{one.name}" for one in fields(model)}


@pytest.mark.parametrize(
    "model",
    [Report, ReportedHost, Finding, AppliedWaiver, KnownToday, HostJudgement, Vulnerability],
)
def test_every_field_of_the_model_is_a_kind(model: type) -> None:
    elsewhere = {"Finding.verdict"}  # states_in
    held = {name for kind in KINDS for name in kind.holds}
    assert _fields(model) - held - elsewhere == set()


def test_the_sample_holds_every_state_verdict_and_status() -> None:
    made = everything()
    assert {one.id.partition(".")[2] for one in made.findings} == set(STATES)
    assert {one.verdict for one in made.assessments} == set(VERDICTS)
    assert {one.requirement.status for one in made.assessments} == set(STATUSES)
    judged = KNOWN.hosts[0][1]
    seen = {one.status for one in (*judged.affected, *judged.undetermined)}
    assert seen == set(get_args(Status))


def states_in(form: str) -> dict[str, Any]:
    """How the form tells each finding's state, by the finding's id."""
    data = rendered("whole")[form].decode("utf-8", "replace")
    if form == PAGE:
        shown = re.findall(
            r'<article class="proof".*?<code>(.*?)</code>.*?<span class="mark.*?>(.*?)<', data, re.S
        )
        return dict(shown)
    if form == PAPER:
        return {row["id"]: row["name"] for row in content(everything())["evidence"]}
    if form == DOCUMENT:
        return {
            row["id"]: (row["verdict"], bool(row["waived"]), bool(row["blocked_by"]))
            for row in json.loads(data)["findings"]
        }
    if form == OSCAL:
        rows = json.loads(data)["assessment-results"]["results"][0]["observations"]
        props = [{one["name"]: one["value"] for one in row["props"]} for row in rows]
        return {row["check"]: row["state"] for row in props if "check" in row}
    if form == JUNIT:
        cases = ElementTree.fromstring(data)[0].findall("testcase")
        return {case.get("name", "").partition(":")[0]: _outcome(case) for case in cases}
    pattern = {NAGIOS: r"(\w+)=1;", PROMETHEUS: r'state="(\w+)"\} 1\.0'}[form]
    words = {"passed": "pass", "warned": "warn", "failed": "fail", "errors": "error"}
    told = [words.get(one, one) for one in re.findall(pattern, data)]
    return {f"kind.{'skip' if one == 'skipped' else one}": one for one in told}


def _outcome(case: ElementTree.Element) -> tuple[str, ...]:
    return tuple(
        f"{one.tag} {(one.get('message') or one.text or '').partition(':')[0]}" for one in case
    )


@pytest.mark.parametrize("form", [one for one in FORMS if one not in (SBOM, EVIDENCE)])
def test_each_form_tells_each_state_from_every_other(form: str) -> None:
    told = states_in(form)
    assert set(told) == {f"kind.{state}" for state in STATES}
    assert len(set(map(str, told.values()))) == len(STATES)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_form_for_people_words_each_verdict(verdict: str) -> None:
    for form in PEOPLE:
        assert _packed(VERDICTS[verdict]) in text(form, "whole")
    rows = json.loads(rendered("whole")[DOCUMENT])["requirements"]
    assert verdict in {row["verdict"] for row in rows}
    findings = json.loads(rendered("whole")[OSCAL])["assessment-results"]["results"][0]["findings"]
    assert verdict in {row["props"][0]["value"] for row in findings}


@pytest.mark.parametrize("variant", ["whole", "refused", "none"])
def test_every_form_is_valid_and_made_the_same_twice(variant: str) -> None:
    made = rendered(variant)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made[SBOM].decode()) is None
    valid_oscal(json.loads(made[OSCAL]))
    Draft202012Validator(schema()).validate(json.loads(made[DOCUMENT]))
    root = ElementTree.fromstring(made[JUNIT])
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(count, "")) == sum(one.find(tag) is not None for one in cases)
    rendered.cache_clear()
    assert rendered(variant) == made


def test_a_vulnerability_in_the_bill_of_materials_names_its_package() -> None:
    document = json.loads(rendered("whole")[SBOM])
    rows = {row["id"]: row for row in document["vulnerabilities"]}
    refs = {
        part["bom-ref"]: part["name"]
        for device in document["components"]
        for part in device.get("components", ())
    }
    for row in rows.values():
        assert [refs[one["ref"]] for one in row["affects"]] == ["flawedlib"]
        assert row["source"]["url"].endswith(f"/tracker/{row['id']}")
    fixed, waiting = rows["CVE-2026-1111"], rows["CVE-2026-3333"]
    assert fixed["recommendation"] == "Install flawedsource 7.7.7-9 or later"
    assert fixed["affects"][0]["versions"] == [{"version": "7.7.7-1", "status": "affected"}]
    assert waiting["analysis"]["state"] == "in_triage"
    assert waiting["affects"][0]["versions"][0]["status"] == "unknown"


def test_a_vulnerability_of_an_unlisted_package_affects_its_server_or_the_site() -> None:
    made = everything()
    empty = replace(made.contents[0], packages=replace(made.contents[0].packages, packages=()))
    for contents, ref in (((empty,), "host/server-one"), ((), "site")):
        document = json.loads(forms(replace(made, contents=contents))[SBOM])
        assert {one["ref"] for row in document["vulnerabilities"] for one in row["affects"]} == {
            ref
        }


def test_without_a_feed_junit_has_the_findings_cases_and_says_why_there_are_no_others() -> None:
    root = ElementTree.fromstring(rendered("none")[JUNIT])
    assert len(list(root.iter("testcase"))) == len(FINDINGS)
    last = root[-1]
    assert (last.get("name"), last.get("tests")) == ("Known vulnerabilities", "0")
    assert "No vulnerability feed was given" in (last.findtext("system-out") or "")


def test_oscal_has_a_risk_for_what_affects_a_server_and_none_for_what_is_undetermined() -> None:
    result = json.loads(rendered("whole")[OSCAL])["assessment-results"]["results"][0]
    risks = {row["title"].partition(" ")[0]: row for row in result["risks"]}
    assert {name for name in risks if name.startswith("CVE")} == {"CVE-2026-1111", "CVE-2026-2222"}
    assert "7.7.7-9" in risks["CVE-2026-1111"]["remediations"][0]["description"]
    observed = {row["uuid"] for row in result["observations"]}
    named = {
        one["observation-uuid"] for row in result["risks"] for one in row["related-observations"]
    }
    assert named <= observed
    subjects = {row["uuid"] for row in result["local-definitions"]["inventory-items"]}
    for row in result["observations"]:
        assert {one["subject-uuid"] for one in row["subjects"]} <= subjects


def test_the_forms_for_people_say_it_in_spanish() -> None:
    for vulnerabilities, said in (
        (
            KNOWN,
            ("corrección disponible, sin instalar", "todavía sin corrección", "sin determinar"),
        ),
        (REFUSED, ("Rechazado como evidencia",)),
        (None, ("No se dio ningún archivo de vulnerabilidades",)),
    ):
        made = forms(
            replace(report_without_controls(), vulnerabilities=vulnerabilities), Language.ES
        )
        pages = PdfReader(io.BytesIO(made[PAPER])).pages
        paper = _packed(" ".join(page.extract_text() for page in pages))
        for one in said:
            assert _packed(one) in paper
            assert one in made[PAGE].decode()


def report_without_controls() -> Report:
    """Its requirements and controls are nobody's in Spanish."""
    return replace(everything(), assessments=(), frameworks=(), groups={}, limits=())


def table() -> str:
    """WITHOUT as docs/report.md has it."""
    rows = [
        f"| {', '.join(f'`{form}`' for form in some)} | {'; '.join(_shown(names))} | {reason} |"
        for some, names, reason in WITHOUT
    ]
    return "\n".join(("| form | does not show | because |", "|---|---|---|", *rows)) + "\n"


def _shown(names: tuple[str, ...]) -> list[str]:
    covered = [name for name in NAMES if name.startswith(names)]
    if len(covered) > len(NAMES) / 2:
        return [f"all but: {', '.join(name for name in NAMES if name not in covered)}"]
    return covered


def test_the_documentation_has_the_table() -> None:
    # mend it with: python -m tests.unit.report.test_forms
    assert table() in (ROOT / "docs" / "report.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    print(table(), end="")
