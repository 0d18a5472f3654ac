"""Go back by hand, and end what an interrupted upgrade left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.install.events import Observer, in_language
from ucontact_appliance.install.session import site_session
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.install.upgrade_journal import (
    UpgradeJournal,
    UpgradeStage,
    load_upgrade,
    save_upgrade,
)
from ucontact_appliance.language.catalogue import Translate, english
from ucontact_appliance.language.messages import _
from ucontact_appliance.state import StatePaths
from ucontact_appliance.upgrading.points import RestorePoint, drop_point, find_point
from ucontact_appliance.upgrading.returning import go_back
from ucontact_appliance.upgrading.run import finish, settle, upgrade_job
from ucontact_appliance.upgrading.servers import drop_servers


@dataclass(frozen=True)
class Recovered:
    """How an interrupted upgrade was ended: `finished`, or back at the point."""

    journal: UpgradeJournal
    point: RestorePoint | None
    finished: bool


def interrupted_upgrade(paths: StatePaths) -> UpgradeJournal | None:
    """Return the journal of an upgrade that was interrupted, or of a rollback; None without one."""
    journal = load_upgrade(paths.upgrade)
    return None if journal is None or journal.stage.ended else journal


def recover(
    seen: Surveyed, site_file: Path, observer: Observer, *, translate: Translate = english
) -> Recovered | None:
    """End an interrupted upgrade: finish one that was proved already, else go back.

    Raises PhaseFailedError when going back fails; it may be repeated.
    """
    observer = in_language(observer, translate)
    with (
        site_session(seen, site_file, observer) as session,
        upgrade_job(session, seen, site_file, None, observer) as job,
    ):
        journal = interrupted_upgrade(job.paths)
        if journal is None:
            return None
        if journal.stage is UpgradeStage.PROVED:
            finish(job, journal, journal.release)
            return Recovered(journal, None, finished=True)
        if journal.stage is UpgradeStage.PREPARING:  # nothing was changed
            drop_servers(seen.site.hosts, (journal.point,), job.ssh)
            drop_point(job.paths, journal.point)
            save_upgrade(job.paths.upgrade, journal.at(UpgradeStage.RETURNED))
            return Recovered(journal, None, finished=False)
        point = find_point(job.paths, journal.point, site_file)
        session.hold.begin()
        go_back(job, journal, point)
        settle(session, job)
        return Recovered(journal, point, finished=False)


def roll_back(
    seen: Surveyed,
    site_file: Path,
    wanted: str | None,
    observer: Observer,
    *,
    translate: Translate = english,
) -> RestorePoint:
    """Go back to that restore point, or the newest; return it.

    Raises UsageError if there is none or its servers are others, and PhaseFailedError when going
    back fails; it may be repeated.
    """
    observer = in_language(observer, translate)
    with (
        site_session(seen, site_file, observer) as session,
        upgrade_job(session, seen, site_file, None, observer) as job,
    ):
        point = find_point(job.paths, wanted, site_file)
        names = {host.name for host in seen.site.hosts}
        if names != set(point.hosts):
            raise UsageError(
                _("the restore point {point} is of other servers", point=point.id),
                evidence=_("its servers: {names}", names=", ".join(point.hosts)),
                helps=f"ucontact rollback --list --site {site_file}",
            )
        session.hold.begin()
        journal = UpgradeJournal(
            point=point.id,
            stage=UpgradeStage.RETURNING,
            started=datetime.now(timezone.utc).replace(microsecond=0),
            release=point.release,
            title=point.title,
        )
        go_back(job, journal, point)
        settle(session, job)
        return point
