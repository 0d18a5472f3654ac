"""The nights of `ucontact doctor`: its timer, and the run that the timer begins."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from ucontact_appliance.checks.model import Calls
from ucontact_appliance.cli.console import out, show_error
from ucontact_appliance.cli.doctor_run import Run, keep, run_here
from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.language.choice import Tongue, tongue_of
from ucontact_appliance.operate.history import changes_since, kept_runs
from ucontact_appliance.operate.installed import Installed, load_installed
from ucontact_appliance.operate.notify import mail_address, webhook_address
from ucontact_appliance.operate.timer import (
    AT,
    Watch,
    destinations,
    install_timer,
    load_watch,
    remove_timer,
    tell,
    tell_trouble,
)
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths

_PANEL = "Nights"
InstallTimerOption = Annotated[
    bool,
    typer.Option(
        "--install-timer",
        help="Let systemd of this machine run it each night, and tell what changed.",
        rich_help_panel=_PANEL,
    ),
]
RemoveTimerOption = Annotated[
    bool,
    typer.Option("--remove-timer", help="Take that timer away.", rich_help_panel=_PANEL),
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", help=f"This machine's time, {AT} when left out.", rich_help_panel=_PANEL),
]
MailOption = Annotated[
    str | None,
    typer.Option(
        "--mail", help="Whom to tell, by this machine's sendmail.", rich_help_panel=_PANEL
    ),
]
WebhookOption = Annotated[
    str | None,
    typer.Option(
        "--webhook",
        help="Where to post JSON; '-' reads the address from stdin.",
        rich_help_panel=_PANEL,
    ),
]
AllowHttpOption = Annotated[
    bool,
    typer.Option("--allow-http", help="Insist on a webhook without TLS.", rich_help_panel=_PANEL),
]
NotifyOption = Annotated[
    Path | None,
    typer.Option(
        "--notify",
        help="The timer's own run: tell what changed since the last one to those named in "
        "this file.",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True)
class Wishes:
    """What was asked for a timer."""

    at: str | None
    mail: str | None
    webhook: str | None
    allow_http: bool
    lang: Tongue | None = None
    deep: bool = False

    @property
    def any(self) -> bool:
        """Whether anything was."""
        return bool(self.at or self.mail or self.webhook or self.allow_http)


def set_timer(site_file: Path, wishes: Wishes) -> None:
    """Lay the timer down. Raises UsageError for what it can't be made of."""
    here = load_installed(site_file)
    watch = _watch(here.site.site, wishes)
    timer = install_timer(watch, site_file.resolve(), here.paths.watch)
    out.print(
        f"[bold green]set[/]     {timer.name}, each night at {watch.at}\n"
        f"next    {timer.next or 'not known'}\n"
        f"calls   {'all calls of --deep' if watch.deep else 'one short call'}\n"
        f"tells   {destinations(watch)}\n"
        f"try     systemctl start {timer.name.removesuffix('.timer')}.service",
        highlight=False,
        soft_wrap=True,
    )


def clear_timer(site_file: Path) -> None:
    """Take the timer away, if there is one."""
    name = load_site(site_file).site
    found = remove_timer(name, state_paths(name).watch)
    out.print(f"removed the timer of {name}" if found else f"{name} had no timer here")


def _watch(site: str, wishes: Wishes) -> Watch:
    webhook = wishes.webhook
    if webhook == "-":
        webhook = sys.stdin.readline().strip()
    try:
        return Watch(
            site=site,
            at=wishes.at or AT,
            mail=mail_address(wishes.mail) if wishes.mail else None,
            webhook=webhook_address(webhook, allow_http=wishes.allow_http) if webhook else None,
            lang=wishes.lang or tongue_of(os.environ),
            deep=wishes.deep,
        )
    except ValidationError:
        raise UsageError(
            f"{wishes.at!r} is no time of day", helps="ucontact doctor --install-timer --at 03:30"
        ) from None


def night(path: Path, site_file: Path, *, calls: Calls) -> Run:
    """The timer's run: look, tell what changed since the last such run, and keep it.

    Raises UnreachableError when somebody could not be told; the next night then tells it again.
    """
    watch = load_watch(path)
    try:
        here = load_installed(site_file)
        run = run_here(here, calls=calls)
    except ApplianceError as error:
        _tell_trouble(watch, error)
        raise
    return _told(watch, here, run, calls=calls)


def _told(watch: Watch, here: Installed, run: Run, *, calls: Calls) -> Run:
    runs = kept_runs(here.paths.doctor)
    changes = changes_since(runs, run.findings, calls=calls, by="night")
    # The first night is told too: it shows that the way to its reader works.
    if changes.rows or changes.since is None:
        try:
            tell(watch, run.time, changes, run.findings)
        except UnreachableError:
            keep(here, run, calls=calls)
            raise
    keep(here, run, calls=calls, by="night")
    return replace(run, changes=changes)


def _tell_trouble(watch: Watch, error: ApplianceError) -> None:
    try:
        tell_trouble(watch, error)
    except UnreachableError as unsent:
        show_error(unsent)
