"""`ucontact doctor`: the health checks, each with evidence and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from ucontact_appliance.checks.model import Calls
from ucontact_appliance.cli import doctor_export, doctor_facts, doctor_timer
from ucontact_appliance.cli.console import reader
from ucontact_appliance.cli.doctor_answer import (
    AllOption,
    DeepOption,
    OnlyOption,
    answer,
)
from ucontact_appliance.cli.doctor_former import refuse_former
from ucontact_appliance.cli.doctor_history import changes, history
from ucontact_appliance.cli.doctor_run import check_up
from ucontact_appliance.cli.doctor_timer import night
from ucontact_appliance.cli.network import network
from ucontact_appliance.cli.options import (
    JsonOption,
    LangOption,
    SiteOption,
    require_root,
    site_file,
)
from ucontact_appliance.errors import UsageError
from ucontact_appliance.findings.document import schema_text
from ucontact_appliance.language.messages import _


class _Doctor(typer.core.TyperGroup):
    """The command group `doctor`. It names the command that replaced a former option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. Raises UsageError for a former option, unless a command follows."""
        if not set(args) & set(self.commands):
            refuse_former(args)
        return super().parse_args(ctx, args)


app = typer.Typer(
    add_completion=False,
    cls=_Doctor,
    invoke_without_command=True,
)
app.command("history")(history)
app.command("changes")(changes)
app.add_typer(doctor_timer.app, name="timer")
app.add_typer(doctor_facts.app, name="facts")
app.add_typer(doctor_export.app, name="export")
app.command("network")(network)


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of `doctor --json`.

    Examples:

      ucontact doctor schema

      ucontact doctor schema > doctor.schema.json
    """
    typer.echo(schema_text(), nl=False)


@app.callback()
def doctor(
    context: typer.Context,
    site: SiteOption = None,
    *,
    deep: DeepOption = False,
    only: OnlyOption = None,
    everything: AllOption = False,
    lang: LangOption = None,
    as_json: JsonOption = False,
    notify: Annotated[Path | None, typer.Option("--notify", hidden=True)] = None,
) -> None:
    """Run the health checks; exit 1 when one fails, 3 when a server cannot be reached.

    Examples:

      ucontact doctor

      ucontact doctor --deep --all

      ucontact doctor --only tls --only web.headers --json
    """
    if context.invoked_subcommand:
        if any((site, deep, only, everything, lang, as_json, notify)):
            raise UsageError(
                _("put the options after `{command}`", command=context.invoked_subcommand),
                helps=f"ucontact doctor {context.invoked_subcommand} --help",
            )
        return
    if notify is None:
        run = check_up(site, deep=deep, only=only)
    else:  # the timer's own run
        require_root()
        _demand_whole(only, notify, as_json=as_json)
        run = night(notify, site_file(site), calls=Calls.DEEP if deep else Calls.ECHO)
    answer(run, reader(lang), as_json=as_json, everything=everything)


def _demand_whole(only: list[str] | None, notify: Path, *, as_json: bool) -> None:
    if only or as_json:
        raise UsageError(
            _("--notify needs a full run, without --only or --json"),
            helps=f"ucontact doctor --notify {notify}",
        )
