"""`ucontact uninstall`: remove what the appliance installed, and say what was left."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import (
    INTERRUPTED,
    end_unchanged,
    err,
    out,
    reader,
    show_text,
    translated,
)
from ucontact_appliance.cli.options import SiteToChange, again, require_root, site_file
from ucontact_appliance.cli.progress import ProgressDisplay
from ucontact_appliance.errors import UsageError
from ucontact_appliance.install.admission import demand_own
from ucontact_appliance.install.events import in_language
from ucontact_appliance.install.surveying import look
from ucontact_appliance.install.uninstall import uninstall as run_uninstall
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.ownership import marks_of
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import StatePaths, state_paths


def uninstall(
    site: SiteToChange = None,
    *,
    remove_data: Annotated[
        bool,
        typer.Option(
            "--remove-data",
            help="Remove recordings, the database, the portal's own files, and the site's keys and "
            "reports on this machine too.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask for the site's name; needs --site.")
    ] = False,
) -> None:
    """Stop and remove what the appliance installed on the site's servers.

    Files and packages that were there before stay or come back. Data stays unless told otherwise.

    Examples:

      ucontact uninstall

      ucontact uninstall --remove-data

      ucontact uninstall --yes --site site.yml
    """
    require_root()
    if yes and site is None:
        raise UsageError(
            _("--yes needs --site: no site was named"), helps=shlex.join(["ucontact", "uninstall"])
        )
    path = site_file(site)
    loaded = load_site(path)
    paths = state_paths(loaded.site)
    if not yes:
        _confirm(loaded.site, path, remove_data=remove_data)
    seen = look(loaded, paths)
    demand_own(marks_of(seen.cas), loaded, paths)
    with ProgressDisplay(err) as progress:
        done = run_uninstall(seen, path, in_language(progress, reader()), remove_data=remove_data)
    for host, lines in done.items():
        for line in lines:
            if line.startswith("kept "):
                out.print(escape(f"{host}: {line}"), highlight=False, soft_wrap=True)
    _left(paths, path, remove_data=remove_data)
    if loaded.backup is not None:
        told = _("left: the backups in {repository}", repository=loaded.backup.repository)
        show_text(translated(told))


def _confirm(name: str, path: Path, *, remove_data: bool) -> None:
    """Let the person type the site's name. Raises UsageError for another one, or no terminal."""
    what = (
        _("{name} ({path}) stops answering calls, and its data is removed", name=name, path=path)
        if remove_data
        else _("{name} ({path}) stops answering calls; its data stays", name=name, path=path)
    )
    if not sys.stdin.isatty():
        raise UsageError(
            _("stdin is not a terminal, so the site's name can't be typed"),
            evidence=what,
            helps=again("--yes"),
        )
    show_text(translated(what), stderr=True)
    try:
        typed = typer.prompt(translated(_("Type the name of the site to continue")), err=True)
    except typer.Abort:
        end_unchanged(INTERRUPTED)
    if typed.strip() != name:
        raise UsageError(_("that is not the name of the site; nothing was changed"), evidence=what)


def _left(paths: StatePaths, path: Path, *, remove_data: bool) -> None:
    """Say what is left on this machine."""
    show_text(translated(_("left: {file}", file=path)))
    if not remove_data:
        for folder in (paths.etc, paths.var):
            show_text(translated(_("left: {file}", file=folder)))
