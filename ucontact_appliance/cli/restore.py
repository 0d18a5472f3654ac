"""`ucontact restore`: bring a site back from its backup, on the same or on other servers."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape

from ucontact_appliance.cli.adopt import asked_key
from ucontact_appliance.cli.console import err, reader, table, translated
from ucontact_appliance.cli.install_view import show_installed
from ucontact_appliance.cli.options import demand_yes, require_root
from ucontact_appliance.cli.progress import ProgressDisplay
from ucontact_appliance.clients.restic import Repository, demand_restic
from ucontact_appliance.damage import why
from ucontact_appliance.errors import UsageError
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.install.admission import demand_own, demand_whole
from ucontact_appliance.install.run import install as run_install
from ucontact_appliance.install.surveying import look
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.restore_plan import Restore
from ucontact_appliance.moving.restore_source import find_restore
from ucontact_appliance.operate.restore import (
    Prepared,
    begin_restore,
    bring_release,
    prepare_restore,
)
from ucontact_appliance.planning.ownership import marks_of
from ucontact_appliance.release.store import resolve_release
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site import backup
from ucontact_appliance.site.current import SITE_FILE, remember_site
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.recovery_key import repository_password
from ucontact_appliance.state import state_paths

_REPOSITORY: TypeAdapter[str] = TypeAdapter(backup.Repository)


def restore(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="REPOSITORY",
            help="Take the newest good backup of this repository: /FOLDER, sftp:USER@HOST:/FOLDER, "
            "s3:https://HOST/BUCKET or rest:https://HOST/.",
        ),
    ],
    *,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Restore the database as of this time (UTC), such as 2026-11-30T14:05:00. "
            "Default: all that is stored.",
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(
            "--site",
            metavar="FILE",
            help="Install on the servers of this site file. Default: ./site.yml; if there is none, "
            "the saved one is written there.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Use this ssh private key for the servers of the saved site.yml. Default: the "
            "agent's keys, and the files that it names."
        ),
    ] = None,
    repository_key: Annotated[
        Path | None,
        typer.Option(
            "--repository-key",
            help="Use this ssh private key for an sftp repository. Default: the agent's keys.",
        ),
    ] = None,
    hashes: Annotated[
        bool,
        typer.Option(
            "--hashes",
            help="Compare the SHA-256 of every restored file with the backup. Default: numbers and "
            "sizes of files.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first change.")] = False,
) -> None:
    """Restore a site from its backup: install it, load its data, and prove it by a real call.

    The recovery key is asked for, or read from stdin. The servers may be others than before, with
    other addresses, names and systems. An interrupted restore is continued by the same command.

    Examples:

      ucontact restore --from /mnt/backup

      ucontact restore --from sftp:backup@192.0.2.9:/srv/ucontact --at 2026-11-30T14:05:00

      ucontact restore --from rest:https://192.0.2.9/ --site new.yml --yes < recovery-key
    """
    require_root()
    demand_restic()
    path = (site or Path(SITE_FILE)).absolute()
    if not path.parent.is_dir():
        raise UsageError(_("there is no folder {path}", path=path.parent))
    until = _moment(at)
    address = _address(source)
    recovery = asked_key()
    repository = Repository(address, repository_password(recovery), _absolute(repository_key))
    found = find_restore(repository, until, _say).model_copy(update={"hashes": hashes})
    prepared = prepare_restore(repository, found, recovery, path, _absolute(key))
    _show(prepared, found)
    if not yes:
        demand_yes(
            _("Restore it? Databases and recordings on these servers are replaced."),
            _("stdin is not a terminal, so the restore can't be confirmed"),
        )
    begin_restore(prepared, recovery, path)
    remember_site(path)
    written = bring_release(repository, prepared, path)
    if written is not None:
        _say(_("written: {path}", path=written))
    _install(path)


def _install(path: Path) -> None:
    """Install the site, with the phases that restore its data."""
    loaded = load_site(path, IDS, control_ids())
    paths = state_paths(loaded.site)
    demand_whole(loaded, paths, new_ca=False)
    seen = look(loaded, paths)
    demand_own(marks_of(seen.cas), loaded, paths)
    release = resolve_release(loaded.release, _say)
    with ProgressDisplay(err) as progress:
        done = run_install(seen, path, release, progress, translate=reader())
    show_installed(loaded, path, done)


def _address(text: str) -> str:
    try:
        return _REPOSITORY.validate_python(text)
    except ValidationError as error:
        raise UsageError(_("--from names no repository"), evidence=why(error)) from error


def _moment(text: str | None) -> datetime | None:
    """The moment in UTC. Raises UsageError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError as error:
        raise UsageError(
            _("--at is no time"), evidence=str(error), helps="--at 2026-11-30T14:05:00"
        ) from error
    return found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


def _show(prepared: Prepared, found: Restore) -> None:
    """Say what comes from where, and to which servers it goes."""
    told = _(
        "site {site}: state of {created:%Y-%m-%d %H:%M} UTC, from {controller}",
        site=prepared.site.site,
        created=prepared.state.created,
        controller=prepared.state.controller,
    )
    _say(told)
    rows = table(_("role"), _("backup (UTC)"), _("of server"), _("size"))
    for role, manifest in found.manifests.items():
        size = f"{manifest.octets / 1e6:.1f} MB"
        rows.add_row(role.value, f"{manifest.ended:%Y-%m-%d %H:%M:%S}", manifest.host, size)
    err.print(rows)
    if found.logs:
        _say(_("{count} binary logs are replayed after the dump", count=len(found.logs)))
    hosts = ", ".join(f"{host.name} ({host.address})" for host in prepared.site.hosts)
    _say(_("onto: {hosts}", hosts=hosts))


def _say(text: str) -> None:
    err.print(escape(translated(text)), highlight=False, soft_wrap=True)
