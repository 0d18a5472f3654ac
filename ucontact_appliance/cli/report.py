"""`ucontact report`: compliance evidence, and checking a folder of it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.cli.console import out
from ucontact_appliance.cli.options import SiteOption, require_root, site_file
from ucontact_appliance.cli.report_make import make_report
from ucontact_appliance.engine.installed import load_installed
from ucontact_appliance.engine.reporting import auditors_key
from ucontact_appliance.errors import EXIT_FINDINGS
from ucontact_appliance.report.signing import fingerprint, read_key
from ucontact_appliance.report.verify import Seal, verify

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
    """Run all checks and write a signed folder of evidence."""
    if context.invoked_subcommand:
        return
    require_root()
    here = load_installed(site_file(site))
    target = make_report(here, folder, deep=deep)
    out.print(f"report  {target / 'report.html'}", highlight=False, soft_wrap=True)


@app.command()
def key(
    site: SiteOption = None,
    target: Annotated[
        Path | None, typer.Option("--out", help="Write it to this file; else print it.")
    ] = None,
) -> None:
    """The public key that this site's reports are checked by: the auditor takes it along."""
    require_root()
    public, told = auditors_key(load_installed(site_file(site)).paths)
    if target is None:
        typer.echo(public.decode(), nl=False)
    else:
        target.write_bytes(public)
    typer.echo(told, err=True)


@app.command("verify")
def verify_folder(
    folder: Annotated[Path, typer.Argument(help="A report's folder.", metavar="DIR")],
    public: Annotated[
        Path | None, typer.Option("--key", help="The site's public key, as you took it along.")
    ] = None,
) -> None:
    """Check each file of a report by its hash, and the manifest by its signature."""
    key_data = None if public is None else read_key(public)
    found = verify(folder, key_data)
    for line in found.objections:
        out.print(f"[bold red]{line}[/]", highlight=False, soft_wrap=True)
    if found.objections:
        raise typer.Exit(EXIT_FINDINGS)
    out.print(f"[green]intact[/]  {folder}", highlight=False, soft_wrap=True)
    if found.seal is Seal.GOOD and key_data is not None:
        told = f"signed by {fingerprint(key_data)}, the key that you gave"
    else:
        told = (
            f"it names {found.signed_by} as its key, which was not checked: without --key this "
            "shows no change since the manifest was made, not who made it"
        )
    out.print(told, highlight=False, soft_wrap=True)
