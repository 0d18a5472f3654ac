"""Run the phases of one installation, in parallel where the schedule allows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ucontact_appliance.errors import (
    ApplianceError,
    PhaseFailedError,
    UnreachableError,
    UsageError,
)
from ucontact_appliance.install.events import (
    Event,
    Observer,
    PhaseFailed,
    PhaseFinished,
    PhaseSkipped,
    PhaseStarted,
    PhaseUnchanged,
    TaskResult,
    TaskStarted,
    Warned,
)
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.journal import Journal, Progress, entry, save_journal
from ucontact_appliance.install.phases import Phase
from ucontact_appliance.install.plays import playbook_of
from ucontact_appliance.install.schedule import ScheduledPhase, startable
from ucontact_appliance.install.unchanged import (
    CompletedPhase,
    Servers,
    TaskSelection,
    load_states,
    run_where_different,
)
from ucontact_appliance.language.messages import (
    Message,
    _,
    concatenated,
    joined,
    mapped,
    what_of,
    with_note,
)
from ucontact_appliance.operate.installed import save_plan
from ucontact_appliance.os_errors import TEMPORARY, first_full, refused
from ucontact_appliance.planning.proof import short_call_proves
from ucontact_appliance.redact import redactor


def run_phases(
    job: Job,
    journal: Journal,
    log_path: Path,
    phases: tuple[Phase, ...],
    *,
    full: bool,
    repairs: bool = True,
) -> int:
    """Run the phases that are needed, record them in the journal; return the number of changes.

    Unless the run is `full`, a phase is skipped if its inputs and servers are unchanged since its
    last successful run. If the last phase then finds the site unhealthy, the skipped phases run,
    unless the run does not do `repairs`.
    A phase starts as soon as the schedule allows it. After a failure no phase is started, running
    phases finish, and the error is raised. An interruption ends all phases.
    """
    job = replace(job, observer=_one_at_a_time(job.observer))
    course = _Course(job, journal, log_path, phases, full=full, repairs=repairs)
    with ThreadPoolExecutor(max_workers=len(phases)) as pool:
        try:
            return course.run(pool)
        except BaseException:
            job.processes.end()
            raise
        finally:
            job.launcher.close()


def hosts_of(phase: Phase, job: Job) -> tuple[str, ...]:
    """Return the names of the hosts that the phase runs on."""
    hosts = job.plan.hosts if phase.runs_on is None else job.plan.carriers(phase.runs_on)
    return tuple(host.name for host in hosts)


def within(job: Job, phase: Phase) -> Job:
    """Return the job with an observer and a log that add the phase's id to events and lines."""

    def observer(event: Event) -> None:
        if isinstance(event, TaskStarted | TaskResult):
            event = replace(event, phase=phase.id)
        job.observer(event)

    return replace(job, observer=observer, log=lambda line: job.log(f"{phase.id}: {line}"))


class _Course:
    """Progress of a run. Only the main thread uses its state; `_work` runs in other threads."""

    def __init__(
        self,
        job: Job,
        journal: Journal,
        log_path: Path,
        phases: tuple[Phase, ...],
        *,
        full: bool,
        repairs: bool,
    ) -> None:
        self._job = job
        self._repairs = repairs
        self._journal = journal
        self._log_path = log_path
        self._phases = {phase.id: phase for phase in phases if phase.needed(job)}
        self._numbers = {name: number for number, name in enumerate(self._phases, start=1)}
        self._turns = [_turn(phase, job) for phase in self._phases.values()]
        self._servers = Servers(job.site.hosts, job.ssh, load_states(job.paths))
        self._full = full
        self._done: set[str] = set()
        self._left_out: set[str] = set()
        self._results: dict[str, list[TaskResult]] = {}
        self._running: dict[Future[CompletedPhase], tuple[Phase, float]] = {}
        self._failure: ApplianceError | None = None
        self._changed = 0

    def run(self, pool: Executor) -> int:
        """Run all phases; return the number of changes, or raise the first failure."""
        self._save(self._journal)
        self._expect_playbooks()
        while self._begin(pool) or self._running:
            if self._running:
                finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in finished:
                    self._settle(future)
        if self._failure is not None:
            raise self._failure
        self._save(self._journal.with_progress(Progress.DONE))
        return self._changed

    def _expect_playbooks(self) -> None:
        """Start in advance the processes of those playbooks that are certain to run."""
        names = (
            name
            for name in self._phases
            if playbook_of(name).exists()
            and name not in self._done
            and not self._journal.finished(name)
            and (self._full or not self._servers.has_record(name))
        )
        self._job.launcher.expect(sum(1 for _ in names))

    def _begin(self, pool: Executor) -> bool:
        """Start the phases that may start now; return whether there were any."""
        if self._failure is not None:
            return False
        at_work = {phase.id for phase, _ in self._running.values()}
        found = startable(self._turns, self._done, at_work)
        alone = len(found) == 1 and not at_work
        for phase in (self._phases[name] for name in found):
            if self._number(phase) > 1 and self._journal.finished(phase.id):
                self._skip(phase)  # preflight, the first, changes nothing and always runs again
            else:
                self._start(phase, _in_place if alone else pool.submit)
        return bool(found)

    def _skip(self, phase: Phase) -> None:
        self._done.add(phase.id)
        because = _("done before the interruption")
        self._job.observer(
            PhaseSkipped(phase.id, phase.title, self._number(phase), len(self._phases), because)
        )

    def _start(self, phase: Phase, submit: Callable[..., Future[CompletedPhase]]) -> None:
        number, total = self._number(phase), len(self._phases)
        self._job.observer(PhaseStarted(phase.id, phase.title, number, total))
        self._job.log(f"phase {number} of {total}: {phase.title}")
        self._save(self._journal.with_entry(entry(phase.id, Progress.STARTED)))
        begin = time.monotonic()
        job = replace(within(self._job, phase), unproven=self._journal.unproven)
        job = replace(job, observer=self._hearing(phase, job.observer))
        self._running[submit(self._work, phase, job, begin)] = (phase, begin)

    def _hearing(self, phase: Phase, observer: Observer) -> Observer:
        """Return an observer that also records the results of the phase's tasks."""
        results = self._results[phase.id] = []

        def heard(event: Event) -> None:
            if isinstance(event, TaskResult):
                results.append(event)
            observer(event)

        return heard

    def _work(self, phase: Phase, job: Job, begin: float) -> CompletedPhase:
        command = f"ucontact install --site {self._job.site_file} --yes"
        with failing(phase, self._job, begin, command, self._log_path, last=self._is_last(phase)):
            return run_where_different(
                phase,
                job,
                self._servers,
                hosts_of(phase, job),
                self._results[phase.id],
                full=self._full,
            )

    def _is_last(self, phase: Phase) -> bool:
        return self._number(phase) == len(self._phases)

    def _settle(self, future: Future[CompletedPhase]) -> None:
        phase, begin = self._running.pop(future)
        seconds = time.monotonic() - begin
        try:
            run = future.result()
        except ApplianceError as error:
            if self._is_last(phase) and self._left_out and self._repairs:
                self._again(phase)
                return
            self._failure = self._failure or error
            failed = entry(phase.id, Progress.FAILED, seconds=seconds, error=error.what)
            try:
                self._save(self._journal.with_entry(failed).with_progress(Progress.FAILED))
            except UnreachableError as unsaved:
                # For example a full disk. The journal still has "started", which continues like
                # "failed"; the error to report is why the phase failed.
                self._job.observer(Warned(joined(": ", (unsaved.what, unsaved.evidence))))
            return
        if self._number(phase) == 1:  # preflight changes nothing: until now the old plan was valid
            if self._job.hold is not None:
                self._job.hold.begin()
            save_plan(self._job.paths, self._job.plan)
        self._done.add(phase.id)
        if run.tasks is not TaskSelection.ALL:
            self._left_out.add(phase.id)
        if run.tasks is TaskSelection.NONE:
            self._save(self._journal.with_entry(entry(phase.id, Progress.DONE, seconds=seconds)))
            self._job.log(f"phase {phase.id} skipped after {seconds:.1f} s: nothing differs")
            self._job.observer(PhaseUnchanged(phase.id, phase.title, seconds))
            return
        self._changed += run.changed
        done = entry(phase.id, Progress.DONE, changed=run.changed, seconds=seconds)
        proved = not run.changed or short_call_proves(phase.id, _changes(self._results[phase.id]))
        journal = self._journal if proved else self._journal.with_changes()
        self._save(journal.with_entry(done))
        self._job.log(f"phase {phase.id} done in {seconds:.1f} s, changed={run.changed}")
        self._job.observer(PhaseFinished(phase.id, phase.title, run.changed, seconds))

    def _again(self, last: Phase) -> None:
        """Run every phase with skipped tasks, then the last phase (verify) again."""
        self._job.observer(
            Warned(_("the site is not healthy although nothing else differs: running all phases"))
        )
        self._full = True
        again = {*self._left_out, last.id}
        self._left_out.clear()
        self._done -= again
        self._save(self._journal.without(again))
        self._expect_playbooks()

    def _number(self, phase: Phase) -> int:
        return self._numbers[phase.id]

    def _save(self, journal: Journal) -> None:
        self._journal = journal
        save_journal(self._job.paths.journal, journal)


def _changes(results: Sequence[TaskResult]) -> list[str]:
    """Return one line per change; for a changed task that lists no changes, its name."""
    changed = (result for result in results if result.status == "changed")
    return [line for result in changed for line in result.changes or (result.task,)]


def _turn(phase: Phase, job: Job) -> ScheduledPhase:
    """Return the phase's turn; it takes all hosts where data comes from elsewhere.

    A move or a restore stops writers on all of them, and none may be started meanwhile.
    """
    if job.moves or job.restore:
        return ScheduledPhase(
            phase.id, frozenset(host.name for host in job.plan.hosts), phase.after
        )
    return ScheduledPhase(phase.id, frozenset(hosts_of(phase, job)), phase.after, alone=phase.alone)


def _in_place(work: Callable[..., CompletedPhase], *words: object) -> Future[CompletedPhase]:
    """Call `work` in this thread, so that Ctrl-C reaches it; return a completed future."""
    future: Future[CompletedPhase] = Future()
    try:
        future.set_result(work(*words))
    except ApplianceError as error:
        future.set_exception(error)
    return future


def _one_at_a_time(observer: Observer) -> Observer:
    lock = threading.Lock()

    def tell(event: Event) -> None:
        with lock:
            observer(event)

    return tell


@contextmanager
def failing(
    phase: Phase,
    job: Job,
    begin: float,
    command: str,
    log_path: Path | None = None,
    *,
    last: bool = False,
) -> Iterator[None]:
    """Add to any failure the phase in which it happened and the command that continues."""
    try:
        yield
    except (ApplianceError, OSError) as caught:  # a time-out is an OSError too
        error = _told(caught, job)
        job.observer(PhaseFailed(phase.id, phase.title, time.monotonic() - begin))
        job.log(f"phase {phase.id} failed: {error.what}\n{error.evidence}")
        kind = PhaseFailedError if error.exit_code == UsageError.exit_code else type(error)
        how = _("runs all phases again") if last else _("continues with this phase")
        logged = ("\n", _("log: {path}", path=log_path)) if log_path else ()
        raise kind(
            _("phase '{title}' failed: {what}", title=phase.title, what=error.what),
            evidence=concatenated((error.evidence, *logged)),
            helps=_going_on(error.helps, command, how),
        ) from caught


def _going_on(helps: str, command: str, how: Message) -> str:
    """Return the remedy, then the command that continues, unless the remedy already names it."""
    if command in helps:
        return with_note(helps, how) if helps.endswith(command) else helps
    noted = with_note(command, how)
    return concatenated((helps, "\n", _("then: {command}", command=noted))) if helps else noted


def _told(caught: ApplianceError | OSError, job: Job) -> ApplianceError:
    """Return the failure as an ApplianceError with secrets redacted, for screen and log."""
    if isinstance(caught, TimeoutError):
        caught = UnreachableError(_("a host did not respond in time"), evidence=what_of(caught))
    if isinstance(caught, OSError):
        full = first_full((job.paths.var, job.paths.etc, *TEMPORARY))
        caught = refused(
            _("the operating system of this machine refused an operation"), caught, full
        )
    redacted = redactor(job.secrets.values())
    return type(caught)(
        mapped(caught.what, redacted),
        evidence=mapped(caught.evidence, redacted),
        helps=mapped(caught.helps, redacted),
    )
