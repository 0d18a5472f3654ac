"""`ucontact backup`: make, list, verify and remove backups."""

from __future__ import annotations

import threading
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)
from rich.markup import escape

from ucontact_appliance.cli import backup_drill
from ucontact_appliance.cli.console import err, out, show_json, show_text, table, translated
from ucontact_appliance.cli.options import (
    JsonOption,
    SiteOption,
    SiteToChange,
    demand_site_to_change,
    require_root,
    site_file,
)
from ucontact_appliance.errors import UsageError
from ucontact_appliance.facts.backup import BackupRun
from ucontact_appliance.facts.backup_runs import StoredRun
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate import backup as work
from ucontact_appliance.operate.installed import load_installed
from ucontact_appliance.site.files import private_dir
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Host
from ucontact_appliance.site.secrets import (
    BACKUP_SSH_KEY,
    load_secrets,
    required_names,
    save_secrets,
    with_generated,
)
from ucontact_appliance.state import state_paths

app = typer.Typer(
    add_completion=False,
    help="""Make, list, verify and remove backups of the site, and restore them in drills.

    Examples:

      ucontact backup create

      ucontact backup list
    """,
    no_args_is_help=True,
)
app.add_typer(backup_drill.app, name="drill")


@app.command()
def create(site: SiteToChange = None, *, as_json: JsonOption = False) -> None:
    """Make a backup of every server now; calls go on meanwhile.

    Examples:

      ucontact backup create

      ucontact backup create --site site.yml --json
    """
    require_root()
    here = load_installed(demand_site_to_change(site))
    shown = _Progress()
    work.create(here, shown)
    if as_json:
        show_json({"runs": [{"host": name, "run": run} for name, run in shown.runs.items()]})
        return
    for name, run in shown.runs.items():
        show_text(translated(_("{name}: backup {run} is complete", name=name, run=run)))


class _Progress:
    """Prints each step of each server once, and its progress in tenths."""

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self._told: dict[str, tuple[str, int]] = {}
        self._lock = threading.Lock()

    def __call__(self, host: Host, run: BackupRun) -> None:
        now = (run.step, run.percent // 10)
        with self._lock:
            self.runs[host.name] = run.run
            if run.state != "running" or self._told.get(host.name) == now:
                return
            self._told[host.name] = now
            _say(_line(host, run))


def _line(host: Host, run: BackupRun) -> str:
    if not run.percent:
        return _("{name}: {step}", name=host.name, step=run.step)
    if run.seconds_left is None:
        return _("{name}: {step}, {percent} %", name=host.name, step=run.step, percent=run.percent)
    return _(
        "{name}: {step}, {percent} %, {seconds} s left",
        name=host.name,
        step=run.step,
        percent=run.percent,
        seconds=int(run.seconds_left),
    )


@app.command("list")
def list_backups(site: SiteOption = None, *, as_json: JsonOption = False) -> None:
    """List the backups of all servers, newest first; incomplete ones are marked.

    Examples:

      ucontact backup list

      ucontact backup list --json
    """
    require_root()
    found = work.list_backups(load_installed(site_file(site)))
    if as_json:
        show_json([_document(one) for one in found])
        return
    shown = table(_("run (UTC)"), _("server"), _("state"), _("size"), _("files"), _("rows"))
    for one in found:
        shown.add_row(*map(escape, _cells(one)))
    if found:
        out.print(shown)
    else:
        show_text(translated(_("there is no backup yet")))


def _document(one: StoredRun) -> dict[str, Any]:
    return {"good": one.good, **one.model_dump(mode="json")}


def _cells(one: StoredRun) -> tuple[str, ...]:
    when = f"{one.time:%Y-%m-%d %H:%M:%S}"
    if one.manifest is None:
        return when, one.host, translated(_("incomplete")), "-", "-", "-"
    files = sum(part.files for part in one.manifest.parts.values())
    rows = str(sum(one.manifest.database.rows.values())) if one.manifest.database else "-"
    megabytes = f"{one.manifest.octets / 1e6:.1f} MB"
    return when, one.host, translated(_("good")), megabytes, str(files), rows


@app.command()
def verify(
    site: SiteOption = None,
    *,
    percent: Annotated[
        int,
        typer.Option(
            "--percent",
            min=1,
            max=100,
            help="Read this part of the stored data, chosen at random. Default: 10.",
            show_default=False,
        ),
    ] = 10,
    as_json: JsonOption = False,
) -> None:
    """Check the repository, read a part of its data, and compare the newest backups in full.

    Examples:

      ucontact backup verify

      ucontact backup verify --percent 100 --json
    """
    require_root()
    done = work.verify(load_installed(site_file(site)), percent, _say)
    if as_json:
        show_json(done)
        return
    for one in done:
        for newest in one.get("compared", []):
            told = _(
                "{name}: backup {run} is intact; part {part} of the repository's data was read",
                name=newest["host"],
                run=newest["run"],
                part=one["data"],
            )
            show_text(translated(told))


@app.command()
def prune(site: SiteToChange = None, *, as_json: JsonOption = False) -> None:
    """Remove the backups that 'keep' of site.yml does not keep; never the newest good one.

    Examples:

      ucontact backup prune

      ucontact backup prune --site site.yml
    """
    require_root()
    done = work.prune(load_installed(demand_site_to_change(site)), _say)
    if as_json:
        show_json(done)
        return
    for one in done:
        told = _("{name}: {count} snapshots removed", name=one["host"], count=one["snapshots"])
        show_text(translated(told))


@app.command()
def key(site: SiteToChange = None) -> None:
    """Print the public key that logs in to an sftp server, to be allowed there.

    Examples:

      ucontact backup key

      ucontact backup key --site site.yml >> authorized_keys
    """
    require_root()
    path = demand_site_to_change(site)
    found = load_site(path)
    if BACKUP_SSH_KEY not in required_names(found):
        raise UsageError(
            _("the site {site} has no sftp repository", site=found.site),
            helps="ucontact install",
        )
    paths = state_paths(found.site)
    known = load_secrets(paths.secrets)
    values = with_generated(found, known)
    if values != dict(known):
        private_dir(paths.etc)
        save_secrets(paths.secrets, values)
    private = load_ssh_private_key(values[BACKUP_SSH_KEY].encode(), None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    show_text(f"{public.decode()} ucontact-{found.site}")


def _say(text: str) -> None:
    err.print(escape(translated(text)), highlight=False, soft_wrap=True)
