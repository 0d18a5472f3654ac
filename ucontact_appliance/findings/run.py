"""Run checks on all hosts in parallel, each in its own thread: one finding per check and host.

The caller's thread is the only scheduler; judges run in daemon threads, so that one that never
returns delays neither the run nor the end of the process.
"""

from __future__ import annotations

import contextlib
import difflib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ucontact_appliance.checks.model import (
    Check,
    Finding,
    Judgement,
    Stage,
    Subject,
    Verdict,
    skipped,
)
from ucontact_appliance.checks.waivers import waive
from ucontact_appliance.checks.wording import RemedyFormatter
from ucontact_appliance.errors import ApplianceError, UsageError
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.facts.source import (
    FactSource,
    NotStoredError,
    Observation,
    ProbeContext,
    Question,
)
from ucontact_appliance.findings.registry import CHECKS, REACHABLE
from ucontact_appliance.findings.urgency import urgency
from ucontact_appliance.language.messages import _, joined, verbatim, what_of
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

if TYPE_CHECKING:
    from ucontact_appliance.checks.model import Tidy

# sshd allows 10 sessions per connection (MaxSessions, sshd_config(5)); two are left for tunnels.
AT_ONCE_PER_HOST = 8

Key = tuple[str, str]  # host name, check id
Observer = Callable[[Finding], None]
_BROKEN = (Verdict.FAIL, Verdict.ERROR)


@dataclass(frozen=True)
class Task:
    """One check on one host, with the keys of the tasks that have to pass first."""

    check: Check
    subject: Subject
    needs: tuple[Key, ...]

    @property
    def key(self) -> Key:
        """The host's name and the check's id."""
        return self.subject.host.name, self.check.id


@dataclass(frozen=True)
class _Running:
    task: Task
    witness: Observation
    started: float
    deadline: float


@dataclass(frozen=True)
class _Ended:
    key: Key
    judgement: Judgement


def run_checks(
    site: Site,
    plan: Plan,
    secrets: Secrets,
    state: StatePaths,
    site_file: Path,
    *,
    stages: Sequence[Stage],
    only: Sequence[str] = (),
    on_finding: Observer | None = None,
    tidy: Tidy | None = None,
    on_facts: Callable[[Mapping[str, FactSource]], None] | None = None,
    catalogue: Sequence[Check] = CHECKS,
    mark: str = "",
    ssh: SshSettings | None = None,
) -> tuple[Finding, ...]:
    """Run the selected checks on their hosts; return findings in order of site.yml, then catalogue.

    `only` has ids or their prefixes (`tls`, `tls.chain`); the checks that they need run too.
    `on_finding` is called in the caller's thread with each finding. `tidy` removes the traces of
    the deep stage's call (`operate.traces.remove_call_traces`); `mark` is the mark of its calls.
    Findings that site.yml waives are marked, except in preflight: no waiver may let an installation
    pass.
    `on_facts` receives all facts, by host, after the last check.
    `ssh` shares the connections of a larger run; by default this run has its own.
    Raises UsageError for an unknown id; an unreachable host is a finding, not an error.
    """
    connections = ssh or SshSettings(state.known_hosts)
    chosen = select(catalogue, stages, only)
    with ExitStack() as stack:
        subjects = []
        runners = {
            host.name: stack.enter_context(runner_for(host, connections)) for host in site.hosts
        }
        for host in site.hosts:
            facts = FactSource(ProbeContext(site, host, runners[host.name], mark, runners))
            subjects.append(
                Subject(site, plan, host, secrets, state, facts, tidy, stages=frozenset(stages))
            )
        wording = RemedyFormatter(site_file, tuple(secrets.values()))
        findings = run_tasks(
            tasks_for(chosen, subjects),
            wording.worded,
            on_finding or (lambda finding: None),
        )
        if on_facts is not None:
            on_facts({subject.host.name: subject.facts for subject in subjects})
    if Stage.PREFLIGHT in stages:
        return findings
    return waive(findings, site.waivers, datetime.now(timezone.utc).date())


def select(
    catalogue: Sequence[Check], stages: Sequence[Stage], only: Sequence[str] = ()
) -> tuple[Check, ...]:
    """Return the checks of those stages, or those that `only` names and all that they need.

    Raises UsageError when an entry of `only` names no check, or none of these stages.
    """
    staged = [check for check in catalogue if check.stages & set(stages)]
    if not only:
        return tuple(staged)
    wanted: set[str] = set()
    for name in only:
        named = [check for check in catalogue if _names(name, check.id)]
        if not named:
            raise _unknown(name, catalogue)
        here = {check.id for check in named if check in staged}
        if not here:
            raise UsageError(
                _("{name} belongs to another stage", name=name),
                evidence=f"{named[0].id}: {', '.join(sorted(s.value for s in named[0].stages))}",
                helps=f"ucontact doctor --deep --only {name}",
            )
        wanted |= here
    known = {check.id: check for check in catalogue}
    needed = _with_needs({REACHABLE, *wanted}, known)
    return tuple(check for check in catalogue if check.id in needed)


def _names(name: str, check_id: str) -> bool:
    return check_id == name or check_id.startswith(name.rstrip(".") + ".")


def _unknown(name: str, catalogue: Sequence[Check]) -> UsageError:
    ids = [check.id for check in catalogue]
    subjects = sorted({check_id.partition(".")[0] for check_id in ids})
    near = difflib.get_close_matches(name, [*ids, *subjects], n=3, cutoff=0.5)
    return UsageError(
        _("there is no check {name!r}", name=name),
        evidence=_("nearest: {near}", near=joined(", ", near))
        if near
        else _("subjects: {subjects}", subjects=joined(", ", subjects)),
        helps=f"ucontact doctor --only {near[0] if near else subjects[0]}",
    )


def _with_needs(ids: Iterable[str], known: Mapping[str, Check]) -> set[str]:
    found: set[str] = set()
    queued = [check_id for check_id in ids if check_id in known]
    while queued:
        check_id = queued.pop()
        if check_id not in found:
            found.add(check_id)
            queued.extend(need for need in known[check_id].needs if need in known)
    return found


def tasks_for(checks: Sequence[Check], subjects: Sequence[Subject]) -> tuple[Task, ...]:
    """Return one task per check and host that it concerns, with needs resolved to tasks.

    A need is resolved to the same host if it runs there, else to the hosts where it does (the
    backend's REST check needs the database, which may be elsewhere). Every check needs its host to
    be reachable.
    """
    places = {check.id: [s for s in subjects if _concerns(check, s)] for check in checks}

    def resolved(need: str, host: Host) -> list[Key]:
        hosts = [subject.host.name for subject in places.get(need, ())]
        return [(name, need) for name in ([host.name] if host.name in hosts else hosts)]

    return tuple(
        Task(
            check,
            subject,
            tuple(
                key
                for need in dict.fromkeys((REACHABLE, *check.needs))
                if need != check.id
                for key in resolved(need, subject.host)
            ),
        )
        for subject in subjects
        for check in checks
        if subject in places[check.id]
    )


def _concerns(check: Check, subject: Subject) -> bool:
    roles = subject.plan.host(subject.host.name).roles
    return (check.role is None or check.role in roles) and check.without not in roles


def run_tasks(
    tasks: Sequence[Task],
    worded: Callable[[Finding, Host], Finding],
    on_finding: Observer,
    at_once: int = AT_ONCE_PER_HOST,
) -> tuple[Finding, ...]:
    """Run tasks as their needs allow, most urgent first; return findings in the tasks' order.

    Raises ValueError when tasks need each other in a circle.
    """
    takes = {task.key: task.check.takes for task in tasks}
    levels = urgency({task.key: task.needs for task in tasks}, takes)
    waiting = {task.key: task for task in sorted(tasks, key=lambda task: -levels[task.key])}
    running: dict[Key, _Running] = {}
    findings: dict[Key, Finding] = {}
    ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()

    def settle(
        task: Task,
        judgement: Judgement,
        *,
        seconds: float = 0.0,
        root: Key | None = None,
        sources: Sequence[Question] = (),
    ) -> None:
        found = _finding(task, judgement, seconds)
        host, check_id = root or (None, None)
        found = replace(found, blocked_by=check_id, blocked_on=host, sources=tuple(sources))
        finding = findings[task.key] = worded(found, task.subject.host)
        on_finding(finding)

    while waiting or running:
        released = False
        for task in list(waiting.values()):
            if any(need not in findings for need in task.needs):
                continue
            root = _root_of(task, findings)
            if root is None and (
                _busy(running, task) >= at_once or _disturbed(task, waiting, running)
            ):
                continue
            del waiting[task.key]
            if root is not None:
                settle(task, _blocked(root[1]), root=root)
                released = True  # the tasks that need it are blocked too
                continue
            running[task.key] = _start(task, ended)
        if released:
            continue
        _settle_ended(running, ended, settle)
    return tuple(findings[task.key] for task in tasks)


def _start(task: Task, ended: queue.SimpleQueue[_Ended]) -> _Running:
    witness = task.subject.facts.witness()
    subject = replace(task.subject, facts=witness)
    threading.Thread(
        target=lambda: ended.put(_Ended(task.key, _judge(task.check, subject))), daemon=True
    ).start()
    now = time.monotonic()
    return _Running(task, witness, now, now + task.check.timeout)


def _settle_ended(
    running: dict[Key, _Running],
    ended: queue.SimpleQueue[_Ended],
    settle: Callable[..., None],
) -> None:
    """Wait for the next judgement or the next time limit, whichever comes first."""
    if not running:
        return
    wait = min(entry.deadline for entry in running.values()) - time.monotonic()
    with contextlib.suppress(queue.Empty):
        done = ended.get(timeout=max(wait, 0.0))
        entry = running.pop(done.key, None)  # None: it came after its time limit
        if entry is not None:
            seconds = time.monotonic() - entry.started
            settle(entry.task, done.judgement, seconds=seconds, sources=entry.witness.sources())
    now = time.monotonic()
    for key, entry in list(running.items()):
        if entry.deadline <= now:
            del running[key]
            limit = _("no answer within {timeout:g} s", timeout=entry.task.check.timeout)
            late, sources = Judgement(Verdict.ERROR, limit), entry.witness.sources()
            settle(entry.task, late, seconds=now - entry.started, sources=sources)


def _busy(running: Mapping[Key, _Running], task: Task) -> int:
    return sum(host == task.subject.host.name for host, _ in running)


def _disturbed(task: Task, waiting: Mapping[Key, Task], running: Mapping[Key, _Running]) -> bool:
    """Return whether the task is a real-time call that has to wait for other checks to finish.

    Checks that only wait for an answer do not disturb a call.
    """
    if not _deep(task):
        return False
    others = (*waiting.values(), *(entry.task for entry in running.values()))
    return not all(_deep(other) or other.check.idles for other in others)


def _deep(task: Task) -> bool:
    return task.check.listens


def _root_of(task: Task, findings: Mapping[Key, Finding]) -> Key | None:
    """Return the host and check of the root failure that blocks this task; None without one."""
    for need in task.needs:
        found = findings[need]
        if found.blocked_by is not None and found.blocked_on is not None:
            return found.blocked_on, found.blocked_by
        if found.verdict in _BROKEN:
            return need
    return None


def _judge(check: Check, subject: Subject) -> Judgement:
    try:
        return check.judge(subject)
    except ApplianceError as error:
        return Judgement(Verdict.ERROR, what_of(error), evidence=error.evidence, remedy=error.helps)
    except NotStoredError as error:
        return skipped(_("not in the stored facts: {error}", error=error))
    except TimeoutError as error:
        return Judgement(Verdict.ERROR, what_of(error) or _("no response in time"))
    except Exception as error:
        # A bug in one check must not lose the findings of the others.
        return Judgement(
            Verdict.ERROR,
            verbatim(f"{type(error).__name__}: {error}"),
        )


def _blocked(root: str) -> Judgement:
    return Judgement(Verdict.SKIP, _("not judged, blocked by {root}", root=root))


def _finding(task: Task, judgement: Judgement, seconds: float) -> Finding:
    check = task.check
    return Finding(
        id=check.id,
        title=check.title,
        verdict=judgement.verdict,
        severity=check.severity,
        requirements=check.requirements,
        host=task.subject.host.name,
        observed=judgement.observed,
        required=judgement.required,
        evidence=judgement.evidence,
        remedy=judgement.remedy or check.remedy,
        seconds=round(seconds, 3),
    )
