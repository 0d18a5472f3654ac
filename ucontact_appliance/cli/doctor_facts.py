"""`ucontact doctor facts`: store what the checks read, and judge it later."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.cli.console import reader
from ucontact_appliance.cli.doctor_answer import (
    AllOption,
    DeepOption,
    OnlyOption,
    answer,
)
from ucontact_appliance.cli.doctor_run import check_up, run_stored
from ucontact_appliance.cli.options import (
    JsonOption,
    LangOption,
    SiteOption,
)

app = typer.Typer(
    add_completion=False,
    help="""Store what the checks read, without secrets, and judge it later.

    Examples:

      ucontact doctor facts save facts.json

      ucontact doctor facts judge facts.json
    """,
)


@app.command("save")
def save(
    file: Annotated[Path, typer.Argument(help="The file to write, with mode 0600.")],
    site: SiteOption = None,
    *,
    deep: DeepOption = False,
    only: OnlyOption = None,
    everything: AllOption = False,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the checks, and store everything that they read, without secrets.

    Examples:

      ucontact doctor facts save facts.json

      ucontact doctor facts save facts.json --deep
    """
    run = check_up(site, deep=deep, only=only, facts_file=file)
    answer(run, reader(lang), as_json=as_json, everything=everything)


@app.command("judge")
def judge(
    file: Annotated[Path, typer.Argument(help="A file that `facts save` wrote.")],
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="CHECK",
            help="Judge only this check, or this subject, such as tls. Repeatable.",
        ),
    ] = None,
    everything: AllOption = False,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge stored facts, without root and without the site's servers.

    Examples:

      ucontact doctor facts judge facts.json

      ucontact doctor facts judge facts.json --only tls --json
    """
    run = run_stored(file, tuple(only or ()))
    answer(run, reader(lang), as_json=as_json, everything=everything)
