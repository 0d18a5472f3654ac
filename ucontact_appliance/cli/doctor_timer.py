"""`ucontact doctor timer`: nightly runs, and whom they notify."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from ucontact_appliance.checks.model import Calls
from ucontact_appliance.cli.console import out, show_error, translated
from ucontact_appliance.cli.doctor_run import DoctorRun, installed_site, keep, run_here
from ucontact_appliance.cli.options import SiteOption, require_root, site_file
from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.language.choice import Language, language_of
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.history import changes_since, kept_runs
from ucontact_appliance.operate.installed import Installed, load_installed
from ucontact_appliance.operate.notify import mail_address, webhook_address
from ucontact_appliance.operate.timer import (
    AT,
    Timer,
    TimerSettings,
    destinations,
    find_timer,
    install_timer,
    load_watch,
    remove_timer,
    tell,
    tell_trouble,
)
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths

app = typer.Typer(
    add_completion=False,
    help="""Run the checks each night, and report what changed.

    Examples:

      ucontact doctor timer set --mail noc@example.com

      ucontact doctor timer show
    """,
)


@app.command("set")
def set_timer(
    site: SiteOption = None,
    *,
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="HH:MM", help="Run at this time of day, by this machine's clock."
        ),
    ] = AT,
    deep: Annotated[
        bool, typer.Option("--deep", help="Place all real calls. Default: one short call.")
    ] = False,
    mail: Annotated[
        str | None,
        typer.Option(
            "--mail", metavar="ADDRESS", help="Mail what changed to this address with sendmail."
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            "--webhook",
            metavar="URL",
            help="Post what changed as JSON to this URL; '-' reads it from stdin.",
        ),
    ] = None,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Allow a webhook without TLS.")
    ] = False,
    lang: Annotated[
        Language | None,
        typer.Option(
            "--lang",
            help="Write messages in this language. Default: by LC_ALL, LC_MESSAGES or LANG.",
        ),
    ] = None,
) -> None:
    """Set a systemd timer that runs the checks each night, and reports what changed.

    It replaces an existing timer and all its options.

    Examples:

      ucontact doctor timer set --mail noc@example.com

      ucontact doctor timer set --at 03:30 --deep --webhook -
    """
    here = installed_site(site)
    if webhook == "-":
        webhook = sys.stdin.readline().strip()
    try:
        watch = TimerSettings(
            site=here.site.site,
            at=at,
            mail=mail_address(mail) if mail else None,
            webhook=webhook_address(webhook, allow_http=allow_http) if webhook else None,
            lang=lang or language_of(os.environ),
            deep=deep,
        )
    except ValidationError:
        raise UsageError(
            _("{word!r} is not a time of day", word=at),
            helps="ucontact doctor timer set --at 03:30",
        ) from None
    timer = install_timer(watch, here.site_file.resolve(), here.paths.watch)
    _show(_("set"), timer, watch)


@app.command("show")
def show_timer(site: SiteOption = None) -> None:
    """Show when the timer runs next, with which calls, and whom it notifies.

    Examples:

      ucontact doctor timer show

      ucontact doctor timer show --site site.yml
    """
    require_root()
    name = load_site(site_file(site)).site
    path = state_paths(name).watch
    if not path.exists():
        out.print(translated(_("{site} has no timer on this machine", site=name)))
        return
    _show(_("is set"), find_timer(name), load_watch(path))


@app.command("remove")
def clear_timer(site: SiteOption = None) -> None:
    """Remove the timer, if there is one.

    Examples:

      ucontact doctor timer remove

      ucontact doctor timer remove --site site.yml
    """
    require_root()
    name = load_site(site_file(site)).site
    found = remove_timer(name, state_paths(name).watch)
    told = (
        _("removed the timer of {site}", site=name)
        if found
        else _("{site} had no timer on this machine", site=name)
    )
    out.print(translated(told))


def _show(state: str, timer: Timer, watch: TimerSettings) -> None:
    when = _("{timer}, each night at {time}", timer=timer.name, time=watch.at)
    rows = {
        _("next"): timer.next or _("unknown"),
        _("calls"): _("all calls of --deep") if watch.deep else _("one short call"),
        _("notifies"): destinations(watch),
        _("try"): f"systemctl start {timer.name.removesuffix('.timer')}.service",
    }
    labels = {label: translated(label) for label in (state, *rows)}
    width = max(7, *map(len, labels.values()))
    lines = [f"[bold green]{labels[state]:<{width}}[/] {translated(when)}"]
    lines += [f"{labels[label]:<{width}} {translated(text)}" for label, text in rows.items()]
    out.print("\n".join(lines), highlight=False, soft_wrap=True)


def night(path: Path, site_file: Path, *, calls: Calls) -> DoctorRun:
    """Run the checks for the timer, report what changed since its last run, and save the run.

    Raises UnreachableError if a notification could not be sent; the next night then repeats it.
    """
    watch = load_watch(path)
    try:
        here = load_installed(site_file)
        run = run_here(here, calls=calls)
    except ApplianceError as error:
        _tell_trouble(watch, error)
        raise
    return _told(watch, here, run, calls=calls)


def _told(watch: TimerSettings, here: Installed, run: DoctorRun, *, calls: Calls) -> DoctorRun:
    runs = kept_runs(here.paths.doctor)
    changes = changes_since(runs, run.findings, calls=calls, by="night")
    # The first night is reported too: it shows that notifications arrive.
    if changes.rows or changes.since is None:
        try:
            tell(watch, run.time, changes, run.findings)
        except UnreachableError:
            keep(here, run, calls=calls)
            raise
    keep(here, run, calls=calls, by="night")
    return replace(run, changes=changes)


def _tell_trouble(watch: TimerSettings, error: ApplianceError) -> None:
    try:
        tell_trouble(watch, error)
    except UnreachableError as unsent:
        show_error(unsent)
