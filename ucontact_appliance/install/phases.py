"""Install as one readable list of phases, each with one intent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ucontact_appliance.checks.call import call_result
from ucontact_appliance.checks.foreign import PREFIX as FOREIGN
from ucontact_appliance.checks.model import Calls
from ucontact_appliance.checks.ports import FREE as PORTS_FREE
from ucontact_appliance.evidence.filing import demand_reportable, file_report, new_folder
from ucontact_appliance.evidence.gathering import Gatherer
from ucontact_appliance.install.events import CallMade, TaskStarted, Warned
from ucontact_appliance.install.inputs import phase_inputs
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.judging import demand, examined, ready
from ucontact_appliance.install.managed import remember_written
from ucontact_appliance.install.originals import ORIGINALS, keep_originals
from ucontact_appliance.install.plays import play, ready_for_packages
from ucontact_appliance.install.takeover import Copy, take_over
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.carry import carry, demand_room, demand_sources, settle
from ucontact_appliance.moving.stores import store_of
from ucontact_appliance.pki.issue import ensure_pki, foresee_pki
from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import Place, carrier
from ucontact_appliance.release.remembered import remember_manifest

_NOT_READY = _("the servers are not ready for the installation")


@dataclass(frozen=True)
class Unforeseen:
    """Why a dry run can't say what a phase would change."""

    because: str


class Phase(Protocol):
    """One step of the install. `run` returns how many things it changed."""

    @property
    def id(self) -> str:
        """Its name in the journal."""

    @property
    def title(self) -> str:
        """What a person sees."""

    @property
    def runs_on(self) -> Role | None:
        """The role whose hosts it is about; None for every host."""

    @property
    def after(self) -> tuple[str, ...]:
        """The phases that it builds on, on whichever hosts they are."""

    @property
    def alone(self) -> bool:
        """Whether no other phase may run on its hosts meanwhile."""

    def needed(self, job: Job) -> bool:
        """Whether this run has anything for it to do or to look at."""

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Digests of all that decides what it does; None of a phase that always has to run."""

    def run(self, job: Job) -> int:
        """Do it, or find it done. Raises ApplianceError when it can't be finished."""

    def preview(self, job: Job) -> int | Unforeseen:
        """How much `run` would change, without changing it; or why that can't be told.

        Raises what `run` would refuse, as far as that can be known before.
        """


class _Always:
    """A phase of every install."""

    def needed(self, job: Job) -> bool:
        """In every run."""
        return True


class _Looking:
    """A phase without a playbook of its own: what it does shows when it is done."""

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Never skipped."""
        return None


@dataclass(frozen=True)
class _Converging:
    """A phase whose playbook has the phase's name; `keeps` is the role whose data is there then."""

    id: str
    title: str
    runs_on: Role | None = None
    keeps: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = False

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """The playbook's."""
        return phase_inputs(job, self.id)


@dataclass(frozen=True)
class Preflight(_Always, _Looking):
    """Everything that can be known to fail is found before anything is changed."""

    id: str = "preflight"
    title: str = _("Preflight checks")
    runs_on: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = True

    def run(self, job: Job) -> int:
        """Judge inputs and hosts; finishes only what our own interrupted run left half-way.

        What a later phase would refuse, it refuses.
        """
        return self._judged(job, finish=job.interrupted)

    def preview(self, job: Job) -> int | Unforeseen:
        """The same, but only a look."""
        return self._judged(job, finish=False)

    def _judged(self, job: Job, *, finish: bool) -> int:
        job.observer(TaskStarted(_("Judge certificates, keys and records")))
        foresee_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses)
        demand_reportable(job.paths)
        demand_sources(job.moves, job.ssh, job.site_file)
        demand_room(job.moves, job.ssh)
        ready_for_packages(job, job.site.hosts, finish=finish)
        findings = ready(job)
        excused = {f"{FOREIGN}{name}" for name in job.take_over}
        if excused:  # what holds the ports is stopped by the next phase, which judges again
            excused.add(PORTS_FREE)
        demand(tuple(f for f in findings if f.id not in excused), _NOT_READY)
        return 0


@dataclass(frozen=True)
class TakeOver(_Looking):
    """What somebody else has of the components that were named is copied, and then ours."""

    id: str = "take-over"
    title: str = _("Copies of what is taken over")
    runs_on: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = True

    def needed(self, job: Job) -> bool:
        """Only when somebody asked for it."""
        return bool(job.take_over)

    def run(self, job: Job) -> int:
        """Copy, tell how to put it back, and judge again; how many components were taken over."""
        count = 0
        job.observer(TaskStarted(_("Stop, copy and compare")))
        for done in take_over(job.take_over, job.site, job.plan, job.ssh):
            count += isinstance(done, Copy)
            notice = done.notice if isinstance(done, Copy) else done
            job.log(notice)
            job.observer(Warned(notice))
        demand(ready(job), _NOT_READY)
        return count

    def preview(self, job: Job) -> int | Unforeseen:
        """What there is to copy is known when it is copied."""
        return Unforeseen(_("an install copies first what it takes over"))


@dataclass(frozen=True)
class Play(_Always, _Converging):
    """A playbook that converges its roles.

    Packages are there since the phase of that name, and each of the services' roles has units and
    files of its own, so that they run beside each other on one server.
    """

    def run(self, job: Job) -> int:
        """Run the playbook, or those of its tasks that are enough; the count of changed tasks."""
        changed = play(job, self.id, check=False, tags=job.tags)
        _settled(job, self.keeps)
        return changed

    def preview(self, job: Job) -> int | Unforeseen:
        """Ansible's check mode; only meaningful where the phase has been through before."""
        return play(job, self.id, check=True)


@dataclass(frozen=True)
class First(_Always, _Converging):
    """One of the first playbooks to change a server: the files as they were are kept before."""

    def run(self, job: Job) -> int:
        """Keep the originals, then run the playbook."""
        job.observer(TaskStarted(_("Keep the files that were there before")))
        kept = keep_originals(job.site, job.plan, job.ssh)
        for host, paths in kept.items():
            job.log(f"kept on {host}, below {ORIGINALS}: {', '.join(paths)}")
        count = sum(len(paths) for paths in kept.values())
        return count + play(job, self.id, check=False)

    def preview(self, job: Job) -> int | Unforeseen:
        """Check mode of the roles; what would be kept is not counted."""
        return play(job, self.id, check=True)


@dataclass(frozen=True)
class Certificates(_Always, _Converging):
    """Keys and certificates are made here, then laid down there."""

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """The playbook's, and what is to be issued first."""
        wanted = foresee_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses).changed
        return phase_inputs(job, self.id, pending=tuple(wanted))

    def run(self, job: Job) -> int:
        """Issue what is missing or near its end, then run the role."""
        job.observer(TaskStarted(_("Issue certificates")))
        issued = ensure_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses)
        return len(issued.changed) + play(job, self.id, check=False)

    def preview(self, job: Job) -> int | Unforeseen:
        """Check mode of the role, where nothing is to be issued first."""
        wanted = foresee_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses).changed
        if wanted:
            return Unforeseen(_("an install first writes {files} here", files=", ".join(wanted)))
        return play(job, self.id, check=True)


@dataclass(frozen=True)
class Backend(_Always, _Converging):
    """The release and the service that runs it; from then on checks know what should lie there."""

    def run(self, job: Job) -> int:
        """Run the playbook, then remember the manifest of what it laid down."""
        changed = play(job, self.id, check=False)
        remember_manifest(job.paths, job.stored_release.manifest)
        _settled(job, self.keeps)
        return changed

    def preview(self, job: Job) -> int | Unforeseen:
        """Check mode, once the release is stored here."""
        if job.release is None:
            return Unforeseen(_("the release is not stored here yet"))
        return play(job, self.id, check=True)


@dataclass(frozen=True)
class Carry(_Looking):
    """What a role keeps follows it to its new server, where the role already runs."""

    id: str
    title: str
    role: Role
    after: tuple[str, ...] = ()
    alone: bool = True

    @property
    def runs_on(self) -> Role:
        """The hosts of its role."""
        return self.role

    def needed(self, job: Job) -> bool:
        """Only when the role changes servers."""
        return any(move.role is self.role for move in job.moves)

    def run(self, job: Job) -> int:
        """Move it, then let the role's playbook look at what came; how many things changed."""
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

    def preview(self, job: Job) -> int | Unforeseen:
        """Not to be told before the role is on its new server; preflight has found room there."""
        return Unforeseen(_("what moves is copied and proved by the install itself"))


@dataclass(frozen=True)
class Verify(_Always, _Looking):
    """The doctor's checks and a real call on what was installed, and the evidence either way.

    After a change those are all calls of `doctor --deep`; a short one where nothing was changed, or
    only what that proves (`short_call` of the phase).
    """

    id: str = "verify"
    title: str = _("Health checks and report")
    runs_on: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = True

    def run(self, job: Job) -> int:
        """Raises PhaseFailedError naming what failed; the report is written before."""
        remember_written(job.site, job.plan, job.paths, job.ssh)
        gatherer = Gatherer()
        findings = examined(job, Calls.DEEP if job.unproven else Calls.ECHO, gatherer)
        job.observer(CallMade(call_result(findings)))
        job.observer(TaskStarted(_("Write the compliance report")))
        folder = new_folder(job.paths.reports)
        evidence = gatherer.evidence(findings, job.secrets)
        file_report(job.site, job.plan, job.seen.surveys, evidence, folder=folder, paths=job.paths)
        demand(findings, _("the site is installed, but not healthy"))
        return 0

    def preview(self, job: Job) -> int | Unforeseen:
        """Not to be told before the other phases are through."""
        return Unforeseen(_("these checks look at the site when it is installed"))


# Phases that do more than their playbooks.
_KINDS: Mapping[str, type[First | Certificates | Backend]] = {
    "packages": First,
    "base": First,
    "certificates": Certificates,
    "backend": Backend,
}


def _of_components() -> Iterator[Phase]:
    """The phases that the components name, each with the move of its data behind it."""
    for row in phases().values():
        keeps = row.role if row.data else None
        kind = _KINDS.get(row.id, Play)
        yield kind(row.id, _(row.playbook.title), row.role, keeps, row.playbook.after)
        if row.data and row.role:
            yield Carry(row.data.move.id, _(row.data.move.title), row.role)


# All of them, in order: docs/components.md#phases.
INSTALL: tuple[Phase, ...] = (Preflight(), TakeOver(), *_of_components(), Verify())


def _settled(job: Job, role: Role | None) -> None:
    """The role's data, if any, is where it now runs, unless it is still to be moved there."""
    if role is not None and all(move.role is not role for move in job.moves):
        settle(job.paths.places, role, _place(job, role))


def _place(job: Job, role: Role) -> Place:
    host = carrier(job.site, job.plan, role)
    return Place(host, job.seen.surveys[host.name].machine_id)
