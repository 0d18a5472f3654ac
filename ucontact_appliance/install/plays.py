"""Run a phase's playbook, and wait while another process has locked apt."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ucontact_appliance.errors import PhaseFailedError, UnreachableError
from ucontact_appliance.install.ansible import PlayResult, run_playbook
from ucontact_appliance.install.events import Event, TaskResult, TaskStarted, Warned
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.package_manager import (
    WAIT_SECONDS,
    ready_package_managers,
    says_locked,
)
from ucontact_appliance.language.messages import _
from ucontact_appliance.redact import redactor
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.model import Host
from ucontact_appliance.site.secrets import playbook_secrets


def play_tagged(job: Job, name: str, tag: str) -> int:
    """Run the tasks of a playbook that have the tag; return the number of changes.

    Raises PhaseFailedError or UnreachableError with the task that failed.
    """
    return play(job, name, check=False, tags=(tag,))


def play(job: Job, name: str, *, check: bool, tags: tuple[str, ...] = ()) -> int:
    """Run the playbook; return the number of changes.

    If tasks failed only because another process had locked apt, wait for the lock and run the
    playbook again: Ansible's own wait for the lock does not cover the installation of packages.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    changed = 0
    while True:
        if job.hold is not None:
            job.hold.demand()
        result = _played(job, name, check=check, tags=tags)
        if job.hold is not None:
            job.hold.demand()
        changed += result.changed
        locked = {one.host for one in result.failed if says_locked(one.message)}
        others = {one.host for one in result.failed} - locked
        if not locked or others or time.monotonic() > deadline:
            break
        hosts = [host for host in job.site.hosts if host.name in locked]
        ready_for_packages(job, hosts, finish=False)
    if result.failed:
        raise _failure(result.failed)
    if result.status:
        raise PhaseFailedError(
            _(
                "ansible-playbook ended with status {status} before its first task",
                status=result.status,
            ),
            evidence=_("its output is in the log"),
        )
    return changed


def playbook_of(name: str) -> Path:
    """Return the path of a phase's playbook, which need not exist."""
    return INSTALLER / "playbooks" / f"{name}.yml"


def ready_for_packages(job: Job, hosts: Sequence[Host], *, finish: bool) -> None:
    """Wait until apt and dpkg are unlocked on those hosts, and report who holds the locks.

    With `finish`, then finish packages that our own interrupted run left half-installed.
    """
    told: set[str] = set()

    def tell(text: str) -> None:
        job.log(text)
        job.observer(TaskStarted(text))
        what = text.partition(" release apt")[0]
        if what not in told:  # a warning once per holder, for output without task progress
            told.add(what)
            job.observer(Warned(text))

    ready_package_managers(hosts, job.ssh, tell, finish=finish, ending=lambda: job.processes.ending)


def _played(job: Job, name: str, *, check: bool, tags: tuple[str, ...]) -> PlayResult:
    redacted = redactor(job.secrets.values())

    def observer(event: Event) -> None:
        if isinstance(event, TaskResult):
            event = replace(event, message=redacted(event.message))
        job.observer(event)

    return run_playbook(
        playbook_of(name),
        job.inventory(),
        playbook_secrets(job.site, job.secrets),
        observer=observer,
        log=job.log,
        launcher=job.launcher,
        check=check,
        tags=tags,
    )


def _failure(failed: tuple[TaskResult, ...]) -> Exception:
    first = failed[0]
    kind = UnreachableError if first.status == "unreachable" else PhaseFailedError
    return kind(
        f"host {first.host}: {first.task}",
        evidence="\n".join(f"{result.host}: {result.path}: {result.message}" for result in failed),
    )
