"""`ucontact report`: make compliance reports, verify and compare them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ucontact_appliance.cli.console import out, show_json, show_text, translated
from ucontact_appliance.cli.options import (
    JsonOption,
    SiteOption,
    require_root,
    site_file,
)
from ucontact_appliance.cli.report_make import make_report
from ucontact_appliance.errors import EXIT_FINDINGS
from ucontact_appliance.evidence.filing import auditors_key
from ucontact_appliance.language.choice import Language, language_of
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.installed import load_installed
from ucontact_appliance.os_errors import refusing
from ucontact_appliance.report.difference import ChangeDirection, Difference, differences
from ucontact_appliance.report.read import read_report
from ucontact_appliance.report.signing import fingerprint, read_key
from ucontact_appliance.report.verify import SignatureStatus, verify

app = typer.Typer(add_completion=False, invoke_without_command=True)


@app.callback()
def report(
    context: typer.Context,
    *,
    site: SiteOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write to this folder. Default: a new one of the site."
        ),
    ] = None,
    deep: Annotated[bool, typer.Option(help="Place real calls as evidence, or none.")] = True,
    feed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="Judge packages by this copy of Debian's feed of known vulnerabilities (JSON).",
        ),
    ] = None,
    lang: Annotated[
        Language | None,
        typer.Option(
            "--lang",
            help="Write the page and the PDF in this language. Default: by LC_ALL, LC_MESSAGES or "
            "LANG.",
        ),
    ] = None,
) -> None:
    """Run all checks, and write the compliance report as a signed folder.

    Examples:

      ucontact report

      ucontact report --out DIR --lang es

      ucontact report --no-deep --feed debian.json
    """
    if context.invoked_subcommand:
        return
    require_root()
    here = load_installed(site_file(site))
    language = lang or language_of(os.environ)
    target = make_report(here, folder, deep=deep, feed=feed, language=language)
    told = f"{translated(_('report')):<7} {escape(str(target / 'report.html'))}"
    out.print(told, highlight=False, soft_wrap=True)


@app.command()
def key(
    site: SiteOption = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the key to this file. Default: print it."
        ),
    ] = None,
) -> None:
    """Export the public key that verifies this site's reports, for the auditor.

    Examples:

      ucontact report key

      ucontact report key --site site.yml --out site.pem
    """
    require_root()
    public, told = auditors_key(load_installed(site_file(site)).paths)
    if target is None:
        show_text(public.decode(), newline=False)
    else:
        with refusing(_("the key can't be written to {file}", file=target), target):
            target.write_bytes(public)
    show_text(translated(told), stderr=True)


@app.command("verify")
def verify_folder(
    folder: Annotated[Path, typer.Argument(help="A report's folder.", metavar="DIR")],
    public: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="Verify the signature with this public key of the site."
        ),
    ] = None,
) -> None:
    """Verify each file of a report by its hash, and the manifest by its signature.

    Examples:

      ucontact report verify DIR

      ucontact report verify DIR --key site.pem
    """
    key_data = None if public is None else read_key(public)
    found = verify(folder, key_data)
    for line in found.objections:
        out.print(f"[bold red]{escape(translated(line))}[/]", highlight=False, soft_wrap=True)
    if found.objections:
        raise typer.Exit(EXIT_FINDINGS)
    intact = f"[green]{translated(_('intact'))}[/]  {escape(str(folder))}"
    out.print(intact, highlight=False, soft_wrap=True)
    if found.seal is SignatureStatus.GOOD and key_data is not None:
        told = _("signed by {key}, the key that you gave", key=fingerprint(key_data))
    else:
        told = _(
            "the report names {key} as its signing key, which was not verified: "
            "without --key this shows that nothing changed since the manifest was "
            "made, not who made it",
            key=found.signed_by,
        )
    out.print(escape(translated(told)), highlight=False, soft_wrap=True)


_TURNS = {
    ChangeDirection.WORSE: _("worse"),
    ChangeDirection.BETTER: _("better"),
    ChangeDirection.CHANGED: _("changed"),
    ChangeDirection.NEW: _("new"),
    ChangeDirection.GONE: _("gone"),
}
_COLOURS = {
    ChangeDirection.WORSE: "bold red",
    ChangeDirection.BETTER: "green",
    ChangeDirection.CHANGED: "yellow",
    ChangeDirection.NEW: "cyan",
    ChangeDirection.GONE: "dim",
}


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The earlier report's folder.", metavar="OLD")],
    new: Annotated[Path, typer.Argument(help="The later report's folder.", metavar="NEW")],
    as_json: JsonOption = False,
) -> None:
    """Compare two reports: requirements, findings, versions and files.

    Exit code 1 when something got worse.

    Examples:

      ucontact report diff OLD NEW

      ucontact report diff OLD NEW --json
    """
    found = differences(read_report(old), read_report(new))
    if as_json:
        show_json([asdict(one) for one in found])
    else:
        _show(found)
    if any(one.turn is ChangeDirection.WORSE for one in found):
        raise typer.Exit(EXIT_FINDINGS)


def _show(found: Sequence[Difference]) -> None:
    if not found:
        out.print(translated(_("no difference")))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", _("item"), _("server"), _("before"), _("now")):
        table.add_column(translated(heading), overflow="fold")
    for one in found:
        table.add_row(
            f"[{_COLOURS[one.turn]}]{translated(_TURNS[one.turn])}[/]",
            f"{escape(one.id)} [dim]{escape(one.title or one.kind)}[/]",
            escape(one.host),
            escape(one.before),
            escape(one.now),
        )
    out.print(table)
