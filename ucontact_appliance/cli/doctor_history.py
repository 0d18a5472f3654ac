"""`ucontact doctor history` and `changes`: saved runs, and comparison with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from ucontact_appliance.cli.console import reader, show_json
from ucontact_appliance.cli.doctor_answer import answer
from ucontact_appliance.cli.doctor_run import calls_of, installed_site, keep, run_here
from ucontact_appliance.cli.doctor_view import history_rows, show_history
from ucontact_appliance.cli.options import (
    JsonOption,
    LangOption,
    SiteOption,
)
from ucontact_appliance.operate.history import changes_since, kept_runs


def history(
    site: SiteOption = None, *, lang: LangOption = None, as_json: JsonOption = False
) -> None:
    """List saved runs without running checks.

    Examples:

      ucontact doctor history

      ucontact doctor history --json
    """
    runs = kept_runs(installed_site(site).paths.doctor)
    if as_json:
        show_json(history_rows(runs))
    else:
        show_history(runs, reader(lang))


def changes(
    site: SiteOption = None,
    *,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Place all real calls too, and compare with a run that did."),
    ] = False,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the checks, and show only what changed since the last saved run.

    Examples:

      ucontact doctor changes

      ucontact doctor changes --deep --json
    """
    here, calls = installed_site(site), calls_of(deep)
    run = run_here(here, calls=calls)
    run = replace(
        run, changes=changes_since(kept_runs(here.paths.doctor), run.findings, calls=calls)
    )
    keep(here, run, calls=calls)
    answer(run, reader(lang), as_json=as_json)
