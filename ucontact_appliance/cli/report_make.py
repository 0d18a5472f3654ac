"""Make a report from the command line, and show the progress."""

from __future__ import annotations

from pathlib import Path

from ucontact_appliance.checks.model import Calls
from ucontact_appliance.cli.console import err
from ucontact_appliance.evidence.filing import file_report, new_folder
from ucontact_appliance.evidence.gathering import Gatherer
from ucontact_appliance.install.surveying import look
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.examination import examine
from ucontact_appliance.operate.installed import Installed


def make_report(
    here: Installed, folder: Path | None, *, deep: bool, feed: Path | None, language: Language
) -> Path:
    """Run the checks on the site, write the report's folder, and return it."""
    gatherer, translate = Gatherer(), translation(language)
    with err.status(translate(_("gathering evidence …"))) as status:
        surveys = look(here.site, here.paths).surveys
        findings = examine(
            here,
            calls=Calls.DEEP if deep else Calls.NONE,
            on_finding=lambda finding: status.update(translate(finding.title)),
            on_facts=gatherer,
        )
        status.update(translate(_("writing the report …")))
        target = folder or new_folder(here.paths.reports)
        evidence = gatherer.evidence(findings, here.secrets, feed)
        file_report(
            here.site,
            here.plan,
            surveys,
            evidence,
            folder=target,
            paths=here.paths,
            language=language,
        )
    return target
