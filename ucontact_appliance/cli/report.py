"""`ucontact report`: compliance evidence, and checking a folder of it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.checks.model import Stage
from ucontact_appliance.checks.run import run_checks
from ucontact_appliance.cli.console import err, out
from ucontact_appliance.cli.options import SiteOption, require_root, site_file
from ucontact_appliance.engine.install import look
from ucontact_appliance.engine.installed import load_installed
from ucontact_appliance.engine.reporting import file_report, new_folder
from ucontact_appliance.engine.traces import remove_call_traces
from ucontact_appliance.report.verify import verify_folder

app = typer.Typer(help="Compliance evidence for the auditor.", invoke_without_command=True)


@app.callback()
def report(
    context: typer.Context,
    site: SiteOption = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder to write; a new one when left out.")
    ] = None,
    deep: Annotated[bool, typer.Option(help="Place a real call for evidence.")] = True,
) -> None:
    """Run all checks and write report.html and report.json."""
    if context.invoked_subcommand:
        return
    require_root()
    here = load_installed(site_file(site))
    stages = (Stage.DOCTOR, Stage.DEEP) if deep else (Stage.DOCTOR,)
    with err.status("gathering evidence …") as status:
        surveys = look(here.site, here.paths).surveys
        findings = run_checks(
            here.site,
            here.plan,
            here.secrets,
            here.paths,
            here.site_file,
            stages=stages,
            on_finding=lambda finding: status.update(finding.id),
            tidy=remove_call_traces,
        )
    target = folder or new_folder(here.paths.reports)
    file_report(here.site, here.plan, surveys, findings, target)
    out.print(f"report  {target / 'report.html'}", highlight=False, soft_wrap=True)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A report's folder.", metavar="DIR")],
) -> None:
    """Check that no file of a report was altered."""
    verify_folder(folder)
    out.print(f"[green]intact[/]  {folder}", highlight=False)
