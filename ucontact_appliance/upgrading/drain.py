"""Refuse new calls on the telephony servers, except emergency calls, and wait for the others."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from ucontact_appliance.errors import ApplianceError, PhaseFailedError
from ucontact_appliance.facts.runner import Runner, runner_for
from ucontact_appliance.install.events import TaskStarted, Warned
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.phases import Unpredictable
from ucontact_appliance.language.messages import _, ngettext
from ucontact_appliance.planning.model import Role

# The dialplan refuses calls with 503 while it is "yes" (extensions.conf, [admit]). A restart of
# Asterisk clears it.
_VARIABLE = "ucontact_draining"
# With a limit (maxcalls) it is "2 of 35 max active calls ( 5.71% of capacity)".
_CALLS = re.compile(r"^([0-9]+) (?:of [0-9]+ max )?active calls?\b", re.MULTILINE)
_POLL_SECONDS = 1.0


@dataclass
class Refusal:
    """When new calls were refused (monotonic seconds); `ended` is None while they are."""

    began: float | None = None
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """How long new calls were refused; 0 if they never were."""
        if self.began is None:
            return 0.0
        return (time.monotonic() if self.ended is None else self.ended) - self.began


class _OnTelephony:
    """A phase on the telephony servers that has nothing to compare, and no playbook."""

    runs_on: Role | None = None
    alone: bool = True

    def needed(self, job: Job) -> bool:
        """Return True: it is part of an upgrade only where it is needed."""
        return True

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Return None: the phase is never skipped."""
        return None

    def preview(self, job: Job) -> int | Unpredictable:
        """Return 0: it changes nothing that lasts."""
        return 0


@dataclass(frozen=True)
class DrainPhase(_OnTelephony):
    """Refuse new calls from here on, and wait until those that are up have ended."""

    seconds: float
    refusal: Refusal = field(compare=False)
    id: str = "drain"
    title: str = _("Refuse new calls, except emergency calls")
    after: tuple[str, ...] = ("preflight",)

    def run(self, job: Job) -> int:
        """Return 0 when no call is up, or the time is over. Raises PhaseFailedError."""
        with _asterisks(job) as runners:
            self.refusal.began = time.monotonic()
            for runner in runners:
                _set(runner, "yes")
            left = self._waited(job, runners)
        if left:
            told = ngettext(
                "{count} call is still up; the upgrade goes on",
                "{count} calls are still up; the upgrade goes on",
                left,
            )
            job.observer(Warned(told))
        return 0

    def _waited(self, job: Job, runners: Sequence[Runner]) -> int:
        deadline = time.monotonic() + self.seconds
        while True:
            calls = sum(_active_calls(runner) for runner in runners)
            left = deadline - time.monotonic()
            if not calls or left <= 0:
                return calls
            told = ngettext(
                "Wait for {count} call, at most {left:.0f} s",
                "Wait for {count} calls, at most {left:.0f} s",
                calls,
                left=left,
            )
            job.observer(TaskStarted(told))
            time.sleep(min(_POLL_SECONDS, left))


@dataclass(frozen=True)
class AdmitPhase(_OnTelephony):
    """Let new calls in again, before the whole site is judged by real calls."""

    after: tuple[str, ...]
    refusal: Refusal = field(compare=False)
    id: str = "admit"
    title: str = _("Admit calls again")

    def run(self, job: Job) -> int:
        """Return 0. Raises PhaseFailedError when Asterisk does not answer."""
        with _asterisks(job) as runners:
            for runner in runners:
                _set(runner, "no")
        self.refusal.ended = time.monotonic()
        return 0


def admit_again(job: Job, refusal: Refusal) -> None:
    """Let calls in again after a failure; where Asterisk does not run, its next start does that."""
    if refusal.began is None or refusal.ended is not None:
        return
    try:
        AdmitPhase((), refusal).run(job)
    except (ApplianceError, TimeoutError) as error:
        job.log(f"calls are admitted again at Asterisk's next start: {error}")


@contextmanager
def _asterisks(job: Job) -> Iterator[tuple[Runner, ...]]:
    names = {host.name for host in job.plan.carriers(Role.TELEPHONY)}
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(runner_for(host, job.ssh))
            for host in job.site.hosts
            if host.name in names
        )


def _active_calls(runner: Runner) -> int:
    found = _CALLS.search(_asterisk(runner, "core show channels count"))
    if found is None:
        raise PhaseFailedError(_("Asterisk does not report its active calls"))
    return int(found[1])


def _set(runner: Runner, value: str) -> None:
    _asterisk(runner, f"dialplan set global {_VARIABLE} {value}")


def _asterisk(runner: Runner, command: str) -> str:
    done = runner.run(["asterisk", "-rx", command])
    if done.status:
        raise PhaseFailedError(_("Asterisk does not answer"), evidence=done.evidence)
    return done.stdout
