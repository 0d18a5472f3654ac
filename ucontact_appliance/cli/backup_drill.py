"""`ucontact backup drill`: restore the newest backup into a throw-away machine, by timer too."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import err, show_json, show_text, translated
from ucontact_appliance.cli.options import JsonOption, SiteOption, require_root, site_file
from ucontact_appliance.errors import EXIT_FINDINGS
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.drill import DrillResult, run_drill
from ucontact_appliance.operate.drill_timer import (
    find_drill_timer,
    install_drill_timer,
    remove_drill_timer,
)
from ucontact_appliance.operate.installed import load_installed
from ucontact_appliance.operate.timer import Timer
from ucontact_appliance.site.loader import load_site

app = typer.Typer(add_completion=False, invoke_without_command=True)
timer = typer.Typer(
    add_completion=False,
    help="""Run the drill by a systemd timer of this machine, as often as site.yml says.

    Examples:

      ucontact backup drill timer set

      ucontact backup drill timer show
    """,
    no_args_is_help=True,
)
app.add_typer(timer, name="timer")


@app.callback()
def drill(
    context: typer.Context,
    *,
    site: SiteOption = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Keep the machine with the copy. Default: remove it, whatever happens."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore the newest backup into a throw-away machine, and file the signed result.

    The machine (systemd-nspawn) can't reach the site. The restore compares rows and hashes with the
    backup, and ends with the doctor's real call. Exit code 1 when the backup can't be restored.

    Examples:

      ucontact backup drill

      ucontact backup drill --keep --json
    """
    if context.invoked_subcommand:
        return
    require_root()
    done = run_drill(load_installed(site_file(site)), keep=keep, say=_say)
    if as_json:
        kept = done.kept and {"name": done.kept.name, "address": done.kept.address}
        show_json({**done.document, "report": str(done.folder), "machine": kept})
    else:
        _show(done)
    if not done.record.good:
        raise typer.Exit(EXIT_FINDINGS)


def _show(done: DrillResult) -> None:
    record = done.record
    if record.good:
        told = _(
            "the backup of {backup:%Y-%m-%d %H:%M} UTC can be restored: rows and hashes are those "
            "of the backup, and a real call carried audio ({seconds} s)",
            backup=record.backup,
            seconds=record.seconds,
        )
    else:
        told = _(
            "the backup of {backup:%Y-%m-%d %H:%M} UTC could not be restored",
            backup=record.backup,
        )
    show_text(translated(told))
    if record.trouble:
        show_text(record.trouble)
    for line in done.document["left_out"]:
        show_text(translated(_("not restored: {what}", what=line)))
    show_text(translated(_("signed result: {folder}", folder=done.folder)))
    if done.kept is not None:
        shown = _(
            "kept: ucontact lab shell {name}; to remove it: ucontact lab down {name}",
            name=done.kept.name,
        )
        show_text(translated(shown))


@timer.command("set")
def set_timer(site: SiteOption = None) -> None:
    """Set the timer, by 'drill' below 'backup' of site.yml; it replaces an existing one.

    Examples:

      ucontact backup drill timer set

      ucontact backup drill timer set --site site.yml
    """
    require_root()
    here = load_installed(site_file(site))
    _show_timer(install_drill_timer(here.site, here.site_file.resolve()))


@timer.command("show")
def show_timer(site: SiteOption = None) -> None:
    """Show when the next drill runs.

    Examples:

      ucontact backup drill timer show

      ucontact backup drill timer show --site site.yml
    """
    require_root()
    name = load_site(site_file(site)).site
    found = find_drill_timer(name)
    if found is None:
        show_text(translated(_("{site} has no timer on this machine", site=name)))
        return
    _show_timer(found)


@timer.command("remove")
def remove_timer(site: SiteOption = None) -> None:
    """Stop and remove the timer.

    Examples:

      ucontact backup drill timer remove

      ucontact backup drill timer remove --site site.yml
    """
    require_root()
    name = load_site(site_file(site)).site
    if remove_drill_timer(name):
        show_text(translated(_("removed the timer of {site}", site=name)))
    else:
        show_text(translated(_("{site} has no timer on this machine", site=name)))


def _show_timer(found: Timer) -> None:
    show_text(translated(_("{timer}: next run {next}", timer=found.name, next=found.next or "-")))


def _say(text: str) -> None:
    err.print(escape(translated(text)), highlight=False, soft_wrap=True)
