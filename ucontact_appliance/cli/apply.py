"""`ucontact apply`: bring what changed in site.yml to an installed site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import (
    err,
    translated,
)
from ucontact_appliance.cli.install import install
from ucontact_appliance.cli.options import (
    SiteToChange,
    demand_site_to_change,
    demand_yes,
    require_root,
)
from ucontact_appliance.cli.site_changes import show_diff
from ucontact_appliance.errors import UsageError
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.install.journal import Journal, load_journal
from ucontact_appliance.install.site_changes import site_changes
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths


def apply(
    site: SiteToChange = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first change.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, without changing it.")
    ] = False,
) -> None:
    """Show what changed in site.yml since the last installation, and apply it to the servers.

    Only the components concerned are configured; what can be reloaded is not restarted.

    Examples:

      ucontact apply

      ucontact apply --dry-run

      ucontact apply --yes --site site.yml
    """
    require_root()
    path = demand_site_to_change(site)
    loaded = load_site(path, IDS, control_ids())
    changes = site_changes(installed_journal(loaded.site, path), loaded)
    if changes.diff:
        show_diff(changes.diff, stderr=True)
    else:
        same = _("{file} has not changed since the last installation", file=path)
        err.print(escape(translated(same)), highlight=False, soft_wrap=True)
    asks = changes.concern_servers  # the plan changes: `install` shows it, and asks
    if changes.diff and not (yes or dry_run or asks):
        demand_yes(
            _("Apply these changes?"),
            _("stdin is not a terminal, so the changes can't be confirmed"),
        )
    install(path, yes=yes or not asks, dry_run=dry_run)


def installed_journal(site: str, path: Path) -> Journal:
    """Return the journal of the site. Raises UsageError unless its newest installation finished."""
    journal = load_journal(state_paths(site).journal)
    if not journal.inputs or journal.interrupted:
        raise UsageError(
            _("the newest installation of {site} did not finish", site=site)
            if journal.inputs
            else _("{site} was never installed from this machine", site=site),
            helps=f"ucontact install --site {path}",
        )
    return journal
