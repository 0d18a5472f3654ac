"""Upgrade an installed site: restore point, no new calls, gated phases; on failure the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance import __version__
from ucontact_appliance.errors import ApplianceError, PhaseFailedError
from ucontact_appliance.install.events import Observer, Warned, in_language
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.launcher import Launcher
from ucontact_appliance.install.log import run_log
from ucontact_appliance.install.managed import load_record
from ucontact_appliance.install.phases import INSTALL, Phase
from ucontact_appliance.install.run import (
    InstallResult,
    install_within,
    pending_moves,
    record_end,
)
from ucontact_appliance.install.sealing import seal_state
from ucontact_appliance.install.session import SiteSession, site_session
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.install.upgrade_journal import (
    UpgradeJournal,
    UpgradeStage,
    load_upgrade,
    save_upgrade,
)
from ucontact_appliance.install.vendor import unpacked_asterisk
from ucontact_appliance.language.catalogue import Translate, english
from ucontact_appliance.language.messages import (
    _,
    concatenated,
    what_of,
    with_note,
)
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.site.secrets import load_secrets
from ucontact_appliance.upgrading.changes import (
    UpgradeChanges,
    demand_installed,
    upgrade_changes,
)
from ucontact_appliance.upgrading.drain import AdmitPhase, DrainPhase, Refusal, admit_again
from ucontact_appliance.upgrading.gates import Updates, demand_healthy_site, gated
from ucontact_appliance.upgrading.packages import keep_packages
from ucontact_appliance.upgrading.points import (
    KEPT_POINTS,
    RestorePoint,
    drop_point,
    keep_state,
    load_points,
    new_id,
    release_key,
)
from ucontact_appliance.upgrading.returning import go_back, set_release
from ucontact_appliance.upgrading.schemas import MigratePhase
from ucontact_appliance.upgrading.servers import drop_servers, keep_servers
from ucontact_appliance.upgrading.steps import step
from ucontact_appliance.upgrading.watch import Interruption, watching

_BACKEND = "backend"  # the phase before which schemas are migrated


@dataclass(frozen=True)
class UpgradeOrder:
    """What to upgrade to. `release` is the new value of the key in site.yml, None if it stays.

    `drain_seconds`: how long running calls are waited for, where they would be cut. `packages`:
    whether newer packages are installed; `incomplete`: also where the installed ones can't be kept.
    """

    release: str | None = None
    drain_seconds: float = 300.0
    packages: bool = False
    incomplete: bool = False


@dataclass(frozen=True)
class UpgradeResult:
    """A finished upgrade: the releases, the restore point, the installation, the outages seen."""

    changes: UpgradeChanges
    point: RestorePoint
    installed: InstallResult
    interruption: Interruption
    refused_seconds: float  # in which new calls were refused


@contextmanager
def upgrade_job(
    session: SiteSession,
    seen: Surveyed,
    site_file: Path,
    release: ReleaseFiles | None,
    observer: Observer,
) -> Iterator[Job]:
    """Yield a job for the steps around the phases, with a log of its own."""
    paths = session.paths
    secrets = load_secrets(paths.secrets)
    with run_log(paths.logs, secrets.values(), lambda text: observer(Warned(text))) as (path, log):
        log(f"log of an upgrade: {path.name}")
        yield Job(
            seen=seen,
            site_file=site_file,
            release=release,
            asterisk=unpacked_asterisk(seen.site.telephony, release) if release else None,
            secrets=secrets,
            paths=paths,
            ssh=session.ssh,
            observer=observer,
            log=log,
            moves=pending_moves(seen),
            launcher=Launcher(held=(session.lock,)),
            hold=session.hold,
        )


def foresee(
    seen: Surveyed,
    site_file: Path,
    release: ReleaseFiles,
    observer: Observer,
    *,
    packages: bool = False,
    refresh: bool = True,
) -> UpgradeChanges:
    """Return what an upgrade would change; holds the locks meanwhile, and changes nothing."""
    with (
        site_session(seen, site_file, observer) as session,
        upgrade_job(session, seen, site_file, release, observer) as job,
    ):
        demand_installed(job)
        return upgrade_changes(job, packages=packages, refresh=refresh)


def upgrade(
    seen: Surveyed,
    site_file: Path,
    release: ReleaseFiles,
    order: UpgradeOrder,
    observer: Observer,
    *,
    translate: Translate = english,
) -> UpgradeResult:
    """Upgrade the site; `seen.site` has the new release already.

    When anything fails or interrupts it, the site is brought back first. Raises PhaseFailedError
    then, with the reason, and UsageError or PhaseFailedError before any change.
    """
    observer = in_language(observer, translate)
    with (
        site_session(seen, site_file, observer) as session,
        upgrade_job(session, seen, site_file, release, observer) as job,
    ):
        appliance = demand_installed(job).appliance or __version__
        changes = upgrade_changes(job, packages=order.packages, refresh=False)
        with step(job, "before", _("Health checks before the upgrade"), 1, 2) as within:
            demand_healthy_site(
                within,
                _("the site is not healthy before the upgrade; nothing was changed"),
                appliance=appliance,
            )
        journal, point = _kept(job, changes, order, appliance)
        refusal = Refusal()
        with watching(seen.site, seen.plan, changes.after.health) as interruption:
            try:
                journal = save_upgrade(job.paths.upgrade, journal.at(UpgradeStage.CHANGING))
                job.log(f"restore point {point.id}; upgrade to {changes.after.title}")
                installed = install_within(
                    session,
                    seen,
                    site_file,
                    release,
                    observer,
                    repairs=False,
                    migrates=True,
                    phases=_phases(changes, order, refusal, point.id),
                    translate=translate,
                )
            except BaseException as error:
                admit_again(job, refusal)
                raise _returned(session, job, journal, point, error) from error
            save_upgrade(job.paths.upgrade, journal.at(UpgradeStage.PROVED))
            seconds = interruption()
        finish(job, journal, order.release)
        return UpgradeResult(changes, point, installed, seconds, refusal.seconds)


def _kept(
    job: Job, changes: UpgradeChanges, order: UpgradeOrder, appliance: str
) -> tuple[UpgradeJournal, RestorePoint]:
    """Make the restore point. Raises PhaseFailedError; nothing was changed then."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    point = RestorePoint(
        id=new_id(now),
        created=now,
        appliance=appliance,
        release=release_key(job.site_file),
        title=changes.before.title if changes.before else "",
        goal=changes.after.title,
        databases=changes.databases,
        hosts=tuple(host.name for host in job.site.hosts),
    )
    journal = UpgradeJournal(
        point=point.id,
        stage=UpgradeStage.PREPARING,
        started=now,
        release=order.release,
        title=changes.after.title,
    )
    save_upgrade(job.paths.upgrade, journal)
    with step(job, "restore-point", _("Restore point"), 2, 2):
        try:
            keep_servers(
                job.site, job.plan, point.id, job.ssh, load_record(job.paths, job.site_file).hosts
            )
            keep_packages(
                job,
                point.id,
                changes.updates,
                vendor=changes.replaces_asterisk and job.site.telephony.has_vendors_asterisk,
                incomplete=order.incomplete,
            )
        except ApplianceError:
            drop_servers(job.site.hosts, (point.id,), job.ssh)
            save_upgrade(job.paths.upgrade, journal.at(UpgradeStage.RETURNED))
            raise
        keep_state(job.paths, point)
    return journal, point


def _phases(
    changes: UpgradeChanges, order: UpgradeOrder, refusal: Refusal, point: str
) -> tuple[Phase, ...]:
    """Return the phases of the upgrade: those of an installation, each behind a gate.

    Where a service that carries calls may be restarted, new calls are refused meanwhile.
    """
    first, *middle, last = gated(INSTALL, Updates(point, changes.updates))
    if changes.databases:
        place = [phase.id for phase in middle].index(_BACKEND)
        before = tuple(phase.id for phase in middle[:place])
        middle.insert(place, MigratePhase(point, changes.databases, before))
    if not changes.disturbs_calls:
        return (first, *middle, last)
    ids = tuple(phase.id for phase in middle)
    return (
        first,
        DrainPhase(order.drain_seconds, refusal),
        *middle,
        AdmitPhase(ids, refusal),
        last,
    )


def _returned(
    session: SiteSession,
    job: Job,
    journal: UpgradeJournal,
    point: RestorePoint,
    error: BaseException,
) -> BaseException:
    """Go back; return the error to raise."""
    why = what_of(error) if isinstance(error, ApplianceError) else _("it was interrupted")
    evidence = error.evidence if isinstance(error, ApplianceError) else ""
    job.log(f"the upgrade failed: {why}\n{evidence}")
    job.observer(Warned(_("the upgrade failed, and goes back: {why}", why=why)))
    try:
        go_back(job, journal, point)
    except (ApplianceError, TimeoutError) as again:
        left = load_upgrade(job.paths.upgrade)
        returned = left is not None and left.stage.ended
        return PhaseFailedError(
            _(
                "the upgrade to {title} failed, and going back failed too: {why}",
                title=journal.title,
                why=what_of(again),
            ),
            evidence=concatenated(
                (_("the upgrade: {why}", why=why), "\n", evidence, "\n", _evidence(again))
            ),
            helps=f"ucontact install --site {job.site_file}"
            if returned
            else with_note(
                f"ucontact rollback --site {job.site_file}",
                _("goes back, as soon as the cause is removed"),
            ),
        )
    settle(session, job)
    if not isinstance(error, ApplianceError | OSError):
        return error  # Ctrl-C or a signal: the command ends as after any other
    return PhaseFailedError(
        _(
            "the upgrade to {title} failed; the site is back at {before}, and healthy: {why}",
            title=journal.title,
            before=point.title,
            why=why,
        ),
        evidence=evidence,
        helps=with_note(
            f"ucontact doctor --site {job.site_file}",
            _("then remove the cause, and run the upgrade again"),
        ),
    )


def _evidence(error: BaseException) -> str:
    return error.evidence if isinstance(error, ApplianceError) else ""


def settle(session: SiteSession, job: Job) -> None:
    """Record on the servers that they are well, and keep this machine's state sealed there."""
    record_end(session.hold, job.observer, well=True)
    seal_state(job)


def finish(job: Job, journal: UpgradeJournal, release: str | None) -> None:
    """Write the release into site.yml, end the upgrade, and remove old restore points."""
    if release is not None:
        set_release(job.site_file, release)
    save_upgrade(job.paths.upgrade, journal.at(UpgradeStage.DONE))
    seal_state(job)
    old = [point.id for point in load_points(job.paths)[KEPT_POINTS:]]
    drop_servers(job.site.hosts, old, job.ssh)
    for point in old:
        drop_point(job.paths, point)
