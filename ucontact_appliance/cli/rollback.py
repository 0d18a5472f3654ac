"""`ucontact rollback`: back to the restore point of an upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance import __version__
from ucontact_appliance.cli.console import err, out, reader, show_json, show_text, translated
from ucontact_appliance.cli.options import (
    JsonOption,
    SiteToChange,
    demand_yes,
    require_root,
    site_file,
    site_to_change,
)
from ucontact_appliance.cli.progress import ProgressDisplay
from ucontact_appliance.cli.upgrade_view import points_table, say, show_recovered
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.install.admission import demand_own, demand_whole
from ucontact_appliance.install.surveying import Surveyed, look
from ucontact_appliance.language.messages import Message, _
from ucontact_appliance.planning.ownership import marks_of
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths
from ucontact_appliance.upgrading.environment import (
    appliance_lock,
    base,
    environment_of,
    return_to,
)
from ucontact_appliance.upgrading.points import RestorePoint, find_point, load_points
from ucontact_appliance.upgrading.rollback import interrupted_upgrade, recover, roll_back


def rollback(
    point: Annotated[
        str | None,
        typer.Argument(help="The restore point, as --list shows it; the newest if none."),
    ] = None,
    *,
    listed: Annotated[bool, typer.Option("--list", help="List the restore points.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first change.")] = False,
    as_json: JsonOption = False,
    site: SiteToChange = None,
) -> None:
    """Go back to the restore point of an upgrade.

    Ends an interrupted upgrade first. Brings back files, release and units of every server, and
    the release in site.yml; then runs all checks with a real call.

    Examples:

      ucontact rollback --list

      ucontact rollback

      ucontact rollback 20261130T204500Z --yes --site site.yml
    """
    require_root()
    path = site_file(site if listed else site_to_change(site, yes=yes))
    loaded = load_site(path, IDS, control_ids())
    paths = state_paths(loaded.site)
    if listed:
        points = load_points(paths)
        if as_json:
            show_json([one.model_dump(mode="json") for one in points])
        else:
            out.print(points_table(points))
        return
    interrupted = interrupted_upgrade(paths)
    if interrupted is None:
        chosen = find_point(paths, point, path)
        say(
            _(
                "back to {title}, as it was before the upgrade to {goal} on "
                "{created:%Y-%m-%d %H:%M} UTC",
                title=chosen.title,
                goal=chosen.goal,
                created=chosen.created,
            )
        )
        if chosen.databases:
            say(
                _(
                    "the databases {names} go back too: what was written since is not in them; "
                    "a dump of it stays in the restore point",
                    names=", ".join(chosen.databases),
                )
            )
        if chosen.appliance != __version__:
            say(_appliance(chosen.appliance))
        say(_("the portal is interrupted for some seconds, and calls if Asterisk's files differ"))
    else:
        say(_("an upgrade to {title} was interrupted: it is ended", title=interrupted.title))
    if not yes:
        demand_yes(_("Go back?"), _("stdin is not a terminal, so the rollback can't be confirmed"))
    demand_whole(loaded, paths)
    seen = look(loaded, paths)
    demand_own(marks_of(seen.cas), loaded, paths)
    back = _went_back(seen, path, point, interrupted=interrupted is not None)
    if back is not None and back.appliance != __version__:
        _return_appliance(back.appliance)


def _went_back(
    seen: Surveyed, path: Path, point: str | None, *, interrupted: bool
) -> RestorePoint | None:
    """Go back, or end an interrupted upgrade; return the point to which the site went back."""
    with ProgressDisplay(err) as progress:
        if interrupted:
            ended = recover(seen, path, progress, translate=reader())
            show_recovered(ended)
            return ended.point if ended else None
        back = roll_back(seen, path, point, progress, translate=reader())
    show_text(translated(_("the site is back at {title}, and healthy", title=back.title)))
    return back


def _appliance(version: str) -> Message:
    """What a rollback does with the appliance, whose other version had installed the site."""
    if environment_of(version) is not None:
        return _(
            "the appliance goes back too: {own} -> {version}", own=__version__, version=version
        )
    return _(
        "the appliance stays {own}: {version}, which had installed the site, is not kept here",
        own=__version__,
        version=version,
    )


def _return_appliance(version: str) -> None:
    """Let the version that had installed the site be in use again, if it is kept."""
    with appliance_lock():
        kept = environment_of(version)
        if kept is not None:
            return_to(kept, base())
            show_text(translated(_("the appliance is {version} again", version=version)))
            return
    show_text(
        translated(
            _(
                "the appliance is still {own}: install the wheel of {version}, or upgrade the site "
                "again",
                own=__version__,
                version=version,
            )
        ),
        stderr=True,
    )
