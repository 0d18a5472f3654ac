"""What every command shares on screen: consoles, colours of verdicts, errors, tables."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.errors import ApplianceError

out = Console()
err = Console(stderr=True)

VERDICT_STYLE = {
    Verdict.PASS: "green",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.SKIP: "dim",
    Verdict.ERROR: "bold magenta",
}


def show_error(error: ApplianceError) -> None:
    """What happened, the evidence, and one command that helps, on stderr."""
    err.print(f"[bold red]error:[/] {escape(error.what)}", highlight=False)
    if error.evidence:
        err.print(Padding(escape(error.evidence), (0, 0, 0, 2)), highlight=False, soft_wrap=True)
    if error.helps:
        label, *more = error.helps.splitlines()
        err.print(f"[bold]try:[/]   [cyan]{escape(label)}[/]", highlight=False, soft_wrap=True)
        for line in more:
            err.print(f"       [cyan]{escape(line)}[/]", highlight=False, soft_wrap=True)


def show_json(document: Any) -> None:
    """One JSON document on stdout, nothing else there."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def table(*columns: str, title: str | None = None) -> Table:
    """A table in the house's look."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
