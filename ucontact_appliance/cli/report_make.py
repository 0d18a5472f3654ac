"""Making a report from the command line, with what it looks at shown as it goes."""

from __future__ import annotations

from pathlib import Path

from ucontact_appliance.cli.console import err
from ucontact_appliance.engine.examination import examine
from ucontact_appliance.engine.install import look
from ucontact_appliance.engine.installed import Installed
from ucontact_appliance.engine.reporting import file_report, gathered, new_folder
from ucontact_appliance.facts.source import FactSource


def make_report(here: Installed, folder: Path | None, *, deep: bool) -> Path:
    """Look at the site, and write the report's folder; the folder."""
    read: dict[str, FactSource] = {}
    with err.status("gathering evidence …") as status:
        surveys = look(here.site, here.paths).surveys
        findings = examine(
            here,
            deep=deep,
            on_finding=lambda finding: status.update(finding.title),
            on_facts=read.update,
        )
        status.update("writing the report …")
        target = folder or new_folder(here.paths.reports)
        evidence = gathered(findings, read, here.secrets)
        file_report(here.site, here.plan, surveys, evidence, folder=target, paths=here.paths)
    return target
