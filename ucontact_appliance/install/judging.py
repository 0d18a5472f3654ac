"""Run the checks of the phases preflight and verify, before and after an installation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ucontact_appliance.checks.model import Calls, Finding, Stage, Verdict
from ucontact_appliance.errors import PhaseFailedError, UnreachableError
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.facts.source import FactSource
from ucontact_appliance.findings.registry import REACHABLE
from ucontact_appliance.findings.run import run_checks
from ucontact_appliance.install.events import TaskStarted, Warned
from ucontact_appliance.install.job import Job
from ucontact_appliance.language.messages import Message, _, concatenated, joined
from ucontact_appliance.operate.examination import examine
from ucontact_appliance.operate.installed import Installed


def ready(job: Job) -> tuple[Finding, ...]:
    """Return the findings of the preflight stage."""
    return _with_lost_hosts_again(
        job,
        lambda: run_checks(
            job.site,
            job.plan,
            job.secrets,
            job.paths,
            job.site_file,
            stages=(Stage.PREFLIGHT,),
            on_finding=_telling(job),
            ssh=_without_retries(job),
        ),
    )


def examined(
    job: Job, calls: Calls, on_facts: Callable[[Mapping[str, FactSource]], None]
) -> tuple[Finding, ...]:
    """Return the doctor's findings on the installed site; `on_facts` receives the facts read."""
    here = Installed(job.site, job.site_file, job.plan, job.secrets, job.paths)
    return _with_lost_hosts_again(
        job,
        lambda: examine(
            here,
            calls=calls,
            on_finding=_telling(job),
            on_facts=on_facts,
            on_notice=lambda text: job.observer(Warned(text)),
            ssh=_without_retries(job),
        ),
    )


def _telling(job: Job) -> Callable[[Finding], None]:
    return lambda finding: job.observer(TaskStarted(finding.title))


def _without_retries(job: Job) -> SshSettings:
    """Return ssh settings without retries: a check's timeout is shorter than the retries take."""
    return replace(job.ssh, retry_seconds=0.0)


def _with_lost_hosts_again(
    job: Job, judged: Callable[[], tuple[Finding, ...]]
) -> tuple[Finding, ...]:
    """Return the findings; judge once more when hosts were unreachable and are reachable again."""
    findings = judged()
    lost = {f.host for f in findings if f.id == REACHABLE and f.verdict is not Verdict.PASS}
    if lost and _came_back(job, lost):
        findings = judged()
    return findings


def _came_back(job: Job, names: set[str]) -> bool:
    """Return whether all of those hosts can be reached again, with the usual ssh retries."""
    try:
        for host in job.site.hosts:
            if host.name in names:
                with runner_for(host, job.ssh) as runner:
                    runner.run(["true"])
    except (UnreachableError, TimeoutError):
        return False
    return True


def demand(findings: tuple[Finding, ...], what: str) -> None:
    """Raise PhaseFailedError with all failed findings that are not waived.

    With more than one, the evidence has the remedy of each.
    """
    wrong = [f for f in findings if f.verdict in (Verdict.FAIL, Verdict.ERROR) and f.waived is None]
    if wrong:
        with_remedies = len(wrong) > 1
        raise PhaseFailedError(
            what,
            evidence=joined("\n", (_told(one, with_remedy=with_remedies) for one in wrong)),
            helps=wrong[0].remedy,
        )


def _told(finding: Finding, *, with_remedy: bool) -> Message:
    parts: list[str] = [f"{finding.host}: {finding.id}: ", finding.observed]
    if finding.required:
        parts += ["; ", _("required"), ": ", finding.required]
    if with_remedy and finding.remedy:
        parts += ["\n  ", _("remedy"), ": ", finding.remedy]
    return concatenated(parts)
