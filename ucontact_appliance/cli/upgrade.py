"""`ucontact upgrade`: another release behind a restore point, with gates and the way back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.cli.console import err, reader
from ucontact_appliance.cli.options import (
    SiteToChange,
    again,
    demand_yes,
    require_root,
    site_file,
    site_to_change,
)
from ucontact_appliance.cli.progress import ProgressDisplay
from ucontact_appliance.cli.upgrade_appliance import ApplianceOrder, upgrade_appliance
from ucontact_appliance.cli.upgrade_view import (
    say,
    show_changes,
    show_recovered,
    show_upgraded,
)
from ucontact_appliance.errors import UsageError
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.install.admission import demand_own, demand_whole
from ucontact_appliance.install.surveying import look
from ucontact_appliance.install.upgrade_journal import demand_no_upgrade
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.ownership import marks_of
from ucontact_appliance.release.store import borrowed_release, resolve_release
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.editing import with_release
from ucontact_appliance.site.loader import load_site, parse_site
from ucontact_appliance.site.model import EVALUATION, Site
from ucontact_appliance.state import state_paths
from ucontact_appliance.upgrading.rollback import interrupted_upgrade, recover
from ucontact_appliance.upgrading.run import UpgradeOrder, foresee
from ucontact_appliance.upgrading.run import upgrade as run_upgrade


def upgrade(
    site: SiteToChange = None,
    *,
    release: Annotated[
        str | None,
        typer.Option(
            "--release",
            metavar="FILE",
            help="Install this release, an archive, a folder or 'evaluation', and write it into "
            "site.yml. Default: the release that site.yml names.",
        ),
    ] = None,
    packages: Annotated[
        bool,
        typer.Option(
            "--packages",
            help="Install newer packages of the services too, which apt does not replace by "
            "itself.",
        ),
    ] = False,
    appliance: Annotated[
        Path | None,
        typer.Option(
            "--appliance",
            metavar="FILE",
            help="Install this wheel of ucontact itself first, signed by a publisher, and upgrade "
            "the site with it. Default: the version that runs.",
        ),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(
            "--sha256",
            metavar="HASH",
            help="Verify the wheel by this SHA-256 instead of by a signature.",
        ),
    ] = None,
    incomplete: Annotated[
        bool,
        typer.Option(
            "--incomplete",
            help="Continue even if the installed version of a package can't be kept for the way "
            "back.",
        ),
    ] = False,
    drain: Annotated[
        float,
        typer.Option(
            "--drain",
            metavar="SECONDS",
            min=0,
            help="Let running calls end for so long, where the upgrade would cut them. Default: "
            "300.",
        ),
    ] = 300,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first change.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, without changing it.")
    ] = False,
) -> None:
    """Upgrade the site to another release; go back by itself when a check fails.

    Makes a restore point first. Each component is judged by its checks, the whole by a real call.

    Examples:

      ucontact upgrade --release acme-5.2.tar.gz --dry-run

      ucontact upgrade --packages --yes --site site.yml

      ucontact upgrade --appliance ucontact_appliance-1.3.0-py3-none-any.whl
    """
    require_root()
    path = site_file(site if dry_run else site_to_change(site, yes=yes))
    if sha256 is not None and appliance is None:
        raise UsageError(_("--sha256 is the hash of a wheel"), helps=again("--appliance", "FILE"))
    if appliance is not None:
        options = _options(release, drain, packages=packages, incomplete=incomplete)
        other = ApplianceOrder(appliance.absolute(), sha256, options)
        if upgrade_appliance(path, other, yes=yes, dry_run=dry_run):
            return
    loaded = _with_release(load_site(path, IDS, control_ids()), path, release)
    paths = state_paths(loaded.site)
    demand_whole(loaded, paths)
    seen = look(loaded, paths)
    demand_own(marks_of(seen.cas), loaded, paths)
    if dry_run:
        demand_no_upgrade(paths, path)
    elif interrupted_upgrade(paths) is not None:
        with ProgressDisplay(err) as progress:
            recovered = recover(seen, path, progress, translate=reader())
        show_recovered(recovered)
    with tempfile.TemporaryDirectory() as folder:
        found = borrowed_release(loaded.release, Path(folder), say)
        if found is None:
            raise UsageError(
                _("the evaluation release is not built yet"),
                helps="ucontact release build-evaluation",
            )
        foreseen = foresee(
            seen, path, found, lambda event: None, packages=packages, refresh=not dry_run
        )
    show_changes(foreseen, drain)
    if dry_run or not foreseen.anything:
        return
    if not yes:
        demand_yes(
            _("Upgrade the site?"),
            _("stdin is not a terminal, so the upgrade can't be confirmed"),
        )
    stored = resolve_release(loaded.release, say)
    order = UpgradeOrder(
        loaded.release if release is not None else None, drain, packages, incomplete
    )
    with ProgressDisplay(err) as progress:
        done = run_upgrade(seen, path, stored, order, progress, translate=reader())
    show_upgraded(done, path)


def _options(
    release: str | None, drain: float, *, packages: bool, incomplete: bool
) -> tuple[str, ...]:
    """Return the options of the site's upgrade, for the other version's command line."""
    words = [f"--drain={drain:g}"]
    if release is not None:
        named = release if release == EVALUATION else str(Path(release).expanduser().absolute())
        words.append(f"--release={named}")
    words += ["--packages"] * packages + ["--incomplete"] * incomplete
    return tuple(words)


def _with_release(site: Site, path: Path, release: str | None) -> Site:
    """Return the site with that release. Raises UsageError where site.yml can't have it."""
    if release is None:
        return site
    named = release if release == EVALUATION else str(Path(release).expanduser().absolute())
    parse_site(with_release(path.read_text(encoding="utf-8"), named), str(path))
    return site.model_copy(update={"release": named})
