"""Putting a report on disk."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.report.compose import compose
from ucontact_appliance.report.write import write_report
from ucontact_appliance.site.model import Site


def new_folder(reports: Path) -> Path:
    """A folder of its own for a report of this moment (UTC)."""
    return reports / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"


def file_report(
    site: Site,
    plan: Plan,
    surveys: Mapping[str, Survey],
    findings: tuple[Finding, ...],
    folder: Path,
) -> None:
    """Compose the report of this moment and write its folder."""
    report = compose(site, plan, surveys, findings, datetime.now(timezone.utc))
    write_report(report, folder)
