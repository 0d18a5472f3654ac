"""Checks of Asterisk's protection: its interfaces, security log, fail2ban jail and limits."""

from __future__ import annotations

import ipaddress

from ucontact_appliance.checks.asterisk import port_of, telephony_check
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    warned,
)
from ucontact_appliance.facts.asterisk import (
    JAIL,
    SECURITY_LOG,
    AsteriskState,
    Jail,
    SipLimits,
    jail,
    sip_limits,
    snapshot,
)
from ucontact_appliance.language.messages import _


def _is_loopback(bound: str) -> bool:
    try:
        return ipaddress.ip_address(bound.rpartition(":")[0].strip("[]")).is_loopback
    except ValueError:
        return False


def judge_http(found: AsteriskState, port: int) -> Judgement:
    """Require HTTPS for WebSockets; plain HTTP at most on the loopback (R02)."""
    required = _("HTTPS on port {port}, plain HTTP on the loopback only", port=port)
    evidence = found.texts.get("http", "")
    if not found.https.endswith(f":{port}"):
        return failed(_("HTTPS is not enabled"), required, evidence)
    if found.plain_http and not _is_loopback(found.plain_http):
        return failed(
            _("plain HTTP on {plain_http}", plain_http=found.plain_http), required, evidence
        )
    observed = _(
        "HTTPS on {https}, plain HTTP on {plain_http}",
        https=found.https,
        plain_http=found.plain_http or _("nothing"),
    )
    return passed(observed, required, evidence)


@telephony_check(
    id="asterisk.http",
    title=_("Asterisk's HTTP server accepts TLS only"),
    severity=Severity.CRITICAL,
    requirements=("R01", "R02"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _http(subject: Subject) -> Judgement:
    return judge_http(subject.facts.get(snapshot), port_of(subject, "wss"))


def judge_ami(found: AsteriskState) -> Judgement:
    """Require AMI on the loopback only: whoever reaches it can listen in and place calls."""
    required = _("the manager interface without TLS on the loopback only")
    evidence = found.texts.get("ami", "")
    if not found.ami:
        return failed(_("the manager interface is off"), required, evidence)
    judge = passed if _is_loopback(found.ami) else failed
    return judge(_("on {ami}", ami=found.ami), required, evidence)


@telephony_check(
    id="asterisk.ami",
    title=_("The manager interface without TLS is on the loopback"),
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _ami(subject: Subject) -> Judgement:
    return judge_ami(subject.facts.get(snapshot))


def judge_security_log(found: AsteriskState) -> Judgement:
    """Require log level SECURITY: without it no refused login is logged, and nobody is banned."""
    required = _("level SECURITY goes to {security_log}", security_log=SECURITY_LOG)
    judge = passed if found.security_log == SECURITY_LOG else failed
    observed = (
        _("goes to {security_log}", security_log=found.security_log)
        if found.security_log
        else _("goes nowhere")
    )
    return judge(observed, required, found.texts.get("logger", ""))


@telephony_check(
    id="asterisk.security_log",
    title=_("Refused logins are logged"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{ssh} asterisk -rx 'logger reload' && {install}",
    needs=("asterisk.service",),
)
def _security_log(subject: Subject) -> Judgement:
    return judge_security_log(subject.facts.get(snapshot))


def judge_jail(found: Jail) -> Judgement:
    """Require an active jail that bans addresses which guess passwords."""
    required = _(
        "fail2ban's jail {jail} reads {security_log}, and starts at boot",
        jail=JAIL,
        security_log=SECURITY_LOG,
    )
    if not found.active:
        return failed(_("the jail is not active"), required, found.evidence)
    if found.log_file != SECURITY_LOG:
        return failed(
            _("the jail reads {log_file}", log_file=found.log_file or _("nothing")),
            required,
            found.evidence,
        )
    return passed(
        _("active, {count} banned now", count=len(found.banned)), required, found.evidence
    )


@telephony_check(
    id="asterisk.jail",
    title=_("Addresses that guess passwords are banned"),
    severity=Severity.HIGH,
    requirements=("C05",),
    # A restart, because the unit may run although this one jail was stopped.
    remedy="{ssh} systemctl enable fail2ban.service && systemctl restart fail2ban.service",
)
def _jail(subject: Subject) -> Judgement:
    return judge_jail(subject.facts.get(jail))


def judge_limits(found: SipLimits) -> Judgement:
    """Require the nftables table that stops a flood of logins or connections before Asterisk."""
    required = _("nftables table inet ucontact_sip limits connections and the data rate of each")
    if not found.loaded:
        return failed(_("the table is not loaded"), required, found.evidence)
    if not found.limiting:
        told = _("the kernel can't limit connections by source (Linux 4.18, nftables 0.9)")
        return warned(told, required, found.evidence)
    return passed(_("the table is loaded"), required)


@telephony_check(
    id="asterisk.limits",
    title=_("SIP connections are limited"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{ssh} systemctl restart ucontact-sip.service fail2ban.service",
)
def _limits(subject: Subject) -> Judgement:
    return judge_limits(subject.facts.get(sip_limits))


CHECKS = checks_of(globals())
