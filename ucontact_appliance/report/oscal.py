"""A report as OSCAL assessment results (NIST, Open Security Controls Assessment Language). Pure.

Requirements are the objectives, findings the observations. The evidence of an observation is in the
exhibits of evidence.json beside the document. Each framework is a separate result after that of the
requirements: its controls are judged by the same observations. A known vulnerability is an
observation, and a risk as long as it affects a server; it belongs to no requirement.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.findings.changes import state_of
from ucontact_appliance.report.exhibits import Exhibit, sources_of
from ucontact_appliance.report.known import TITLE, flaws, unjudged, unknown
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.oscal_controls import (
    control_objective,
    framework_result,
    objective,
    objective_id,
    requirement_finding,
)
from ucontact_appliance.report.oscal_flaws import (
    feed_properties,
    flaw_observation,
    flaw_risk,
    unjudged_observation,
)
from ucontact_appliance.report.oscal_inventory import assets, inventory
from ucontact_appliance.report.oscal_parts import (
    METHODS,
    NAMESPACE,
    NO_METHOD,
    Json,
    host_uuid,
    line,
    observation_uuid,
    origin,
    plan_uuid,
    prop,
    run_uuid,
)
from ucontact_appliance.report.text import clean

OSCAL_VERSION = "1.2.1"


def to_oscal(report: Report, exhibits: Sequence[Exhibit]) -> bytes:
    """Return the document as OSCAL JSON (UTF-8); the same report and exhibits give the same bytes.

    UUIDs are made of the site, the report's time and the object's name (RFC 9562, version 5); a
    server's is the same in every report of its site. Exhibits that no finding names are left out.
    """
    document = {
        "uuid": run_uuid(report, "document"),
        "metadata": {
            "title": f"uContact compliance assessment of {line(report.fqdn)}",
            "last-modified": report.time,
            "version": report.time,
            "oscal-version": OSCAL_VERSION,
            "props": [prop("site", report.site), prop("appliance", report.appliance)],
            "remarks": "It names no party: who runs the site and who assesses it is not known to "
            "the appliance.",
        },
        "import-ap": {
            "href": f"#{plan_uuid(report)}",
            "remarks": "There is no assessment plan in OSCAL. The plan is the catalogue of checks "
            "that the appliance carries.",
        },
        "local-definitions": {
            "objectives-and-methods": [
                *(objective(one) for one in report.assessments),
                *(
                    control_objective(one.framework, assessed)
                    for one in report.frameworks
                    for assessed in one.assessments
                ),
            ]
        },
        "results": [
            _result(report, {one.id: one for one in exhibits}),
            *(framework_result(report, one) for one in report.frameworks),
        ],
        "back-matter": {"resources": [_catalogue(report)]},
    }
    text = json.dumps({"assessment-results": document}, indent=1, ensure_ascii=False)
    return f"{text}\n".encode()


def _result(report: Report, exhibits: Mapping[str, Exhibit]) -> Json:
    times = [
        datetime.fromisoformat(report.time),
        *(datetime.fromisoformat(one.began) for one in exhibits.values() if one.began),
    ]
    failed = [finding for finding in report.findings if finding.verdict is Verdict.FAIL]
    found = flaws(report.vulnerabilities)
    nothing = unknown(report.vulnerabilities)
    unverified = (*report.limits, *([f"{TITLE}: {nothing}"] if nothing else []))
    made = {
        "uuid": run_uuid(report, "result"),
        "title": f"Checks of {line(report.site)}",
        "description": "Every check of the appliance against the running site: over the network "
        "as a client would, and on the servers by commands that only read, but for a "
        "small file that times the disks and is removed.",
        "start": min(times).isoformat(),
        "end": max(times).isoformat(),
        "props": [
            prop("fqdn", report.fqdn),
            prop("size", report.size),
            prop("agents", str(report.agents)),
            prop("verdict", report.verdict),
            *feed_properties(report),
        ],
        "local-definitions": {
            "inventory-items": inventory(report),
            "assessment-assets": assets(report),
        },
        "reviewed-controls": {
            "control-selections": [
                {"include-controls": [{"control-id": a.requirement.id} for a in report.assessments]}
            ],
            "control-objective-selections": [
                {
                    "include-objectives": [
                        {"objective-id": objective_id(a)} for a in report.assessments
                    ]
                }
            ],
        },
        "observations": [
            *(_observation(report, one, exhibits) for one in report.findings),
            *(flaw_observation(report, one) for one in found),
            *(unjudged_observation(report, one) for one in unjudged(report.vulnerabilities)),
        ],
        "risks": [
            *(_risk(report, one) for one in failed),
            *(flaw_risk(report, one) for one in found if one.first.status != "undetermined"),
        ],
        "findings": [requirement_finding(report, one) for one in report.assessments],
        "remarks": "\n".join(
            ["What was not verified:\n", *(f"- {line(limit)}" for limit in unverified)]
        )
        if unverified
        else "",
    }
    # OSCAL allows no empty list and no empty text.
    return {key: value for key, value in made.items() if value not in ([], "")}


def _observation(report: Report, finding: Finding, exhibits: Mapping[str, Exhibit]) -> Json:
    shown = [exhibits[id] for id in sources_of(finding) if id in exhibits]
    methods = {METHODS[one.method] for one in shown} or {NO_METHOD}
    return {
        "uuid": observation_uuid(report, finding),
        "title": _title(finding),
        "description": _told(finding),
        "props": [
            prop("check", finding.id),
            prop("state", state_of(finding)),
            prop("severity", finding.severity.value),
            *([prop("blocked-by", finding.blocked_by)] if finding.blocked_by else []),
        ],
        "methods": sorted(methods),
        "types": ["control-objective"],
        "origins": [origin(report)],
        "subjects": [
            {"subject-uuid": host_uuid(report, finding.host), "type": "inventory-item"},
        ],
        "relevant-evidence": [_evidence(one) for one in shown] or [_elsewhere()],
        "collected": max((one.began for one in shown if one.began), default=report.time),
    }


def _evidence(exhibit: Exhibit) -> Json:
    said = f", without an answer: {line(exhibit.problem)}" if exhibit.problem else ""
    return {
        # Slash and tilde need no encoding here (RFC 3986, 3.5 and 2.3).
        "href": f"evidence.json#{quote(clean(exhibit.id), safe='/~')}",
        "description": f"Exhibit {line(exhibit.id)}, {exhibit.method.value}{said}",
        "props": [prop("sha256", exhibit.sha256), prop("method", exhibit.method.value)],
    }


def _elsewhere() -> Json:
    return {
        "href": "report.json",
        "description": "No question to the server is on record for this check; what it said is in "
        "the report.",
    }


def _risk(report: Report, finding: Finding) -> Json:
    waived = finding.waived
    made: Json = {
        "uuid": run_uuid(report, "risk", finding.host, finding.id),
        "title": _title(finding),
        "description": _told(finding),
        "statement": f"Severity {finding.severity.value}. As long as it lasts, not met: "
        f"{', '.join(finding.requirements) or 'no requirement'}.",
        "status": "deviation-approved" if waived else "open",
        "origins": [origin(report)],
        "characterizations": [
            {
                "origin": origin(report),
                "facets": [
                    {"name": "severity", "system": NAMESPACE, "value": finding.severity.value}
                ],
            }
        ],
        "related-observations": [{"observation-uuid": observation_uuid(report, finding)}],
    }
    if waived:
        made["deadline"] = f"{waived.until.isoformat()}T23:59:59+00:00"
    if finding.remedy:
        made["remediations"] = [
            {
                "uuid": run_uuid(report, "remedy", finding.host, finding.id),
                "lifecycle": "recommendation",
                "title": "Remedy",
                "description": f"On the machine that installs: {line(finding.remedy)}",
            }
        ]
    return made


def _catalogue(report: Report) -> Json:
    return {
        "uuid": plan_uuid(report),
        "title": f"Checks of the uContact appliance {line(report.appliance)}",
        "description": "The requirements and checks that this version of the appliance carries "
        "stand in for an assessment plan. They are part of the program and not in OSCAL; the "
        "report names each requirement, each check that ran, and what both demand.",
        "rlinks": [{"href": "report.json", "media-type": "application/json"}],
    }


def _title(finding: Finding) -> str:
    return f"{line(finding.title)} ({line(finding.host)})"


def _told(finding: Finding) -> str:
    parts = []
    if finding.blocked_by:
        parts.append(f"Not judged: it depends on {line(finding.blocked_by)}, which did not pass.")
    if finding.observed:
        parts.append(f"Observed: {line(finding.observed)}")
    if finding.required:
        parts.append(f"Required: {line(finding.required)}")
    if finding.waived:
        until = finding.waived.until.isoformat()
        parts.append(f"Waived until {until}: {line(finding.waived.reason)}")
    return "\n\n".join(parts) or "Nothing was observed."
