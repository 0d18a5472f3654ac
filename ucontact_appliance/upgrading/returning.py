"""Go back to a restore point: the servers, what this machine recorded, and site.yml."""

from __future__ import annotations

import functools
from pathlib import Path

from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.install.events import TaskStarted
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.upgrade_journal import (
    UpgradeJournal,
    UpgradeStage,
    save_upgrade,
)
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.editing import with_release
from ucontact_appliance.site.rewriting import rewrite_site
from ucontact_appliance.upgrading.gates import demand_healthy_site
from ucontact_appliance.upgrading.points import RestorePoint, restore_state
from ucontact_appliance.upgrading.schemas import stop_writers
from ucontact_appliance.upgrading.servers import return_servers
from ucontact_appliance.upgrading.steps import step

_TRIES = 5  # services that were just restarted


def go_back(job: Job, journal: UpgradeJournal, point: RestorePoint) -> None:
    """Bring everything back to the point, and prove it by all checks with a real call.

    The journal is written before and after, so that an interrupted return is continued by the next
    `upgrade` or `rollback`. Raises PhaseFailedError when a step or a check fails.
    """
    save_upgrade(job.paths.upgrade, journal.at(UpgradeStage.RETURNING))
    if job.hold is not None:
        job.hold.demand()  # a server whose lock was lost may be somebody else's by now
    job.log(f"go back to the restore point {point.id}")
    with step(job, "return", _("Go back to {title}", title=point.title)) as within:
        within.observer(TaskStarted(_("Restore files, release and units")))
        hosts = [host for host in job.site.hosts if host.name in point.hosts]
        if point.databases:  # before any server's database is replaced
            stop_writers(hosts, job.ssh, point.databases)
        return_servers(hosts, point.id, job.ssh, job.log)
        restore_state(job.paths, point)
        set_release(job.site_file, point.release)
        save_upgrade(job.paths.upgrade, journal.at(UpgradeStage.RETURNED))
        demand_healthy_site(
            within,
            _("the site is back, but not healthy"),
            tries=_TRIES,
            appliance=point.appliance,
        )


def set_release(site_file: Path, release: str | None) -> None:
    """Write the key `release` into site.yml, unless it has that value; None removes it."""
    rewrite_site(site_file, functools.partial(with_release, release=release), IDS, control_ids())
