"""Compose a report from findings, facts and plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from ucontact_appliance import __version__
from ucontact_appliance.checks.model import Finding
from ucontact_appliance.facts.managed import fingerprints
from ucontact_appliance.facts.stored import probe_name
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.findings.document import verdict_of
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.report.attestations import NOBODY, DatedAttestations, with_attestation
from ucontact_appliance.report.controls import assess_frameworks
from ucontact_appliance.report.exhibits import Exhibit
from ucontact_appliance.report.model import Assessment, Report, ReportedHost, Requirement
from ucontact_appliance.report.verdicts import assessed
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Site


def requirements() -> tuple[Requirement, ...]:
    """Return all requirements, those numbered R before those numbered C."""
    return tuple(Requirement(**row) for row in load_data("requirements")["requirements"])


def compose(
    site: Site,
    plan: Plan,
    surveys: Mapping[str, Survey],
    findings: Sequence[Finding],
    time: datetime,
    *,
    exhibits: Sequence[Exhibit] = (),
) -> Report:
    """Return the report of one run. `surveys` is keyed by host name; `time` is aware."""
    table = load_data("requirements")
    vouched = DatedAttestations(site.attestations, time.astimezone(timezone.utc).date())
    return Report(
        appliance=__version__,
        site=site.site,
        fqdn=site.fqdn,
        agents=plan.agents,
        size=plan.size.value,
        time=time.astimezone(timezone.utc).isoformat(timespec="seconds"),
        verdict=verdict_of(findings).value,
        hosts=tuple(
            ReportedHost(
                name=host.name,
                address=host.address,
                roles=tuple(role.value for role in host.roles),
                system=surveys[host.name].os_name,
                memory_mb=surveys[host.name].memory_mb,
                files=_files(host.name, exhibits),
            )
            for host in plan.hosts
        ),
        groups=dict(table["groups"]),
        assessments=tuple(assess(one, findings, vouched) for one in requirements()),
        findings=tuple(findings),
        versions=tuple(finding for finding in findings if finding.id in table["versions"]),
        limits=tuple(table["limits"]),
        frameworks=assess_frameworks(findings, vouched),
        exhibits=tuple(exhibits),
    )


def assess(
    requirement: Requirement, findings: Sequence[Finding], vouched: DatedAttestations = NOBODY
) -> Assessment:
    """Return the requirement with its findings and the verdict over them."""
    mine = tuple(finding for finding in findings if requirement.id in finding.requirements)
    word = vouched.word_for(requirement.id)
    verdict = assessed(mine, bool(requirement.manual) and word is None)
    return Assessment(requirement, with_attestation(verdict, word), mine, word)


def _files(host: str, exhibits: Sequence[Exhibit]) -> Mapping[str, str]:
    """Return the fingerprints of that host's managed files; empty if the probe has no answer."""
    probe = probe_name(fingerprints)
    return next(
        (one.answer for one in exhibits if (one.host, one.probe) == (host, probe) and one.answer),
        {},
    )
