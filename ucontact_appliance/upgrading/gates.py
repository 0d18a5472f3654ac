"""Gates of an upgrade: after each phase its components' checks, at its end those of the site."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ucontact_appliance import __version__
from ucontact_appliance.checks.model import Calls, Finding, Stage, Verdict
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.findings.run import run_checks
from ucontact_appliance.install.events import TaskStarted
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.judging import demand, examined
from ucontact_appliance.install.phases import Phase, Unpredictable
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.components import components
from ucontact_appliance.planning.model import Role
from ucontact_appliance.printable import printable
from ucontact_appliance.upgrading.environment import command_in, environment_of, variables
from ucontact_appliance.upgrading.packages import PhaseUpdates, replace_packages

_TRIES = 4
_DOCTOR_SECONDS = 900.0
_SAID = 4000
_PAUSE_SECONDS = 5.0  # a service that was just restarted may take that long until it answers


@dataclass(frozen=True)
class GatedPhase:
    """A phase that fails unless its components' checks pass after it; alone, behind all before.

    `updates` are newer packages of its services, which it installs first.
    """

    phase: Phase
    after: tuple[str, ...]
    updates: Updates
    alone: bool = True

    @property
    def id(self) -> str:
        """The phase's name in the journal."""
        return self.phase.id

    @property
    def title(self) -> str:
        """The phase's name on screen."""
        return self.phase.title

    @property
    def runs_on(self) -> Role | None:
        """The role on whose hosts the phase runs."""
        return self.phase.runs_on

    def needed(self, job: Job) -> bool:
        """Return whether this run includes the phase."""
        return self.phase.needed(job)

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Return the phase's inputs, and the updates that it has yet to install."""
        inputs = self.phase.inputs(job)
        left = self.updates.left(self.id)
        return inputs if inputs is None or not left else {**inputs, "package updates": left}

    def run(self, job: Job) -> int:
        """Run the phase, then judge its components. Raises PhaseFailedError when one fails."""
        changed = self.updates.install(job, self.id) + self.phase.run(job)
        subjects = subjects_of(self.id)
        if subjects:
            job.observer(TaskStarted(_("Judge what the phase has changed")))
            demand_healthy(job, subjects)
        return changed

    def preview(self, job: Job) -> int | Unpredictable:
        """Return what the phase would change."""
        return self.phase.preview(job)


class Updates:
    """The package updates of an upgrade, by phase; `point` has the packages that they replace."""

    def __init__(self, point: str = "", updates: Sequence[PhaseUpdates] = ()) -> None:
        self._point = point
        self._left = list(updates)

    def left(self, phase: str) -> str:
        """Return the versions that the phase has yet to install; empty if there are none."""
        return ", ".join(
            f"{one.host} {change.name} {change.after}"
            for one in self._left
            if one.phase == phase
            for change in one.changes
        )

    def install(self, job: Job, phase: str) -> int:
        """Install the phase's updates; return the number of packages."""
        count = 0
        for one in [one for one in self._left if one.phase == phase]:
            count += replace_packages(job, self._point, one)
            self._left.remove(one)
        return count


def gated(phases: Sequence[Phase], updates: Updates) -> tuple[Phase, ...]:
    """Return the phases one behind the other, each with its gate but the first and the last.

    The first changes nothing, and the last is the gate of the whole site.
    """
    made: list[Phase] = []
    before: list[str] = []
    for number, phase in enumerate(phases):
        ends = number in (0, len(phases) - 1)
        made.append(phase if ends else GatedPhase(phase, tuple(before), updates))
        before.append(phase.id)
    return tuple(made)


def subjects_of(phase: str) -> tuple[str, ...]:
    """Return the subjects of the checks that judge the services which a phase sets up."""
    found = (one.listener.check for one in components() if one.phase == phase and one.listener)
    return tuple(dict.fromkeys(check.partition(".")[0] for check in found if check))


def demand_healthy(job: Job, subjects: Sequence[str]) -> None:
    """Raise PhaseFailedError unless the checks of these subjects pass within some seconds."""

    def judged() -> tuple[Finding, ...]:
        return run_checks(
            job.site,
            job.plan,
            job.secrets,
            job.paths,
            job.site_file,
            stages=(Stage.DOCTOR,),
            only=subjects,
            on_finding=lambda finding: job.observer(TaskStarted(finding.title)),
            ssh=job.ssh,
        )

    findings = judged()
    for _again in range(_TRIES - 1):
        if not _fails(findings):
            break
        time.sleep(_PAUSE_SECONDS)
        findings = judged()
    demand(findings, _("the checks of this phase fail after the upgrade"))


def demand_healthy_site(
    job: Job, what: str, *, tries: int = 1, appliance: str = __version__
) -> None:
    """Raise PhaseFailedError unless all checks pass, a real call among them.

    `appliance` is the version that installed the site: its own checks judge it, where it is kept on
    this machine. A newer version demands what only its own installation brings.
    """
    kept = environment_of(appliance) if appliance != __version__ else None
    if kept is not None:
        _demand_healthy_by(kept, job, what, tries)
        return
    findings = examined(job, Calls.ECHO, lambda facts: None)
    for _again in range(tries - 1):
        if not _fails(findings):
            break
        time.sleep(_PAUSE_SECONDS)
        findings = examined(job, Calls.ECHO, lambda facts: None)
    demand(findings, what)


def _demand_healthy_by(kept: Path, job: Job, what: str, tries: int) -> None:
    """Run the doctor of another version with its real calls. Raises PhaseFailedError."""
    job.observer(TaskStarted(_("Health checks of the version that installed the site")))
    words = command_in(kept, "doctor", "--deep", "--json", "--site", str(job.site_file))
    for left in reversed(range(tries)):
        evidence = _doctor(words)
        if evidence is None:
            return
        if left:
            time.sleep(_PAUSE_SECONDS)
    raise PhaseFailedError(
        what, evidence=evidence or "", helps=f"ucontact doctor --deep --site {job.site_file}"
    )


def _doctor(words: Sequence[str]) -> str | None:
    """Run the doctor; return None if the site is healthy, else what failed."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=variables(),
            timeout=_DOCTOR_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return printable(_failures(done.stdout) or done.stderr.strip()[-_SAID:])


def _failures(document: str) -> str:
    """Return a line for each failed finding of `doctor --json`; "" where it is none."""
    try:
        rows = json.loads(document)["findings"]
        return "\n".join(
            f"{row['host']}: {row['id']}: {row['observed']}"
            for row in rows
            if row["verdict"] in (Verdict.FAIL.value, Verdict.ERROR.value)
        )
    except (ValueError, KeyError, TypeError):
        return ""


def _fails(findings: Sequence[Finding]) -> bool:
    wrong = (Verdict.FAIL, Verdict.ERROR)
    return any(one.verdict in wrong and one.waived is None for one in findings)
