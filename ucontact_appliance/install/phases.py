"""The phases of an installation, in their order; each has one purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ucontact_appliance.checks.call import call_result
from ucontact_appliance.checks.foreign import PREFIX as FOREIGN
from ucontact_appliance.checks.model import Calls
from ucontact_appliance.checks.ports import FREE as PORTS_FREE
from ucontact_appliance.clients.restic import Repository
from ucontact_appliance.errors import UsageError
from ucontact_appliance.evidence.filing import demand_reportable, file_report, new_folder
from ucontact_appliance.evidence.gathering import Gatherer
from ucontact_appliance.install.announcements import demand_announcements
from ucontact_appliance.install.events import CallMade, TaskStarted, Warned
from ucontact_appliance.install.inputs import phase_inputs
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.judging import demand, examined, ready
from ucontact_appliance.install.managed import remember_written
from ucontact_appliance.install.migrations import demand_no_migrations, migrate
from ucontact_appliance.install.originals import ORIGINALS, keep_originals
from ucontact_appliance.install.plays import play, ready_for_packages
from ucontact_appliance.install.sealing import seal_state
from ucontact_appliance.install.takeover import Copy, take_over
from ucontact_appliance.install.vendor import demand_vendor
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.carry import carry, demand_room, demand_sources, settle
from ucontact_appliance.moving.restore_plan import settle_restored
from ucontact_appliance.moving.restoring import RestoreTarget, restore_role
from ucontact_appliance.moving.stores import store_of
from ucontact_appliance.pki.issue import ensure_pki, foresee_pki
from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import DataLocation, carrier
from ucontact_appliance.release.remembered import remember_manifest
from ucontact_appliance.site.recovery_key import load_recovery_key, repository_password

_NOT_READY = _("the servers are not ready for the installation")


@dataclass(frozen=True)
class Unpredictable:
    """The reason why a dry run can't predict what a phase would change."""

    because: str


class Phase(Protocol):
    """One step of the installation. `run` returns the number of changes."""

    @property
    def id(self) -> str:
        """The phase's name in the journal."""

    @property
    def title(self) -> str:
        """The phase's name on screen."""

    @property
    def runs_on(self) -> Role | None:
        """The role on whose hosts the phase runs; None for every host."""

    @property
    def after(self) -> tuple[str, ...]:
        """The phases that must be done before it, on any host."""

    @property
    def alone(self) -> bool:
        """Whether no other phase may run on its hosts at the same time."""

    def needed(self, job: Job) -> bool:
        """Return whether this run includes the phase."""

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Return digests of the phase's inputs; None for a phase that always has to run."""

    def run(self, job: Job) -> int:
        """Run the phase; return the number of changes. Raises ApplianceError when it fails."""

    def preview(self, job: Job) -> int | Unpredictable:
        """Return the number of changes that `run` would make, or why that is unknown.

        Changes nothing. Raises the errors of `run` that can be predicted.
        """


class _Always:
    """A phase that is part of every run."""

    def needed(self, job: Job) -> bool:
        """Return True."""
        return True


class _ReadOnlyPhase:
    """A phase that always runs, because its inputs can't show whether it has anything to do."""

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Return None: the phase is never skipped."""
        return None


@dataclass(frozen=True)
class _Converging:
    """A phase with a playbook of the same name; `keeps`: the role whose location it records."""

    id: str
    title: str
    runs_on: Role | None = None
    keeps: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = False

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Return the digests of the playbook's inputs."""
        return phase_inputs(job, self.id)


@dataclass(frozen=True)
class PreflightPhase(_Always, _ReadOnlyPhase):
    """Find every predictable failure before anything is changed."""

    id: str = "preflight"
    title: str = _("Preflight checks")
    runs_on: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = True

    def run(self, job: Job) -> int:
        """Judge inputs and hosts, and raise what a later phase would refuse; return 0.

        Changes only packages that our own interrupted run left half-installed: it finishes them.
        """
        return self._judged(job, finish=job.interrupted)

    def preview(self, job: Job) -> int | Unpredictable:
        """Judge the same without finishing packages, and what `install` demands before it."""
        demand_no_migrations(job)
        return self._judged(job, finish=False)

    def _judged(self, job: Job, *, finish: bool) -> int:
        job.observer(TaskStarted(_("Check certificates, keys and records")))
        foresee_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses)
        demand_announcements(job.site.telephony)
        demand_vendor(job.asterisk)
        demand_reportable(job.paths)
        demand_sources(job.moves, job.ssh, job.site_file)
        demand_room(job.moves, job.ssh)
        ready_for_packages(job, job.site.hosts, finish=finish)
        findings = ready(job)
        excused = {f"{FOREIGN}{name}" for name in job.take_over}
        if excused:  # the next phase stops the services on these ports and judges again
            excused.add(PORTS_FREE)
        demand(tuple(f for f in findings if f.id not in excused), _NOT_READY)
        return 0


@dataclass(frozen=True)
class TakeOver(_ReadOnlyPhase):
    """Back up existing installations of the named components, then take them over."""

    id: str = "take-over"
    title: str = _("Take over existing services")
    runs_on: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = True

    def needed(self, job: Job) -> bool:
        """Return whether `--take-over` named any component."""
        return bool(job.take_over)

    def run(self, job: Job) -> int:
        """Copy, report how to restore, judge again; return how many components were taken over."""
        count = 0
        job.observer(TaskStarted(_("Stop, copy and compare")))
        for done in take_over(job.take_over, job.site, job.plan, job.ssh):
            count += isinstance(done, Copy)
            notice = done.notice if isinstance(done, Copy) else done
            job.log(notice)
            job.observer(Warned(notice))
        demand(ready(job), _NOT_READY)
        return count

    def preview(self, job: Job) -> int | Unpredictable:
        """Return Unforeseen: the data to copy is known only when it is copied."""
        return Unpredictable(_("an installation first copies what it takes over"))


@dataclass(frozen=True)
class PlaybookPhase(_Always, _Converging):
    """A phase that only runs its playbook.

    The phase `packages` has installed all packages, and the services' roles share no units or
    files, so that these phases can run in parallel on one server.
    """

    def run(self, job: Job) -> int:
        """Run the playbook, or only its tasks with the job's tags; return the number of changes."""
        changed = play(job, self.id, check=False, tags=job.tags)
        _settled(job, self.keeps)
        return changed

    def preview(self, job: Job) -> int | Unpredictable:
        """Run in Ansible's check mode; meaningful only if the phase has finished before."""
        return play(job, self.id, check=True)


@dataclass(frozen=True)
class FirstPlaybookPhase(_Always, _Converging):
    """One of the first phases to change a server: it first backs up the original files."""

    def run(self, job: Job) -> int:
        """Back up the originals, then run the playbook; return the number of changes."""
        job.observer(TaskStarted(_("Back up the existing files")))
        kept = keep_originals(job.site, job.plan, job.ssh)
        for host, paths in kept.items():
            job.log(f"kept on {host}, below {ORIGINALS}: {', '.join(paths)}")
        count = sum(len(paths) for paths in kept.values())
        return count + play(job, self.id, check=False)

    def preview(self, job: Job) -> int | Unpredictable:
        """Run the roles in check mode; files to back up are not counted."""
        if job.asterisk is None and self.id == "packages":
            return Unpredictable(_("the release's packages of Asterisk are not unpacked here yet"))
        return play(job, self.id, check=True)


@dataclass(frozen=True)
class Certificates(_Always, _Converging):
    """Issue keys and certificates on this machine, then install them on the servers."""

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Return the digests of the playbook's inputs and of the files to issue first."""
        wanted = foresee_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses).changed
        return phase_inputs(job, self.id, pending=tuple(wanted))

    def run(self, job: Job) -> int:
        """Issue certificates that are missing or expire soon, then run the role."""
        job.observer(TaskStarted(_("Issue certificates")))
        issued = ensure_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses)
        return len(issued.changed) + play(job, self.id, check=False)

    def preview(self, job: Job) -> int | Unpredictable:
        """Run the role in check mode, unless files must be issued first."""
        wanted = foresee_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses).changed
        if wanted:
            return Unpredictable(
                _("an installation first writes {files} on this machine", files=", ".join(wanted))
            )
        return play(job, self.id, check=True)


@dataclass(frozen=True)
class Backend(_Always, _Converging):
    """Install the release and its service, and save the manifest that the checks compare with."""

    def run(self, job: Job) -> int:
        """Migrate the schemas, run the playbook, save the manifest of the installed release."""
        changed = migrate(job) + play(job, self.id, check=False)
        remember_manifest(job.paths, job.stored_release.manifest)
        _settled(job, self.keeps)
        return changed

    def preview(self, job: Job) -> int | Unpredictable:
        """Run in check mode if the release is stored here."""
        if job.release is None:
            return Unpredictable(_("the release is not stored here yet"))
        return play(job, self.id, check=True)


@dataclass(frozen=True)
class _DataPhase(_ReadOnlyPhase):
    """A phase that brings a role's data to its server, where the role already runs."""

    id: str
    title: str
    role: Role
    after: tuple[str, ...] = ()
    alone: bool = True

    @property
    def runs_on(self) -> Role:
        """The hosts of its role."""
        return self.role


@dataclass(frozen=True)
class MoveDataPhase(_DataPhase):
    """Move a role's data to its new server."""

    def needed(self, job: Job) -> bool:
        """Return whether the role changes servers."""
        return any(move.role is self.role for move in job.moves)

    def run(self, job: Job) -> int:
        """Move the data, then run the role's playbook on it; return the number of changes."""
        store = store_of(self.role)
        for move in job.moves:
            if move.role is self.role:
                done = carry(
                    move,
                    store,
                    job.site,
                    job.ssh,
                    lambda text: job.observer(TaskStarted(text)),
                )
                job.log(done)
                settle(job.paths.places, self.role, _place(job, self.role))
        return 1 + play(job, store.phase, check=False)

    def preview(self, job: Job) -> int | Unpredictable:
        """Return Unforeseen: the role must run there first; preflight has checked free space."""
        return Unpredictable(_("the installation itself copies and verifies the data to move"))


@dataclass(frozen=True)
class RestoreDataPhase(_DataPhase):
    """Restore a role's data from a backup to its server."""

    def needed(self, job: Job) -> bool:
        """Return whether a restore is under way, and the role's data is not there yet."""
        return job.restore is not None and self.role not in job.restore.done

    def run(self, job: Job) -> int:
        """Restore the data, then run the role's playbook on it; return the number of changes.

        A newer appliance has tables that the backup lacks: the playbook adds them.
        """
        assert job.restore is not None
        key = load_recovery_key(job.paths.recovery_key)
        if key is None:
            raise UsageError(_("the recovery key {path} is missing", path=job.paths.recovery_key))
        repository = Repository(
            job.restore.repository, repository_password(key), job.restore.ssh_key
        )
        store = store_of(self.role)
        done = restore_role(
            job.restore,
            repository,
            store,
            RestoreTarget(job.site, carrier(job.site, job.plan, self.role), job.ssh),
            lambda text: job.observer(TaskStarted(text)),
        )
        job.log(done)
        changed = 1 + play(job, store.phase, check=False)
        settle_restored(job.paths.restore, self.role)
        return changed

    def preview(self, job: Job) -> int | Unpredictable:
        """Return Unforeseen: the role must run there first."""
        return Unpredictable(_("the installation itself restores the data"))


@dataclass(frozen=True)
class VerifyPhase(_Always, _ReadOnlyPhase):
    """Run the doctor's checks and real calls on the installed site, and write the report.

    After a change all calls of `doctor --deep` are made. If nothing was changed, or only what a
    short call verifies (`short_call` of the phase), one short call is made.
    """

    id: str = "verify"
    title: str = _("Health checks and report")
    runs_on: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = True

    def run(self, job: Job) -> int:
        """Write the report, then raise PhaseFailedError if checks failed."""
        remember_written(job.site, job.plan, job.paths, job.ssh)
        seal_state(job)
        gatherer = Gatherer()
        findings = examined(job, Calls.DEEP if job.unproven else Calls.ECHO, gatherer)
        job.observer(CallMade(call_result(findings)))
        job.observer(TaskStarted(_("Write the compliance report")))
        folder = new_folder(job.paths.reports)
        evidence = gatherer.evidence(findings, job.secrets)
        file_report(job.site, job.plan, job.seen.surveys, evidence, folder=folder, paths=job.paths)
        demand(findings, _("the site is installed, but not healthy"))
        return 0

    def preview(self, job: Job) -> int | Unpredictable:
        """Return Unforeseen: the result is unknown before the other phases have finished."""
        return Unpredictable(_("these checks need the installed site"))


# Phases that do more than their playbooks.
_KINDS: Mapping[str, type[FirstPlaybookPhase | Certificates | Backend]] = {
    "packages": FirstPlaybookPhase,
    "base": FirstPlaybookPhase,
    "certificates": Certificates,
    "backend": Backend,
}


def _of_components() -> Iterator[Phase]:
    """Yield the components' phases, each followed by those that bring its data, if it has any."""
    for row in phases().values():
        keeps = row.role if row.data else None
        kind = _KINDS.get(row.id, PlaybookPhase)
        yield kind(row.id, _(row.playbook.title), row.role, keeps, row.playbook.after)
        if row.data and row.role:
            yield MoveDataPhase(row.data.move.id, _(row.data.move.title), row.role)
            title = _("Restore {title}", title=_(row.data.title))
            yield RestoreDataPhase(f"restore-{row.id}", title, row.role)


# All phases, in order: docs/components.md#phases.
INSTALL: tuple[Phase, ...] = (PreflightPhase(), TakeOver(), *_of_components(), VerifyPhase())


def _settled(job: Job, role: Role | None) -> None:
    """Record where the role's data is, unless it has yet to be moved there."""
    if role is not None and all(move.role is not role for move in job.moves):
        settle(job.paths.places, role, _place(job, role))


def _place(job: Job, role: Role) -> DataLocation:
    host = carrier(job.site, job.plan, role)
    return DataLocation(host, job.seen.surveys[host.name].machine_id)
