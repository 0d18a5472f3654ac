"""Checks of the machine itself: reach, rights, system, processor, memory, clock, name."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path
from typing import Any

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Stage,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts import host as facts
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import Reach
from ucontact_appliance.planning.capacity import telephony_server
from ucontact_appliance.planning.demand import calls_carried, cores_needed, memory_needed_mb
from ucontact_appliance.planning.model import Plan, PlannedHost, Role
from ucontact_appliance.planning.systems import supported_names, system_row
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Host

_ALWAYS = frozenset(Stage)
_BOTH = frozenset({Stage.PREFLIGHT, Stage.DOCTOR})
_PREFLIGHT = frozenset({Stage.PREFLIGHT})
_TABLE: dict[str, Any] = load_data("hardware")
_SSH_PORT = 22
_OTHER_KEY = re.compile("REMOTE HOST IDENTIFICATION HAS CHANGED")


def _greeting(reach: Reach) -> Completed:
    return reach.runner.run(["true"], timeout=15)


def judge_silence(what: str, evidence: str, host: Host, known_hosts: Path) -> Judgement:
    """No command came through: `what` says why, and ssh's own words may know better."""
    required = "commands can be run on it"
    if not _OTHER_KEY.search(evidence):
        return failed(what, required, evidence)
    name = host.address if host.port == _SSH_PORT else f"[{host.address}]:{host.port}"
    forget = f"ssh-keygen -f {shlex.quote(str(known_hosts))} -R {shlex.quote(name)}"
    return failed(
        f"{host.address} shows another host key than the one that was pinned",
        required,
        evidence,
        forget + "  # only where you know why: it was set up afresh, or its keys were renewed",
    )


def judge_greeting(done: Completed, host: Host) -> Judgement:
    """The host answers, and runs what it is told: not so where sudo asks for a password."""
    required = "commands can be run on it"
    if done.status:
        told = f"{host.name} answers, but runs no command (exit status {done.status})"
        return failed(told, required, done.evidence)
    way = "is this machine" if host.is_local else f"answers over ssh in {done.seconds:.2f} s"
    return passed(f"{host.name} {way}", required)


@check(
    id="host.reachable",
    title="The host can be reached",
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy="{ssh} true",
    stages=_ALWAYS,
    timeout=20,
)
def _reachable(subject: Subject) -> Judgement:
    try:
        done = subject.facts.get(_greeting)
    except (UnreachableError, TimeoutError) as error:
        what = error.what if isinstance(error, UnreachableError) else str(error)
        evidence = error.evidence if isinstance(error, UnreachableError) else ""
        return judge_silence(what, evidence, subject.host, subject.state.known_hosts)
    return judge_greeting(done, subject.host)


REACHABLE = _reachable.id


@check(
    id="host.root",
    title="The login has root's rights",
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy="grep -n user: {site}  # name a login with root's rights there, then: {install}",
    stages=_BOTH,
)
def _root(subject: Subject) -> Judgement:
    uid = subject.facts.get(facts.system).uid
    required = "root's rights (user id 0)"
    if uid == 0:
        return passed("user id 0", required)
    return failed(f"user {subject.host.user} has the user id {uid}", required)


def judge_system(found: facts.System, today: date) -> Judgement:
    """R18: a supported system, its maker's support and our own testing told as they are."""
    required = f"one of {supported_names()} (R18 and newer releases)"
    row = system_row(found.os_id, found.os_version)
    if row is None:
        return failed(found.os_name, required, found.evidence)
    tested = "" if row.tested else "; this very system is not in the appliance's test suite"
    if row.eol is not None and row.eol < today:
        return warned(
            f"{found.os_name}: its maker's free security updates ended on {row.eol}{tested}",
            required,
            found.evidence,
            "{ssh} cat /etc/os-release  # plan a move to a newer release, or buy longer support",
        )
    until = f"free security updates until {row.eol}" if row.eol else "a rolling release"
    return passed(f"{found.os_name}: {until}{tested}", required, found.evidence)


@check(
    id="host.system",
    title="The operating system is supported",
    severity=Severity.CRITICAL,
    requirements=("R18",),
    remedy="{ssh} cat /etc/os-release  # install Ubuntu 24.04 or 22.04 there, then: {install}",
    stages=_BOTH,
)
def _system(subject: Subject) -> Judgement:
    return judge_system(subject.facts.get(facts.system), subject.now.date())


@check(
    id="host.architecture",
    title="The processor's architecture has packages",
    severity=Severity.CRITICAL,
    requirements=("R12",),
    remedy="{ssh} uname -m  # a 64-bit Intel, AMD or ARM processor is needed",
    stages=_PREFLIGHT,
)
def _architecture(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.hardware).architecture
    allowed = _TABLE["architectures"]
    required = " or ".join(allowed)
    return passed(found, required) if found in allowed else failed(found, required)


@check(
    id="host.init",
    title="systemd runs the services",
    severity=Severity.CRITICAL,
    requirements=("R18",),
    remedy="{ssh} systemctl is-system-running",
    stages=_PREFLIGHT,
)
def _init(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.system).init
    required = "systemd as process 1"
    return passed(found, required) if found == "systemd" else failed(found or "unknown", required)


def judge_processor(found: facts.Hardware, plan: Plan, host: PlannedHost) -> Judgement:
    """Whether the server's cores carry the plan's calls, and one Asterisk so many of them."""
    need, calls = cores_needed(plan, host), plan.tuning.telephony.max_calls
    kind = "bare metal" if found.virtualisation == "none" else found.virtualisation
    observed = f"{found.cpus} x {found.model or found.architecture} ({kind})"
    required = f"{need:.1f} cores for {calls} calls"
    most = telephony_server().ceiling_calls
    if Role.TELEPHONY in host.roles and calls > most:
        return failed(
            f"{calls} calls are planned for one Asterisk",
            f"{most} calls at the same time at most: several telephony servers in one site are not "
            "supported",
            found.evidence,
            "ucontact plan --site {site}  # then lower 'agents' there, or make several sites of it",
        )
    if found.cpus >= need:
        return passed(observed, required, found.evidence)
    # It works until the peak comes: whether that ever comes, the customer knows better.
    carried = calls_carried(found.cpus)
    return warned(f"{observed}: enough for {carried} calls", required, found.evidence)


@check(
    id="host.processor",
    title="The processor carries the planned calls",
    severity=Severity.HIGH,
    requirements=("R12", "C04"),
    remedy="{ssh} nproc  # give it more cores, or lower 'agents' in {site}; then: {install}",
    stages=_BOTH,
)
def _processor(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.hardware)
    return judge_processor(found, subject.plan, subject.plan.host(subject.host.name))


@check(
    id="host.memory",
    title="Memory carries the plan",
    severity=Severity.HIGH,
    requirements=("R12", "C04"),
    remedy="{ssh} free -m  # give the server more memory, then: {install}",
    stages=_BOTH,
)
def _memory(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.hardware)
    need = memory_needed_mb(subject.plan.tuning, subject.plan.host(subject.host.name).roles)
    vendor = _TABLE["memory"]["vendor_mb"]
    observed = f"{found.memory_mb} MB ({found.memory_kb / 1024:.0f} MB usable)"
    required = f"{need} MB for this plan; the vendor's pages name {vendor} MB"
    # Nominal against needed: firmware's share is no reason to refuse a server.
    if found.memory_mb < need:
        return failed(observed, required, found.evidence)
    if found.memory_mb < vendor:
        return warned(observed, required, found.evidence)
    return passed(observed, required, found.evidence)


def judge_hostname(found: facts.OwnName) -> Judgement:
    """Asterisk looks its own name up in every call: it has to resolve without a name server."""
    required = "the host's own name resolves"
    if found.address:
        return passed(f"{found.name} is {found.address}", required, found.evidence)
    return failed(f"{found.name} does not resolve", required, found.evidence)


@check(
    id="host.hostname",
    title="The host's own name resolves",
    severity=Severity.MEDIUM,
    requirements=("R19",),
    remedy="{install}",
)
def _hostname(subject: Subject) -> Judgement:
    return judge_hostname(subject.facts.get(facts.own_name))


def judge_clock(found: facts.Clock) -> Judgement:
    """The host's clock against this machine's."""
    table = _TABLE["clock"]
    most, near = table["most_seconds"], table["warn_seconds"]
    direction = "ahead of" if found.ahead > 0 else "behind"
    observed = (
        f"{abs(found.ahead):.1f} s {direction} this machine (to within {found.uncertainty:.2f} s)"
    )
    required = f"less than {most} s"
    off = max(0.0, abs(found.ahead) - found.uncertainty)
    if off >= most:
        return failed(observed, required)
    return warned(observed, required) if off >= near else passed(observed, required)


@check(
    id="host.clock",
    title="The host's clock agrees with this machine's",
    severity=Severity.HIGH,
    requirements=("R01",),
    remedy="date -u; {ssh} date -u  # then set the one that is wrong",
    stages=_BOTH,
)
def _clock(subject: Subject) -> Judgement:
    if subject.host.is_local:
        return passed("the same clock: the host is this machine", "less than 300 s")
    return judge_clock(subject.facts.get(facts.clock))


def judge_time_sync(found: facts.TimeSync, container: bool) -> Judgement:
    """Call records and certificates need a disciplined clock."""
    required = "chrony or systemd-timesyncd runs and is synchronised"
    if container:
        return skipped(
            "not verifiable here: a container has its host's clock", required, found.evidence
        )
    if not found.service:
        return failed("nothing disciplines the clock", required, found.evidence)
    if not found.synchronised:
        return warned(f"{found.service} runs, not synchronised yet", required, found.evidence)
    return passed(f"{found.service} runs, synchronised", required, found.evidence)


@check(
    id="host.time_sync",
    title="Something keeps the clock right",
    severity=Severity.MEDIUM,
    requirements=("R01", "C05"),
    remedy="{ssh} systemctl restart chrony",
)
def _time_sync(subject: Subject) -> Judgement:
    container = subject.facts.get(facts.hardware).container
    return judge_time_sync(subject.facts.get(facts.time_sync), container)


@check(
    id="host.restart",
    title="No update waits for a restart",
    severity=Severity.LOW,
    requirements=("R18",),
    remedy="{ssh} systemctl reboot  # outside working hours: it ends all calls",
)
def _reboot(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.system).reboot_required
    required = "no update waits for a restart"
    if found:
        return warned("an update waits for a restart", required, found)
    return passed("no restart is asked for", required)


CHECKS = checks_of(globals())
