"""From findings, facts and plan to one report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from ucontact_appliance import __version__
from ucontact_appliance.checks.document import verdict_of
from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.report.model import Assessment, Report, ReportedHost, Requirement
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Site

MANUAL = "manual"
PARTIAL = "partial"
WAIVED = "waived"
# The worst first: a requirement is as good as its worst finding.
_ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN, Verdict.PASS, Verdict.SKIP)


def requirements() -> tuple[Requirement, ...]:
    """All requirements, R then C."""
    return tuple(Requirement(**row) for row in load_data("requirements")["requirements"])


def compose(
    site: Site,
    plan: Plan,
    surveys: Mapping[str, Survey],
    findings: Sequence[Finding],
    time: datetime,
) -> Report:
    """The report of one run; `surveys` by host name, `time` aware."""
    table = load_data("requirements")
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
            )
            for host in plan.hosts
        ),
        groups=dict(table["groups"]),
        assessments=tuple(assess(requirement, findings) for requirement in requirements()),
        findings=tuple(findings),
        versions=tuple(finding for finding in findings if finding.id in table["versions"]),
        limits=tuple(table["limits"]),
    )


def assess(requirement: Requirement, findings: Sequence[Finding]) -> Assessment:
    """The requirement with its findings, and the verdict over them."""
    mine = tuple(finding for finding in findings if requirement.id in finding.requirements)
    # What builds on a failed check was not judged: that is not the same as not to be seen.
    seen = {
        Verdict.ERROR if finding.blocked_by else finding.verdict
        for finding in mine
        if finding.waived is None or finding.verdict is Verdict.WARN
    }
    worst = next((verdict for verdict in _ORDER if verdict in seen), None)
    excepted = any(f.waived and f.verdict is not Verdict.WARN for f in mine)
    if excepted and worst not in (Verdict.FAIL, Verdict.ERROR):
        return Assessment(requirement, WAIVED, mine)
    if worst is None:
        return Assessment(requirement, MANUAL, mine)
    unseen = Verdict.SKIP in seen or bool(requirement.manual)
    return Assessment(
        requirement, PARTIAL if worst is Verdict.PASS and unseen else worst.value, mine
    )
