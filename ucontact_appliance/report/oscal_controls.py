"""Requirements and frameworks' controls in OSCAL: their objectives, and the findings about them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.report.controls import (
    AssessedFramework,
    Control,
    ControlAssessment,
    Framework,
)
from ucontact_appliance.report.html import VERDICTS
from ucontact_appliance.report.model import Assessment, Report
from ucontact_appliance.report.oscal_parts import (
    Json,
    line,
    observation_uuid,
    origin,
    prop,
    run_uuid,
)
from ucontact_appliance.site.waivers import Attestation

# State, reason and explanation per verdict over a requirement. OSCAL has only two states. What was
# not seen completely is not 'satisfied' (SP 800-53A: 'other than satisfied' includes what could not
# be determined); the verdict itself is added as a property.
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
    "manual": ("not-satisfied", "other", "No check covers it: it requires manual review."),
}

# The characters that an OSCAL token must not contain.
_NO_TOKEN = re.compile(r"[^A-Za-z0-9._-]")


def requirement_finding(report: Report, assessment: Assessment) -> Json:
    """Return the OSCAL finding of a requirement."""
    requirement = assessment.requirement
    return _judged(
        report,
        {
            "uuid": run_uuid(report, "finding", requirement.id),
            "title": f"{requirement.id} {line(requirement.title)}",
            "description": f"{VERDICTS[assessment.verdict].capitalize()}. {_demand(assessment)}",
            "props": [
                prop("verdict", assessment.verdict),
                prop("status", requirement.status),
                prop("group", requirement.group),
            ],
        },
        objective_id(assessment),
        assessment,
        [
            requirement.note,
            requirement.manual and f"Manual review: {requirement.manual}",
            _vouched(assessment.attestation),
        ],
    )


def framework_result(report: Report, one: AssessedFramework) -> Json:
    """Return a framework's result; its observations and risks are in the requirements' result."""
    framework, controls = one.framework, one.assessments
    made = {
        "uuid": run_uuid(report, "framework", framework.id),
        "title": line(f"{framework.title} {framework.version}"),
        "description": f"Controls by {line(framework.publisher)} that touch this system, each "
        "shown by the same observations as the requirements. The words are ours: the publisher's "
        "own text is binding.",
        "start": report.time,
        "end": report.time,
        "props": [
            prop("framework", framework.id),
            prop("version", framework.version),
            prop("publisher", framework.publisher),
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
        "remarks": line(framework.note),
    }
    return {key: value for key, value in made.items() if value not in ([], "")}


def _control_finding(report: Report, framework: Framework, one: ControlAssessment) -> Json:
    control, retired = one.control, one.control.status
    props = [prop("verdict", one.verdict)]
    notes = [control.look and f"Manual review: {control.look}", _vouched(one.attestation)]
    if retired is not None:
        props.append(prop("status", f"{retired.state} since {retired.since}"))
        notes.insert(0, f"Retired since {retired.since}: {retired.why}")
    names = ("finding", framework.id, control.id)
    return _judged(
        report,
        {
            "uuid": run_uuid(report, *names),
            "title": line(f"{control.id} {control.title}"),
            "description": f"{VERDICTS[one.verdict].capitalize()}. "
            f"Required: {line(control.required)}.",
            "props": props,
        },
        _control_target(framework, control),
        one,
        notes,
    )


def control_objective(framework: Framework, one: ControlAssessment) -> Json:
    """Return the objective of a framework's control."""
    return {
        "control-id": _control_id(framework, one.control),
        "parts": [
            {
                "id": _control_target(framework, one.control),
                "name": "assessment-objective",
                "title": line(one.control.title),
                "prose": f"Required: {line(one.control.required)}.",
            }
        ],
    }


def _control_id(framework: Framework, control: Control) -> str:
    """Return the control's id as an OSCAL token: letters, digits, dot, dash and underscore."""
    return _NO_TOKEN.sub("_", f"{framework.id}_{control.id}")


def _control_target(framework: Framework, control: Control) -> str:
    return f"{_control_id(framework, control)}_obj"


def _judged(
    report: Report,
    head: Json,
    target: str,
    one: Assessment | ControlAssessment,
    notes: Sequence[str],
) -> Json:
    """Return `head` with the fields that findings of requirements and of controls share."""
    state, reason, why = _STATES[one.verdict]
    risks = [found for found in one.findings if found.verdict is Verdict.FAIL]
    made = {
        **head,
        "origins": [origin(report)],
        "target": {
            "type": "objective-id",
            "target-id": target,
            "status": {
                "state": state,
                "reason": reason,
                "remarks": " ".join(line(note) for note in (why, *notes) if note),
            },
        },
        "related-observations": [
            {"observation-uuid": observation_uuid(report, found)} for found in one.findings
        ],
        "related-risks": [
            {"risk-uuid": run_uuid(report, "risk", found.host, found.id)} for found in risks
        ],
    }
    return {key: value for key, value in made.items() if value != []}


def _vouched(word: Attestation | None) -> str:
    if word is None:
        return ""
    return f"{word.by}, {word.seen}, until {word.until}: {word.statement}"


def objective(assessment: Assessment) -> Json:
    """Return the objective of a requirement."""
    return {
        "control-id": assessment.requirement.id,
        "parts": [
            {
                "id": objective_id(assessment),
                "name": "assessment-objective",
                "title": line(assessment.requirement.title),
                "prose": _demand(assessment),
            }
        ],
    }


def _demand(assessment: Assessment) -> str:
    return f"Required: {line(assessment.requirement.required)}."


def objective_id(assessment: Assessment) -> str:
    """Return the id of a requirement's objective."""
    return f"{assessment.requirement.id}_obj"
