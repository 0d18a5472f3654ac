"""Known vulnerabilities in OSCAL: observations and risks."""

from __future__ import annotations

from ucontact_appliance.report.exhibits import Method
from ucontact_appliance.report.known import TITLE, AffectedPackages, UnjudgedPackage, feed_facts
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.oscal_parts import (
    METHODS,
    NAMESPACE,
    NO_METHOD,
    Json,
    host_uuid,
    line,
    origin,
    prop,
    run_uuid,
)
from ucontact_appliance.report.text import one_line


def feed_properties(report: Report) -> list[Json]:
    """Return the facts about the feed as properties of the result."""
    return [prop(name, value) for name, value in feed_facts(report.vulnerabilities)]


def flaw_observation(report: Report, flaw: AffectedPackages) -> Json:
    """Return a known vulnerability of a server as an observation."""
    one = flaw.first
    return {
        **_of_packages(report, flaw.host),
        "uuid": _flaw_uuid(report, "vulnerability", flaw),
        "title": f"{line(flaw.name)} ({line(flaw.host)})",
        "description": _exposed(flaw),
        "props": [
            prop("cve", one.cve),
            prop("state", one.status),
            prop("urgency", one.urgency),
            prop("source", f"{one.source} {one.source_version}"),
            *([prop("fixed-version", one.fixed_version)] if one.fixed_version else []),
            *(prop("package", f"{row.package} {row.version}") for row in flaw.packages),
        ],
        "methods": [METHODS[Method.READ]],
    }


def unjudged_observation(report: Report, one: UnjudgedPackage) -> Json:
    """Return what could not be judged on a server as an observation."""
    return {
        **_of_packages(report, one.host),
        "uuid": run_uuid(report, "not judged", one.host, one.reason),
        "title": f"{TITLE} ({line(one.host)}): not judged",
        "description": f"Not judged: {line(one.reason) or 'no reason is on record'}",
        "props": [prop("state", "not-judged")],
        "methods": [NO_METHOD],
    }


def _of_packages(report: Report, host: str) -> Json:
    """Return the fields that observations about a server's packages share."""
    return {
        "types": ["finding"],
        "origins": [origin(report)],
        "subjects": [{"subject-uuid": host_uuid(report, host), "type": "inventory-item"}],
        "relevant-evidence": [
            {
                "href": "report.json",
                "description": "The feed's name, hash and age, and each package that is affected.",
            },
            {"href": "sbom.json", "description": "Every package of the server, affected or not."},
        ],
        "collected": report.time,
    }


def flaw_risk(report: Report, flaw: AffectedPackages) -> Json:
    """Return a vulnerability that affects a server as a risk."""
    one = flaw.first
    made: Json = {
        "uuid": _flaw_uuid(report, "exposure", flaw),
        "title": f"{line(flaw.name)} ({line(flaw.host)})",
        "description": _exposed(flaw),
        "statement": "A known vulnerability of an installed package. It belongs to no requirement "
        "and changes no verdict of this report.",
        "status": "open",
        "origins": [origin(report)],
        "characterizations": [
            {
                "origin": origin(report),
                "facets": [
                    {
                        "name": "urgency",
                        "system": NAMESPACE,
                        "value": one_line(one.urgency) or "none",
                    },
                    {"name": "cve", "system": NAMESPACE, "value": one_line(one.cve) or "none"},
                ],
            }
        ],
        "related-observations": [
            {"observation-uuid": _flaw_uuid(report, "vulnerability", flaw)},
        ],
    }
    if one.fixed_version:
        made["remediations"] = [
            {
                "uuid": _flaw_uuid(report, "update", flaw),
                "lifecycle": "recommendation",
                "title": "Update",
                "description": f"Install version {line(one.fixed_version)} or later of the "
                f"packages of {line(one.source)} on {line(flaw.host)}.",
            }
        ]
    return made


def _exposed(flaw: AffectedPackages) -> str:
    described = one_line(flaw.first.description)
    parts = [f"Installed: {line(flaw.installed)}", line(flaw.told)]
    return "\n\n".join([*parts, *([line(described)] if described else [])])


def _flaw_uuid(report: Report, kind: str, flaw: AffectedPackages) -> str:
    one = flaw.first
    names = (flaw.host, one.cve, one.source, one.status, one.source_version)
    return run_uuid(report, kind, *names)
