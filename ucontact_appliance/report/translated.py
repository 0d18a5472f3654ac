"""Translate a report. Ids, evidence, commands and people's own words stay unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.findings.translated import translated
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.report.controls import AssessedFramework, ControlAssessment
from ucontact_appliance.report.model import Assessment, Report
from ucontact_appliance.resources import load_data

_FOLDER = "controls"  # in data/<language>: texts by the id of a requirement or control
_Told = Mapping[tuple[str, str], Finding]


def translated_report(report: Report, language: Language) -> Report:
    """Return the report with its findings, requirements and controls in that language."""
    if language is Language.EN:
        return report
    found = translated(report.findings, translation(language))
    told = {(one.id, one.host): one for one in found}
    table = _texts(language, "requirements")
    return replace(
        report,
        groups={group: table["groups"][group] for group in report.groups},
        limits=tuple(table["limits"]),
        findings=found,
        versions=_picked(report.versions, told),
        assessments=tuple(
            _assessment(one, table["requirements"], told) for one in report.assessments
        ),
        frameworks=tuple(
            _framework(one, _texts(language, one.framework.id), told) for one in report.frameworks
        ),
    )


def _texts(language: Language, name: str) -> dict[str, Any]:
    found: dict[str, Any] = load_data(f"{language.value}/{_FOLDER}/{name}")
    return found


def _picked(findings: tuple[Finding, ...], told: _Told) -> tuple[Finding, ...]:
    return tuple(told[one.id, one.host] for one in findings)


def _assessment(one: Assessment, rows: Mapping[str, Any], told: _Told) -> Assessment:
    texts = rows[one.requirement.id]
    return replace(
        one,
        requirement=replace(one.requirement, **texts),
        findings=_picked(one.findings, told),
    )


def _framework(one: AssessedFramework, texts: Mapping[str, Any], told: _Told) -> AssessedFramework:
    update = {key: texts[key] for key in ("title", "note") if key in texts}
    return AssessedFramework(
        one.framework.model_copy(update=update),
        tuple(_control(row, texts["controls"], told) for row in one.assessments),
    )


def _control(one: ControlAssessment, rows: Mapping[str, Any], told: _Told) -> ControlAssessment:
    texts = dict(rows[one.control.id])
    why = texts.pop("why", None)
    if why is not None and one.control.status is not None:
        texts["status"] = one.control.status.model_copy(update={"why": why})
    return replace(
        one,
        control=one.control.model_copy(update=texts),
        findings=_picked(one.findings, told),
    )
