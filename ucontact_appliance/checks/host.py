"""Checks of the host itself: SSH access, root, system, processor, memory, name."""

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
    warned,
)
from ucontact_appliance.checks.wording import INSTALL, SITE
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts import host as facts
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import (
    Message,
    _,
    concatenated,
    joined,
    verbatim,
    what_of,
    with_note,
)
from ucontact_appliance.planning.capacity_model import telephony_server
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


def _greeting(reach: ProbeContext) -> Completed:
    return reach.runner.run(["true"], timeout=15)


def judge_silence(what: Message, evidence: str, host: Host, known_hosts: Path) -> Judgement:
    """Judge an unreachable host: `what` is the reason, unless ssh reports a changed host key."""
    required = _("commands can be run on the host")
    if not _OTHER_KEY.search(evidence):
        return failed(what, required, evidence)
    name = host.address if host.port == _SSH_PORT else f"[{host.address}]:{host.port}"
    forget = f"ssh-keygen -f {shlex.quote(str(known_hosts))} -R {shlex.quote(name)}"
    return failed(
        _("{address} presents a host key that differs from the pinned one", address=host.address),
        required,
        evidence,
        with_note(
            forget,
            _("only if you know the reason: the server was reinstalled, or its keys were replaced"),
        ),
    )


def judge_greeting(done: Completed, host: Host) -> Judgement:
    """Require that the host runs commands, which it does not if sudo asks for a password."""
    required = _("commands can be run on the host")
    if done.status:
        told = _(
            "{name} responds, but cannot run commands (exit status {status})",
            name=host.name,
            status=done.status,
        )
        return failed(told, required, done.evidence)
    way = (
        _("is this machine")
        if host.is_local
        else _("responds over SSH in {seconds:.2f} s", seconds=done.seconds)
    )
    return passed(
        concatenated((host.name, " ", way)),
        required,
    )


@check(
    id="host.reachable",
    title=_("The host is reachable over SSH"),
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
        evidence = error.evidence if isinstance(error, UnreachableError) else ""
        return judge_silence(what_of(error), evidence, subject.host, subject.state.known_hosts)
    return judge_greeting(done, subject.host)


REACHABLE = _reachable.id


@check(
    id="host.root",
    title=_("The login has root privileges"),
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy=with_note(
        "grep -n user: {site}",
        _("set a login with root privileges there, then: {install}", install=INSTALL),
    ),
    stages=_BOTH,
)
def _root(subject: Subject) -> Judgement:
    uid = subject.facts.get(facts.system).uid
    required = _("root privileges (user id 0)")
    if uid == 0:
        return passed(_("user id 0"), required)
    return failed(_("user {user} has the user id {uid}", user=subject.host.user, uid=uid), required)


def judge_system(found: facts.System, today: date) -> Judgement:
    """Require a supported system (R18); report the end of its updates, and whether we test it."""
    required = _(
        "one of {supported_names} (R18 and newer releases)", supported_names=supported_names()
    )
    row = system_row(found.os_id, found.os_version)
    if row is None:
        return failed(verbatim(found.os_name), required, found.evidence)
    tested = "" if row.tested else _("; this release is not covered by the appliance's test suite")
    if row.eol is not None and row.eol < today:
        return warned(
            _(
                "{os_name}: free security updates ended on {eol}{tested}",
                os_name=found.os_name,
                eol=row.eol,
                tested=tested,
            ),
            required,
            found.evidence,
            with_note(
                "{ssh} cat /etc/os-release",
                _("plan a move to a newer release, or buy longer support"),
            ),
        )
    until = (
        _("free security updates until {eol}", eol=row.eol) if row.eol else _("a rolling release")
    )
    return passed(
        concatenated((found.os_name, ": ", until, tested)),
        required,
        found.evidence,
    )


@check(
    id="host.system",
    title=_("The operating system is supported"),
    severity=Severity.CRITICAL,
    requirements=("R18",),
    remedy=with_note(
        "{ssh} cat /etc/os-release",
        _("install Ubuntu 24.04 or 22.04 there, then: {install}", install=INSTALL),
    ),
    stages=_BOTH,
)
def _system(subject: Subject) -> Judgement:
    return judge_system(subject.facts.get(facts.system), subject.now.date())


@check(
    id="host.architecture",
    title=_("The processor architecture is supported"),
    severity=Severity.CRITICAL,
    requirements=("R12",),
    remedy=with_note("{ssh} uname -m", _("a 64-bit Intel, AMD or ARM processor is needed")),
    stages=_PREFLIGHT,
)
def _architecture(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.hardware).architecture
    allowed = _TABLE["architectures"]
    required = joined(_(" or "), allowed)
    return (passed if found in allowed else failed)(verbatim(found), required)


@check(
    id="host.init",
    title=_("systemd is the init system"),
    severity=Severity.CRITICAL,
    requirements=("R18",),
    remedy="{ssh} systemctl is-system-running",
    stages=_PREFLIGHT,
)
def _init(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.system).init
    required = _("systemd as process 1")
    return (
        passed(verbatim(found), required)
        if found == "systemd"
        else failed(verbatim(found or _("unknown")), required)
    )


def judge_processor(found: facts.Hardware, plan: Plan, host: PlannedHost) -> Judgement:
    """Require cores for the planned calls, and no more calls than one Asterisk carries."""
    need, calls = cores_needed(plan, host), plan.tuning.telephony.max_calls
    kind = _("bare metal") if found.virtualisation == "none" else found.virtualisation
    observed = _(
        "{cpus} x {model} ({kind})",
        cpus=found.cpus,
        model=found.model or found.architecture,
        kind=kind,
    )
    required = _("{need:.1f} cores for {calls} calls", need=need, calls=calls)
    most = telephony_server().ceiling_calls
    if Role.TELEPHONY in host.roles and calls > most:
        return failed(
            _("{calls} calls are planned for one Asterisk", calls=calls),
            _(
                "at most {most} concurrent calls: several telephony servers per site "
                "are not supported",
                most=most,
            ),
            found.evidence,
            with_note(
                "ucontact plan --site {site}",
                _("then lower 'agents' there, or split it into several sites"),
            ),
        )
    if found.cpus >= need:
        return passed(observed, required, found.evidence)
    # It works below the peak load; whether that ever occurs, the customer knows better.
    carried = calls_carried(found.cpus)
    return warned(
        _("{observed}: enough for {carried} calls", observed=observed, carried=carried),
        required,
        found.evidence,
    )


@check(
    id="host.processor",
    title=_("The processor is large enough for the planned calls"),
    severity=Severity.HIGH,
    requirements=("R12", "C04"),
    remedy=with_note(
        "{ssh} nproc",
        _(
            "give it more cores, or lower 'agents' in {site}; then: {install}",
            site=SITE,
            install=INSTALL,
        ),
    ),
    stages=_BOTH,
)
def _processor(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.hardware)
    return judge_processor(found, subject.plan, subject.plan.host(subject.host.name))


@check(
    id="host.memory",
    title=_("Memory is large enough for the plan"),
    severity=Severity.HIGH,
    requirements=("R12", "C04"),
    remedy=with_note(
        "{ssh} free -m", _("give the server more memory, then: {install}", install=INSTALL)
    ),
    stages=_BOTH,
)
def _memory(subject: Subject) -> Judgement:
    found = subject.facts.get(facts.hardware)
    need = memory_needed_mb(subject.plan.tuning, subject.plan.host(subject.host.name).roles)
    vendor = _TABLE["memory"]["vendor_mb"]
    observed = _(
        "{memory_mb} MB ({memory_kb:.0f} MB usable)",
        memory_mb=found.memory_mb,
        memory_kb=found.memory_kb / 1024,
    )
    required = _(
        "{need} MB for this plan; the vendor's documentation states {vendor} MB",
        need=need,
        vendor=vendor,
    )
    # Nominal memory counts: what the firmware reserves is no reason to refuse a server.
    if found.memory_mb < need:
        return failed(observed, required, found.evidence)
    if found.memory_mb < vendor:
        return warned(observed, required, found.evidence)
    return passed(observed, required, found.evidence)


def judge_hostname(found: facts.OwnName) -> Judgement:
    """Require that the own name resolves without DNS: Asterisk looks it up in every call."""
    required = _("the host's own name resolves")
    if found.address:
        return passed(
            _("{name} is {address}", name=found.name, address=found.address),
            required,
            found.evidence,
        )
    return failed(_("{name} does not resolve", name=found.name), required, found.evidence)


@check(
    id="host.hostname",
    title=_("The host's own name resolves"),
    severity=Severity.MEDIUM,
    requirements=("R19",),
    remedy="{install}",
)
def _hostname(subject: Subject) -> Judgement:
    return judge_hostname(subject.facts.get(facts.own_name))


CHECKS = checks_of(globals())
