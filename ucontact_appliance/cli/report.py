"""`ucontact report`: compliance evidence, and checking a folder of it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.cli.console import err, out
from ucontact_appliance.cli.options import SiteOption, require_root, site_file
from ucontact_appliance.engine.examination import examine
from ucontact_appliance.engine.install import look
from ucontact_appliance.engine.installed import load_installed
from ucontact_appliance.engine.reporting import file_report, new_folder
from ucontact_appliance.errors import EXIT_FINDINGS
from ucontact_appliance.report.verify import altered_files

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
    with err.status("gathering evidence …") as status:
        surveys = look(here.site, here.paths).surveys
        findings = examine(here, deep=deep, on_finding=lambda finding: status.update(finding.title))
    target = folder or new_folder(here.paths.reports)
    file_report(here.site, here.plan, surveys, findings, target)
    out.print(f"report  {target / 'report.html'}", highlight=False, soft_wrap=True)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A report's folder.", metavar="DIR")],
) -> None:
    """Check each file of a report against its manifest; signatures come with a later version."""
    altered = altered_files(folder)
    for name in altered:
        out.print(f"[bold red]altered[/]  {folder / name}", highlight=False, soft_wrap=True)
    if altered:
        raise typer.Exit(EXIT_FINDINGS)
    out.print(
        f"[green]intact[/]   {folder}\n"
        "not signed: this shows no change since the manifest was made, not who made it",
        highlight=False,
        soft_wrap=True,
    )
