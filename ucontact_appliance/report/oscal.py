"""A report as OSCAL assessment results (NIST, Open Security Controls Assessment Language). Pure.

The objectives are the requirements, the observations the findings, and the evidence that an
observation names are the exhibits of evidence.json beside the document. Each framework is a result
of its own after that of the requirements: its controls are judged by the same observations. A known
vulnerability is an observation, and a risk as long as it affects a server; it belongs to no
requirement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.findings.changes import state_of
from ucontact_appliance.report.controls import (
    AssessedFramework,
    Control,
    ControlAssessment,
    Framework,
)
from ucontact_appliance.report.exhibits import Exhibit, Method, sources_of
from ucontact_appliance.report.html import VERDICTS
from ucontact_appliance.report.known import (
    TITLE,
    Flaw,
    Unjudged,
    feed_facts,
    flaws,
    judged_facts,
    unjudged,
    unknown,
)
from ucontact_appliance.report.model import Assessment, Report, ReportedHost
from ucontact_appliance.report.text import clean, one_line
from ucontact_appliance.site.model import Attestation

OSCAL_VERSION = "1.2.1"
# What a property of ours means is ours to say (OSCAL, property: ns).
NAMESPACE = "urn:ucontact:oscal:1"

# The three methods of NIST SP 800-53A; where nothing was asked of a host there is none to name.
_METHODS = {Method.PROBED: "TEST", Method.READ: "EXAMINE", Method.ATTESTED: "INTERVIEW"}
_NO_METHOD = "UNKNOWN"

# State, reason and explanation for each verdict over a requirement. OSCAL has but two states, and
# what was not wholly seen is not 'satisfied' (SP 800-53A: other than satisfied is also what could
# not be determined); the verdict itself stands beside it as a property.
_STATES = {
    "pass": ("satisfied", "pass", "Every check passed."),
    "warn": ("satisfied", "pass", "It is met, and a check has a remark on it."),
    "partial": (
        "not-satisfied",
        "other",
        "All that could be seen passed. A part could not be seen from here or is left to a person, "
        "so it is not called satisfied.",
    ),
    "attested": (
        "satisfied",
        "pass",
        "What could be seen passed, and a person vouches for what no check covers.",
    ),
    "waived": ("not-satisfied", "fail", "It is not met, and the site's own file accepts that."),
    "fail": ("not-satisfied", "fail", "A check failed."),
    "error": ("not-satisfied", "other", "A check could not be carried out or was blocked."),
    "skip": ("not-satisfied", "other", "No check could see it from here."),
    "manual": ("not-satisfied", "other", "No check covers it: it is for a person to look at."),
}

# What OSCAL's tokens have no place for.
_NO_TOKEN = re.compile(r"[^A-Za-z0-9._-]")

# What Markdown would read as more than text: a backslash before it makes it text again
# (CommonMark 2.4). An underscore within a word and a single brace mean nothing.
_MARKUP = re.compile(r"[\\`*~^\[\]<>&]|\{(?=\{)|(?<!\w)_|_(?!\w)")

_Json = dict[str, Any]


def to_oscal(report: Report, exhibits: Sequence[Exhibit]) -> bytes:
    """The document in OSCAL's JSON, UTF-8; the same report and exhibits give the same bytes.

    UUIDs are those of the site, the report's time and the thing's name (RFC 9562, version 5); a
    server's is the same in every report of its site. Exhibits that no finding names are left out.
    """
    document = {
        "uuid": _run_uuid(report, "document"),
        "metadata": {
            "title": f"uContact compliance assessment of {_line(report.fqdn)}",
            "last-modified": report.time,
            "version": report.time,
            "oscal-version": OSCAL_VERSION,
            "props": [_prop("site", report.site), _prop("appliance", report.appliance)],
            "remarks": "It names no party: who runs the site and who assesses it is not known to "
            "the appliance.",
        },
        "import-ap": {
            "href": f"#{_plan_uuid(report)}",
            "remarks": "There is no assessment plan in OSCAL. The plan is the catalogue of checks "
            "that the appliance carries.",
        },
        "local-definitions": {
            "objectives-and-methods": [
                *(_objective(one) for one in report.assessments),
                *(
                    _control_objective(one.framework, assessed)
                    for one in report.frameworks
                    for assessed in one.assessments
                ),
            ]
        },
        "results": [
            _result(report, {one.id: one for one in exhibits}),
            *(_framework(report, one) for one in report.frameworks),
        ],
        "back-matter": {"resources": [_catalogue(report)]},
    }
    text = json.dumps({"assessment-results": document}, indent=1, ensure_ascii=False)
    return f"{text}\n".encode()


def _result(report: Report, exhibits: Mapping[str, Exhibit]) -> _Json:
    times = [
        datetime.fromisoformat(report.time),
        *(datetime.fromisoformat(one.began) for one in exhibits.values() if one.began),
    ]
    failed = [finding for finding in report.findings if finding.verdict is Verdict.FAIL]
    found = flaws(report.vulnerabilities)
    nothing = unknown(report.vulnerabilities)
    unverified = (*report.limits, *([f"{TITLE}: {nothing}"] if nothing else []))
    made = {
        "uuid": _run_uuid(report, "result"),
        "title": f"Checks of {_line(report.site)}",
        "description": "Every check of the appliance against the running site: over the network "
        "as a client would, and on the servers by commands that only read, but for a "
        "small file that times the disks and is taken away.",
        "start": min(times).isoformat(),
        "end": max(times).isoformat(),
        "props": [
            _prop("fqdn", report.fqdn),
            _prop("size", report.size),
            _prop("agents", str(report.agents)),
            _prop("verdict", report.verdict),
            *_feed(report),
        ],
        "local-definitions": {
            "inventory-items": _inventory(report),
            "assessment-assets": _assets(report),
        },
        "reviewed-controls": {
            "control-selections": [
                {"include-controls": [{"control-id": a.requirement.id} for a in report.assessments]}
            ],
            "control-objective-selections": [
                {"include-objectives": [{"objective-id": _target(a)} for a in report.assessments]}
            ],
        },
        "observations": [
            *(_observation(report, one, exhibits) for one in report.findings),
            *(_flaw(report, one) for one in found),
            *(_silence(report, one) for one in unjudged(report.vulnerabilities)),
        ],
        "risks": [
            *(_risk(report, one) for one in failed),
            *(_exposure(report, one) for one in found if one.first.status != "undetermined"),
        ],
        "findings": [_finding(report, one) for one in report.assessments],
        "remarks": "\n".join(
            ["What was not verified:\n", *(f"- {_line(limit)}" for limit in unverified)]
        )
        if unverified
        else "",
    }
    # OSCAL has no empty lists, and no empty text.
    return {key: value for key, value in made.items() if value not in ([], "")}


def _observation(report: Report, finding: Finding, exhibits: Mapping[str, Exhibit]) -> _Json:
    shown = [exhibits[id] for id in sources_of(finding) if id in exhibits]
    methods = {_METHODS[one.method] for one in shown} or {_NO_METHOD}
    return {
        "uuid": _observation_uuid(report, finding),
        "title": _title(finding),
        "description": _told(finding),
        "props": [
            _prop("check", finding.id),
            _prop("state", state_of(finding)),
            _prop("severity", finding.severity.value),
            *([_prop("blocked-by", finding.blocked_by)] if finding.blocked_by else []),
        ],
        "methods": sorted(methods),
        "types": ["control-objective"],
        "origins": [_origin(report)],
        "subjects": [
            {"subject-uuid": _host_uuid(report, finding.host), "type": "inventory-item"},
        ],
        "relevant-evidence": [_evidence(one) for one in shown] or [_elsewhere()],
        "collected": max((one.began for one in shown if one.began), default=report.time),
    }


def _evidence(exhibit: Exhibit) -> _Json:
    said = f", without an answer: {_line(exhibit.problem)}" if exhibit.problem else ""
    return {
        # A fragment has room for slash and tilde as they are (RFC 3986, 3.5).
        "href": f"evidence.json#{quote(clean(exhibit.id), safe='/~')}",
        "description": f"Exhibit {_line(exhibit.id)}, {exhibit.method.value}{said}",
        "props": [_prop("sha256", exhibit.sha256), _prop("method", exhibit.method.value)],
    }


def _elsewhere() -> _Json:
    return {
        "href": "report.json",
        "description": "No question to the server is on record for this check; what it said is in "
        "the report.",
    }


def _risk(report: Report, finding: Finding) -> _Json:
    waived = finding.waived
    made: _Json = {
        "uuid": _run_uuid(report, "risk", finding.host, finding.id),
        "title": _title(finding),
        "description": _told(finding),
        "statement": f"Severity {finding.severity.value}. As long as it lasts, not met: "
        f"{', '.join(finding.requirements) or 'no requirement'}.",
        "status": "deviation-approved" if waived else "open",
        "origins": [_origin(report)],
        "characterizations": [
            {
                "origin": _origin(report),
                "facets": [
                    {"name": "severity", "system": NAMESPACE, "value": finding.severity.value}
                ],
            }
        ],
        "related-observations": [{"observation-uuid": _observation_uuid(report, finding)}],
    }
    if waived:
        made["deadline"] = f"{waived.until.isoformat()}T23:59:59+00:00"
    if finding.remedy:
        made["remediations"] = [
            {
                "uuid": _run_uuid(report, "remedy", finding.host, finding.id),
                "lifecycle": "recommendation",
                "title": "Remedy",
                "description": f"On the machine that installs: {_line(finding.remedy)}",
            }
        ]
    return made


def _feed(report: Report) -> list[_Json]:
    return [_prop(name, value) for name, value in feed_facts(report.vulnerabilities)]


def _flaw(report: Report, flaw: Flaw) -> _Json:
    one = flaw.first
    return {
        **_of_packages(report, flaw.host),
        "uuid": _flaw_uuid(report, "vulnerability", flaw),
        "title": f"{_line(flaw.name)} ({_line(flaw.host)})",
        "description": _exposed(flaw),
        "props": [
            _prop("cve", one.cve),
            _prop("state", one.status),
            _prop("urgency", one.urgency),
            _prop("source", f"{one.source} {one.source_version}"),
            *([_prop("fixed-version", one.fixed_version)] if one.fixed_version else []),
            *(_prop("package", f"{row.package} {row.version}") for row in flaw.packages),
        ],
        "methods": [_METHODS[Method.READ]],
    }


def _silence(report: Report, one: Unjudged) -> _Json:
    return {
        **_of_packages(report, one.host),
        "uuid": _run_uuid(report, "not judged", one.host, one.reason),
        "title": f"{TITLE} ({_line(one.host)}): not judged",
        "description": f"Not judged: {_line(one.reason) or 'no reason is on record'}",
        "props": [_prop("state", "not-judged")],
        "methods": [_NO_METHOD],
    }


def _of_packages(report: Report, host: str) -> _Json:
    """What observations about a server's packages have in common."""
    return {
        "types": ["finding"],
        "origins": [_origin(report)],
        "subjects": [{"subject-uuid": _host_uuid(report, host), "type": "inventory-item"}],
        "relevant-evidence": [
            {
                "href": "report.json",
                "description": "The feed's name, hash and age, and each package that is affected.",
            },
            {"href": "sbom.json", "description": "Every package of the server, affected or not."},
        ],
        "collected": report.time,
    }


def _exposure(report: Report, flaw: Flaw) -> _Json:
    one = flaw.first
    made: _Json = {
        "uuid": _flaw_uuid(report, "exposure", flaw),
        "title": f"{_line(flaw.name)} ({_line(flaw.host)})",
        "description": _exposed(flaw),
        "statement": "A known vulnerability of an installed package. It belongs to no requirement "
        "and changes no verdict of this report.",
        "status": "open",
        "origins": [_origin(report)],
        "characterizations": [
            {
                "origin": _origin(report),
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
                "description": f"Install version {_line(one.fixed_version)} or later of the "
                f"packages of {_line(one.source)} on {_line(flaw.host)}.",
            }
        ]
    return made


def _exposed(flaw: Flaw) -> str:
    described = one_line(flaw.first.description)
    parts = [f"Installed: {_line(flaw.installed)}", _line(flaw.told)]
    return "\n\n".join([*parts, *([_line(described)] if described else [])])


def _flaw_uuid(report: Report, kind: str, flaw: Flaw) -> str:
    one = flaw.first
    names = (flaw.host, one.cve, one.source, one.status, one.source_version)
    return _run_uuid(report, kind, *names)


def _finding(report: Report, assessment: Assessment) -> _Json:
    requirement = assessment.requirement
    return _judged(
        report,
        {
            "uuid": _run_uuid(report, "finding", requirement.id),
            "title": f"{requirement.id} {_line(requirement.title)}",
            "description": f"{VERDICTS[assessment.verdict].capitalize()}. {_demand(assessment)}",
            "props": [
                _prop("verdict", assessment.verdict),
                _prop("status", requirement.status),
                _prop("group", requirement.group),
            ],
        },
        _target(assessment),
        assessment,
        [
            requirement.note,
            requirement.manual and f"For a person: {requirement.manual}",
            _vouched(assessment.attestation),
        ],
    )


def _framework(report: Report, one: AssessedFramework) -> _Json:
    """A framework's result; what it refers to is in the requirements' result of this document."""
    framework, controls = one.framework, one.assessments
    made = {
        "uuid": _run_uuid(report, "framework", framework.id),
        "title": _line(f"{framework.title} {framework.version}"),
        "description": f"Controls by {_line(framework.publisher)} that touch this system, each "
        "shown by the same observations as the requirements. The words are ours: the publisher's "
        "own text is binding.",
        "start": report.time,
        "end": report.time,
        "props": [
            _prop("framework", framework.id),
            _prop("version", framework.version),
            _prop("publisher", framework.publisher),
        ],
        "links": [{"href": framework.url, "rel": "reference"}],
        "reviewed-controls": {
            "control-selections": [
                {
                    "include-controls": [
                        {"control-id": _control_id(framework, a.control)} for a in controls
                    ]
                }
            ],
            "control-objective-selections": [
                {
                    "include-objectives": [
                        {"objective-id": _control_target(framework, a.control)} for a in controls
                    ]
                }
            ],
        },
        "findings": [_control_finding(report, framework, a) for a in controls],
        "remarks": _line(framework.note),
    }
    return {key: value for key, value in made.items() if value not in ([], "")}


def _control_finding(report: Report, framework: Framework, one: ControlAssessment) -> _Json:
    control, retired = one.control, one.control.status
    props = [_prop("verdict", one.verdict)]
    notes = [control.look and f"For a person: {control.look}", _vouched(one.attestation)]
    if retired is not None:
        props.append(_prop("status", f"{retired.state} since {retired.since}"))
        notes.insert(0, f"Retired since {retired.since}: {retired.why}")
    names = ("finding", framework.id, control.id)
    return _judged(
        report,
        {
            "uuid": _run_uuid(report, *names),
            "title": _line(f"{control.id} {control.title}"),
            "description": f"{VERDICTS[one.verdict].capitalize()}. "
            f"Required: {_line(control.required)}.",
            "props": props,
        },
        _control_target(framework, control),
        one,
        notes,
    )


def _control_objective(framework: Framework, one: ControlAssessment) -> _Json:
    return {
        "control-id": _control_id(framework, one.control),
        "parts": [
            {
                "id": _control_target(framework, one.control),
                "name": "assessment-objective",
                "title": _line(one.control.title),
                "prose": f"Required: {_line(one.control.required)}.",
            }
        ],
    }


def _control_id(framework: Framework, control: Control) -> str:
    """A token of OSCAL's: letters, figures, dot, dash and underscore."""
    return _NO_TOKEN.sub("_", f"{framework.id}_{control.id}")


def _control_target(framework: Framework, control: Control) -> str:
    return f"{_control_id(framework, control)}_obj"


def _judged(
    report: Report,
    head: _Json,
    target: str,
    one: Assessment | ControlAssessment,
    notes: Sequence[str],
) -> _Json:
    """What findings about requirements and about controls have in common, after their heads."""
    state, reason, why = _STATES[one.verdict]
    risks = [found for found in one.findings if found.verdict is Verdict.FAIL]
    made = {
        **head,
        "origins": [_origin(report)],
        "target": {
            "type": "objective-id",
            "target-id": target,
            "status": {
                "state": state,
                "reason": reason,
                "remarks": " ".join(_line(note) for note in (why, *notes) if note),
            },
        },
        "related-observations": [
            {"observation-uuid": _observation_uuid(report, found)} for found in one.findings
        ],
        "related-risks": [
            {"risk-uuid": _run_uuid(report, "risk", found.host, found.id)} for found in risks
        ],
    }
    return {key: value for key, value in made.items() if value != []}


def _vouched(word: Attestation | None) -> str:
    if word is None:
        return ""
    return f"{word.by}, {word.seen}, until {word.until}: {word.statement}"


def _objective(assessment: Assessment) -> _Json:
    return {
        "control-id": assessment.requirement.id,
        "parts": [
            {
                "id": _target(assessment),
                "name": "assessment-objective",
                "title": _line(assessment.requirement.title),
                "prose": _demand(assessment),
            }
        ],
    }


def _inventory(report: Report) -> list[_Json]:
    """Every server, those that only a finding or a feed names too.

    So each observation has its subject.
    """
    named = {host.name: _server(report, host) for host in report.hosts}
    judged = dict(report.vulnerabilities.hosts) if report.vulnerabilities else {}
    for name in (*(finding.host for finding in report.findings), *judged):
        named.setdefault(name, _stranger(report, name))
    for name, one in judged.items():
        facts = [_prop(*fact) for fact in judged_facts(one)]
        named[name] = named[name] | {"props": [*named[name].get("props", ()), *facts]}
    return list(named.values())


def _server(report: Report, host: ReportedHost) -> _Json:
    return {
        "uuid": _host_uuid(report, host.name),
        "description": f"Server {_line(host.name)}: {_line(', '.join(host.roles))}",
        "props": [
            {"name": "asset-id", "value": one_line(host.name)},
            *([_address(host.address)] if host.address.strip() else []),
            *([{"name": "os-name", "value": one_line(host.system)}] if host.system.strip() else []),
            _prop("memory-mb", str(host.memory_mb)),
            *(_prop("role", role) for role in host.roles),
        ],
    }


def _stranger(report: Report, name: str) -> _Json:
    return {"uuid": _host_uuid(report, name), "description": f"Server {_line(name)}"}


def _address(address: str) -> _Json:
    try:
        kinds = {IPv4Address: "ipv4-address", IPv6Address: "ipv6-address"}
        name = kinds[type(ip_address(address))]
    except ValueError:
        name = "fqdn"
    return {"name": name, "value": one_line(address)}


def _assets(report: Report) -> _Json:
    tool = _tool_uuid(report)
    return {
        "components": [
            {
                "uuid": tool,
                "type": "software",
                "title": "uContact appliance",
                "description": "It installs a site, looks at it, and judges by checks.",
                "props": [{"name": "version", "value": one_line(report.appliance)}],
                "status": {"state": "operational"},
            }
        ],
        "assessment-platforms": [
            {
                "uuid": _run_uuid(report, "platform"),
                "title": "The machine that installs",
                "uses-components": [{"component-uuid": tool}],
            }
        ],
    }


def _catalogue(report: Report) -> _Json:
    return {
        "uuid": _plan_uuid(report),
        "title": f"Checks of the uContact appliance {_line(report.appliance)}",
        "description": "The requirements and checks that this version of the appliance carries "
        "stand in for an assessment plan. They are part of the program and not in OSCAL; the "
        "report names each requirement, each check that ran, and what both demand.",
        "rlinks": [{"href": "report.json", "media-type": "application/json"}],
    }


def _title(finding: Finding) -> str:
    return f"{_line(finding.title)} ({_line(finding.host)})"


def _told(finding: Finding) -> str:
    parts = []
    if finding.blocked_by:
        parts.append(f"Not judged: it builds on {_line(finding.blocked_by)}, which did not pass.")
    if finding.observed:
        parts.append(f"Observed: {_line(finding.observed)}")
    if finding.required:
        parts.append(f"Required: {_line(finding.required)}")
    if finding.waived:
        until = finding.waived.until.isoformat()
        parts.append(f"Waived until {until}: {_line(finding.waived.reason)}")
    return "\n\n".join(parts) or "Nothing was observed."


def _demand(assessment: Assessment) -> str:
    return f"Required: {_line(assessment.requirement.required)}."


def _target(assessment: Assessment) -> str:
    return f"{assessment.requirement.id}_obj"


def _origin(report: Report) -> _Json:
    return {"actors": [{"type": "tool", "actor-uuid": _tool_uuid(report)}]}


def _prop(name: str, value: str) -> _Json:
    """A property of ours; OSCAL has no empty value."""
    return {"name": name, "ns": NAMESPACE, "value": one_line(value) or "none"}


def _line(text: str) -> str:
    """Anything as one line of Markdown that shows it literally."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def _uuid(*names: str) -> str:
    return str(uuid5(NAMESPACE_URL, json.dumps([NAMESPACE, *names])))


def _run_uuid(report: Report, *names: str) -> str:
    """Of something that belongs to this one run."""
    return _uuid(report.site, report.time, *names)


def _observation_uuid(report: Report, finding: Finding) -> str:
    return _run_uuid(report, "observation", finding.host, finding.id)


def _host_uuid(report: Report, name: str) -> str:
    # The same in each report: a UUID stands for a subject, whatever document names it.
    return _uuid(report.site, "host", name)


def _tool_uuid(report: Report) -> str:
    return _uuid("appliance", report.appliance)


def _plan_uuid(report: Report) -> str:
    return _uuid("checks", report.appliance)
