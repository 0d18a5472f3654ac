"""What an upgrade would change, and what that interrupts."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.errors import UsageError
from ucontact_appliance.install.course import hosts_of
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.journal import Journal, load_journal
from ucontact_appliance.install.migrations import pending_migrations
from ucontact_appliance.install.phases import INSTALL, Phase
from ucontact_appliance.install.site_changes import site_changes
from ucontact_appliance.install.unchanged import NOTHING_DIFFERS, Servers, load_states
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.release.manifest import Migration, ReleaseManifest
from ucontact_appliance.release.remembered import read_manifest, remembered_manifest
from ucontact_appliance.upgrading.packages import PhaseUpdates, find_updates

# Phases whose services carry calls: a change in one of them may restart its service.
_CALLS = "ccdata"  # Asterisk writes into it during calls
_CARRY_CALLS = frozenset({"packages", "base", "firewall", "certificates", "database", "telephony"})


@dataclass(frozen=True)
class UpgradeChanges:
    """The releases before and after, the phases that have something to do, package updates."""

    before: ReleaseManifest | None
    after: ReleaseManifest
    phases: tuple[Phase, ...]
    updates: tuple[PhaseUpdates, ...] = ()
    migrations: tuple[Migration, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether there is anything to upgrade."""
        return bool(self.phases or self.updates)

    @property
    def disturbs_calls(self) -> bool:
        """Whether a service that carries calls may be restarted."""
        changed = {phase.id for phase in self.phases} | {one.phase for one in self.updates}
        return bool(changed & _CARRY_CALLS) or _CALLS in self.databases

    @property
    def replaces_asterisk(self) -> bool:
        """Whether the vendor's packages of Asterisk may be replaced by others."""
        return any(phase.id == "packages" for phase in self.phases)

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases whose schemas change."""
        return tuple(sorted({one.database for one in self.migrations}))


def upgrade_changes(job: Job, *, packages: bool = False, refresh: bool = True) -> UpgradeChanges:
    """Compare the servers and the inputs of each phase with those of the newest installation.

    With `packages`, apt is asked for newer packages, after fetching its lists if `refresh`.

    Raises UsageError when the release has the installed version, but other content.
    """
    before = remembered_manifest(job.paths)
    after = read_manifest(job.stored_release.manifest)
    if (
        before is not None
        and (before.name, before.version) == (after.name, after.version)
        and before.signed_bytes() != after.signed_bytes()
    ):
        raise UsageError(
            _("the release {title} is installed, with other content", title=after.title),
            helps=_("ask the publisher for a release with a version of its own"),
        )
    servers = Servers(job.site.hosts, job.ssh, load_states(job.paths))
    phases = tuple(
        phase
        for phase in INSTALL
        if phase.needed(job)
        and (inputs := phase.inputs(job)) is not None
        and servers.differences(phase.id, inputs, hosts_of(phase, job)) != NOTHING_DIFFERS
    )
    updates = find_updates(job, refresh=refresh) if packages else ()
    return UpgradeChanges(before, after, phases, updates, pending_migrations(job))


def demand_installed(job: Job) -> Journal:
    """Return the journal. Raises UsageError unless the servers have what site.yml says.

    A restore point is of an installed site: what else site.yml changes is installed before.
    """
    journal = load_journal(job.paths.journal)
    if not journal.inputs or journal.interrupted:
        raise UsageError(
            _("the newest installation of {site} did not finish", site=job.site.site)
            if journal.inputs
            else _("{site} was never installed from this machine", site=job.site.site),
            helps=f"ucontact install --site {job.site_file}",
        )
    # The release is what the upgrade changes.
    known = journal.inputs.get("site", {}).get("release", job.site.release)
    changes = site_changes(journal, job.site.model_copy(update={"release": known}))
    if changes.diff or job.moves:
        raise UsageError(
            _("site.yml has changes that are not installed"),
            evidence=changes.diff,
            helps=with_note(
                f"ucontact apply --site {job.site_file}", _("then run the same command again")
            ),
        )
    return journal
