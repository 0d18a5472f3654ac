"""`report.json`: one typed model of a report, and its schema."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.findings.document import FindingRow, finding_row
from ucontact_appliance.report.controls import AssessedFramework, ControlAssessment
from ucontact_appliance.report.exhibits import Method, sources_of
from ucontact_appliance.report.model import Assessment, Report
from ucontact_appliance.report.vulnerabilities import KnownToday, Vulnerability
from ucontact_appliance.site.waivers import Attestation

# Incremented only when a program that reads today's document could misread a new one.
SCHEMA = 2
SCHEMA_ID = f"urn:ucontact:report:{SCHEMA}"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VERDICT = (
    "pass, warn, fail, error (could not be judged), skip (no check could see it), partial (what "
    "could be seen passed, but not all could), attested (a person vouches for what no check "
    "covers), waived (an exception of site.yml), manual (no check covers it)"
)


class _ReportModel(BaseModel):
    # Readers must ignore unknown keys: keys may be added, and none is removed.
    # from_attributes: a row is built from a record with the same fields.
    model_config = ConfigDict(frozen=True, from_attributes=True)


class HostRow(_ReportModel):
    """A server."""

    name: str = Field(description="its name in site.yml")
    address: str = Field(description="where the others find it")
    roles: tuple[str, ...] = Field(description="what it carries")
    system: str = Field(description="its operating system")
    memory_mb: int = Field(description="its memory")
    files: dict[str, str] = Field(
        description="SHA-256, mode and owner of each file that an installation writes, by path"
    )


class VersionRow(_ReportModel):
    """A component's version, as it was observed."""

    check: str = Field(description="the check that observed it")
    host: str = Field(description="the server")
    observed: str = Field(description="what was seen")


class FindingName(_ReportModel):
    """Which finding: one check on one server."""

    check: str = Field(description="the check")
    host: str = Field(description="the server")


class AttestationRow(_ReportModel):
    """What a person vouches for, in the words of site.yml."""

    by: str = Field(description="who")
    statement: str = Field(description="what was looked at and seen")
    seen: date = Field(description="the day on which it was looked at")
    until: date = Field(description="the last day on which it counts")


class _Assessed(_ReportModel):
    id: str = Field(description="its number")
    title: str = Field(description="its name")
    required: str = Field(description="what it asks")
    manual: str = Field(description="what a person has to look at; empty where nothing is left")
    verdict: str = Field(description=_VERDICT)
    findings: tuple[FindingName, ...] = Field(description="what it was judged by")
    attestation: AttestationRow | None = Field(description="a person's word for it, if any")


class RequirementRow(_Assessed):
    """One of the appliance's own requirements, R01 to C07."""

    group: str = Field(description="the group that it belongs to")
    status: Literal["effective", "retired", "past-support"] = Field(
        description="whether it still protects, and whether its makers still mend it"
    )
    note: str = Field(description="what the reader must know, with dates where it has aged")


class ControlRow(_Assessed):
    """A framework's control."""

    retired: date | None = Field(description="since when it is given up; null while it stands")
    why: str = Field(description="why it was given up")


class FrameworkRow(_ReportModel):
    """A published set of controls, of which those that touch this product are listed."""

    id: str = Field(description="its short name")
    title: str = Field(description="its name")
    version: str = Field(description="the version that was gone by")
    publisher: str = Field(description="who published it")
    url: str = Field(description="where it is found")
    controls: tuple[ControlRow, ...] = Field(description="in the framework's own order")


class ReportedFinding(FindingRow):
    """A finding, with what it was judged by."""

    methods: tuple[Method, ...] = Field(
        description="how the answers came about: probed live, read from a file, attested"
    )
    exhibits: tuple[str, ...] = Field(
        description="ids of the exhibits in evidence.json; a blocked check asked nothing"
    )


class VulnerabilityRow(_ReportModel):
    """A vulnerability of a package that is installed."""

    cve: str = Field(description="its number")
    package: str = Field(description="the binary package")
    version: str = Field(description="the version that is installed")
    source: str = Field(description="the source package that the feed judges")
    status: str = Field(description="open (no fix in this suite), fixed-in, or undetermined")
    fixed_version: str = Field(description="the source version that mends it, or empty")
    urgency: str = Field(description="the feed's word")
    architecture: str = Field(default="", description="the binary package's")
    source_version: str = Field(default="", description="the source version that is installed")
    scope: str = Field(default="", description="local or remote, or empty")
    description: str = Field(default="", description="the feed's words, or empty")
    no_advisory: str = Field(
        default="", description="why Debian's security team issues no advisory, or empty"
    )
    no_advisory_reason: str = Field(default="", description="postponed, ignored, or empty")


class HostVulnerabilities(_ReportModel):
    """What the feed knows of one server's packages."""

    host: str = Field(description="the server")
    suite: str = Field(description="the suite that it was judged by")
    packages: int = Field(description="how many packages were judged")
    reason: str = Field(description="why the server was not judged; then no row means nothing")
    unjudged: tuple[str, ...] = Field(description="of what nothing can be told, and why")
    affected: tuple[VulnerabilityRow, ...] = Field(description="open and fixed-in")
    undetermined: tuple[VulnerabilityRow, ...] = Field(description="not known yet to the feed")


class VulnerabilitiesPart(_ReportModel):
    """Known vulnerabilities, by a feed that somebody brought along."""

    feed: str = Field(description="its file")
    sha256: str = Field(description="the file's hash")
    written: datetime = Field(description="when the file was written, in UTC")
    age_days: float = Field(description="how old it was at the report")
    refused: str = Field(description="why it is no evidence; empty where it is")
    hosts: tuple[HostVulnerabilities, ...] = Field(description="as in site.yml")


class ReportDocument(_ReportModel):
    """What `report.json` holds."""

    schema_version: Literal[2] = Field(alias="schema", description="of this document")
    appliance: str = Field(description="the version that made the report")
    site: str = Field(description="the site's name")
    fqdn: str = Field(description="the portal's name")
    size: str = Field(description="small, medium or big (R12)")
    agents: int = Field(description="agents that it is planned for")
    time: str = Field(description="when, ISO 8601 in UTC")
    verdict: Verdict = Field(description="over all findings that are not waived")
    hosts: tuple[HostRow, ...] = Field(description="as in site.yml")
    versions: tuple[VersionRow, ...] = Field(description="of the components")
    requirements: tuple[RequirementRow, ...] = Field(description="the appliance's own")
    frameworks: tuple[FrameworkRow, ...] = Field(description="others' sets of controls")
    findings: tuple[ReportedFinding, ...] = Field(description="hosts as in site.yml, then checks")
    vulnerabilities: VulnerabilitiesPart | None = Field(
        description="null where no feed was given: then nothing is known of them"
    )
    limits: tuple[str, ...] = Field(description="what no report of this appliance shows")


def to_json(report: Report) -> str:
    """Return the report as JSON; requirements and controls name findings by check and host."""
    made = to_document(report).model_dump(mode="json", by_alias=True)
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def to_document(report: Report) -> ReportDocument:
    """Return the document of the report that other programs read."""
    return ReportDocument(
        schema=SCHEMA,
        appliance=report.appliance,
        site=report.site,
        fqdn=report.fqdn,
        size=report.size,
        agents=report.agents,
        time=report.time,
        verdict=Verdict(report.verdict),
        hosts=tuple(
            HostRow(
                name=host.name,
                address=host.address,
                roles=host.roles,
                system=host.system,
                memory_mb=host.memory_mb,
                files=dict(host.files),
            )
            for host in report.hosts
        ),
        versions=tuple(
            VersionRow(check=one.id, host=one.host, observed=one.observed)
            for one in report.versions
        ),
        requirements=tuple(_requirement(one) for one in report.assessments),
        frameworks=tuple(_framework(one) for one in report.frameworks),
        findings=tuple(_finding(report, one) for one in report.findings),
        vulnerabilities=_vulnerabilities(report.vulnerabilities),
        limits=report.limits,
    )


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the document."""
    made = ReportDocument.model_json_schema(mode="validation", by_alias=True)
    return {"$schema": _DIALECT, "$id": SCHEMA_ID, **made}


def schema_text() -> str:
    """Return the schema in the form of docs/schemas/report.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _finding(report: Report, finding: Finding) -> ReportedFinding:
    methods = dict.fromkeys(one.method for one in report.shown(finding))
    return ReportedFinding(
        **finding_row(finding), methods=tuple(methods), exhibits=sources_of(finding)
    )


def _requirement(one: Assessment) -> RequirementRow:
    requirement = one.requirement
    return RequirementRow(
        id=requirement.id,
        group=requirement.group,
        title=requirement.title,
        required=requirement.required,
        status=requirement.status,
        note=requirement.note,
        manual=requirement.manual,
        verdict=one.verdict,
        findings=_names(one.findings),
        attestation=_attestation(one.attestation),
    )


def _framework(one: AssessedFramework) -> FrameworkRow:
    framework = one.framework
    return FrameworkRow(
        id=framework.id,
        title=framework.title,
        version=framework.version,
        publisher=framework.publisher,
        url=framework.url,
        controls=tuple(_control(row) for row in one.assessments),
    )


def _control(one: ControlAssessment) -> ControlRow:
    control, status = one.control, one.control.status
    return ControlRow(
        id=control.id,
        title=control.title,
        required=control.required,
        manual=control.look,
        verdict=one.verdict,
        findings=_names(one.findings),
        attestation=_attestation(one.attestation),
        retired=None if status is None else status.since,
        why="" if status is None else status.why,
    )


def _vulnerabilities(known: KnownToday | None) -> VulnerabilitiesPart | None:
    if known is None:
        return None
    return VulnerabilitiesPart(
        feed=known.file,
        sha256=known.sha256,
        written=known.written.astimezone(timezone.utc),
        age_days=round(known.age_days, 1),
        refused=known.refused,
        hosts=tuple(
            HostVulnerabilities(
                host=host,
                suite=judged.suite,
                packages=judged.packages,
                reason=judged.reason,
                unjudged=judged.unjudged,
                affected=_rows(judged.affected),
                undetermined=_rows(judged.undetermined),
            )
            for host, judged in known.hosts
        ),
    )


def _rows(known: tuple[Vulnerability, ...]) -> tuple[VulnerabilityRow, ...]:
    return tuple(VulnerabilityRow.model_validate(one) for one in known)


def _names(findings: tuple[Finding, ...]) -> tuple[FindingName, ...]:
    return tuple(FindingName(check=one.id, host=one.host) for one in findings)


def _attestation(word: Attestation | None) -> AttestationRow | None:
    return None if word is None else AttestationRow.model_validate(word)


if __name__ == "__main__":
    print(schema_text(), end="")
