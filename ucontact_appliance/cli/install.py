"""`ucontact install`: preflight, the phases, the doctor's checks, the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import (
    err,
    reader,
    table,
    translated,
)
from ucontact_appliance.cli.init import ask_for_site
from ucontact_appliance.cli.install_view import show_installed, show_preview
from ucontact_appliance.cli.options import SiteToChange, demand_yes, require_root, site_to_change
from ucontact_appliance.cli.plan_view import show_plan
from ucontact_appliance.cli.progress import ProgressDisplay
from ucontact_appliance.errors import UsageError
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.install.admission import demand_own, demand_whole
from ucontact_appliance.install.run import install as run_install
from ucontact_appliance.install.run import pending_moves, preview
from ucontact_appliance.install.session import run_connections
from ucontact_appliance.install.surveying import Surveyed, iron_of, look
from ucontact_appliance.install.takeover import named_components
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.moving.stores import store_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import DataMove
from ucontact_appliance.planning.ownership import marks_of
from ucontact_appliance.planning.shortfall import Shortfall, ShortfallSeverity, shortfalls
from ucontact_appliance.release.store import look_up_release, resolve_release
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.current import SITE_FILE, find_site_file
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import CertificateSource
from ucontact_appliance.state import state_paths


def install(
    site: SiteToChange = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first change.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, without changing it.")
    ] = False,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="Run all phases on the current inputs, instead of continuing an interrupted "
            "installation.",
        ),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Run every phase, even where nothing differs.")
    ] = False,
    replace_newer: Annotated[
        bool,
        typer.Option(
            "--replace-newer", help="Overwrite a newer installation made from another machine."
        ),
    ] = False,
    abandon: Annotated[
        list[Role] | None,
        typer.Option(
            metavar="ROLE",
            help="Start telephony, backend or database without its data, because its old server is "
            "lost. Repeatable.",
        ),
    ] = None,
    new_ca: Annotated[
        bool,
        typer.Option(
            "--new-ca",
            help="Continue with a new CA, because the site's keys are lost. Every agent's PC must "
            "then trust the new CA. Lost secrets are generated again; what is left of the old ones "
            "is set aside.",
        ),
    ] = False,
    take_over: Annotated[
        str | None,
        typer.Option(
            "--take-over",
            metavar="COMPONENT[,COMPONENT]",
            help="Take over an nginx, mysql, asterisk or coturn that somebody else set up on the "
            "servers: stop it, keep a copy of its configuration and databases there, and continue.",
        ),
    ] = None,
) -> None:
    """Install the site, continue an interrupted installation, or correct what differs.

    Examples:

      ucontact install

      ucontact install --dry-run

      ucontact install --yes --full --site site.yml
    """
    require_root()
    known = site or find_site_file() if dry_run else site_to_change(site, yes=yes)
    path = (known or _asked(dry_run)).absolute()
    loaded = load_site(path, IDS, control_ids())
    told = _("site [bold]{site}[/] ({file})", site=loaded.site, file=escape(str(path)))
    err.print(translated(told), highlight=False)
    paths = state_paths(loaded.site)
    taken = named_components(take_over) if take_over is not None else ()
    if dry_run:
        _refuse_dry(new_ca=new_ca, taken=taken)
    demand_whole(loaded, paths, new_ca=new_ca)
    with run_connections(paths) as ssh:
        seen = look(loaded, paths, ssh)
        if not new_ca:
            demand_own(marks_of(seen.cas), loaded, paths)
        short = _short(seen)
        abandoned = frozenset(abandon or ())
        _announce(pending_moves(seen, abandoned), loaded.fqdn)
        if dry_run:
            release_here = look_up_release(loaded.release, _say)
            show_plan(loaded, seen.plan)
            with ProgressDisplay(err) as progress:
                rows = preview(
                    seen,
                    path,
                    release_here,
                    progress,
                    restart=restart,
                    abandoned=abandoned,
                    full=full,
                    translate=reader(),
                )
            show_preview(rows)
            return
        if not yes:
            show_plan(loaded, seen.plan, short)
            demand_yes(
                _("Install this plan?"),
                _("stdin is not a terminal, so the plan can't be confirmed"),
            )
        release = resolve_release(loaded.release, _say)
        with ProgressDisplay(err) as progress:
            done = run_install(
                seen,
                path,
                release,
                progress,
                restart=restart,
                replace_newer=replace_newer,
                abandoned=abandoned,
                new_ca=new_ca,
                take_over=taken,
                full=full,
                translate=reader(),
                ssh=ssh,
            )
    show_installed(loaded, path, done)
    if new_ca and loaded.certificate.source is CertificateSource.PRIVATE_CA:
        trusted = paths.pki / "portal-ca.pem"
        _say(
            _(
                "new CA  agents' PCs reject the portal until {file} is installed on them",
                file=trusted,
            )
        )


def _refuse_dry(*, new_ca: bool, taken: tuple[str, ...]) -> None:
    """Raise UsageError in a dry run for options that begin with a change."""
    if new_ca:
        raise UsageError(
            _("a dry run does not create a new CA"),
            helps=_("ucontact install --new-ca   (asks before it begins)"),
        )
    if taken:
        raise UsageError(
            _("a dry run does not take over services"),
            helps=_("ucontact install --dry-run   (lists services that somebody else set up)"),
        )


def _short(seen: Surveyed) -> tuple[Shortfall, ...]:
    """Return the servers' shortfalls. Raises UsageError for one that prevents services' start."""
    short = shortfalls(seen.site, seen.plan, iron_of(seen.surveys))
    refusing = [found for found in short if found.weight is ShortfallSeverity.REFUSES]
    if refusing:
        first = refusing[0]
        raise UsageError(
            _("{host}: {what}", host=first.host, what=first.what),
            evidence=_(
                "required: {needed}; available: {there}", needed=first.needed, there=first.there
            ),
            helps=joined("\n", first.ways_out),
        )
    return short


def _asked(dry_run: bool) -> Path:
    """Ask for the site, and return its file. Raises UsageError in a dry run, which writes none."""
    if dry_run:
        raise UsageError(
            _("there is no site.yml here, and a dry run does not create one"),
            helps=_("ucontact init   (or: ucontact install --dry-run --site FILE)"),
        )
    return ask_for_site(Path(SITE_FILE))


def _say(text: str) -> None:
    err.print(escape(translated(text)), highlight=False, soft_wrap=True)


def _announce(moves: tuple[DataMove, ...], fqdn: str) -> None:
    """Announce, before any change, what moves to another server, and the effect on calls."""
    if not moves:
        return
    rows = table(_("moves"), _("from"), _("to"))
    for move in moves:
        source, target = (f"{host.name} ({host.address})" for host in (move.source, move.target))
        rows.add_row(translated(store_of(move.role).title), source, target)
    told = _(
        "No calls are possible from the first move until the installation ends. "
        "Services that write data are stopped; each part is copied and verified. The "
        "old server keeps its copy."
    )
    err.print(rows, translated(told), highlight=False)
    for move in moves:
        if move.role is Role.BACKEND:
            told = _(
                "From then on, {fqdn} must resolve to {address}.",
                fqdn=fqdn,
                address=move.target.address,
            )
            err.print(translated(told), highlight=False)
