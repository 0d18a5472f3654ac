"""Checks of the running Asterisk's settings: dialplan, drivers, limits, media ports."""

from __future__ import annotations

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    warned,
)
from ucontact_appliance.facts.asterisk import AsteriskState, snapshot
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.model import TelephonyTuning
from ucontact_appliance.planning.tuning import descriptors_headroom

_DEFAULT_SESSIONS = 100  # Asterisk's default, without sessionlimit in http.conf
_SESSIONS_NEAR_PERCENT = 80
_FOREIGN_CONTEXTS = frozenset({"default", "demo", "public", "outbound"})


def judge_dialplan(found: AsteriskState) -> Judgement:
    """Require the echo test, and no context of the distribution's sample dialplan."""
    required = _("context internal with the echo test *43, no example contexts")
    foreign = sorted(_FOREIGN_CONTEXTS & set(found.contexts))
    text = found.texts.get("dialplan", "")
    if foreign:
        return failed(
            _("example contexts: {foreign}", foreign=joined(", ", foreign)),
            required,
            ", ".join(found.contexts),
        )
    if "internal" not in found.contexts or "'*43'" not in text:
        return failed(_("no echo test *43"), required, ", ".join(found.contexts))
    return passed(
        _("{count} contexts", count=len(found.contexts)), required, ", ".join(found.contexts)
    )


@telephony_check(
    id="asterisk.dialplan",
    title=_("The dialplan is the appliance's"),
    severity=Severity.HIGH,
    requirements=("R04", "R05"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _dialplan(subject: Subject) -> Judgement:
    return judge_dialplan(subject.facts.get(snapshot))


def judge_drivers(found: AsteriskState) -> Judgement:
    """Require PJSIP alone: chan_sip takes UDP 5060 and the WebSocket subprotocol away from it."""
    required = _("chan_sip not loaded, chan_pjsip loaded")
    if "chan_sip.so" in found.modules:
        return failed(_("chan_sip is loaded"), required)
    if "chan_pjsip.so" not in found.modules:
        return failed(_("chan_pjsip is not loaded"), required)
    return passed(_("PJSIP alone"), required)


@telephony_check(
    id="asterisk.drivers",
    title=_("PJSIP is the only SIP driver"),
    severity=Severity.CRITICAL,
    requirements=("R02", "R04"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.modules.sip", "asterisk.modules.media"),
)
def _drivers(subject: Subject) -> Judgement:
    return judge_drivers(subject.facts.get(snapshot))


def judge_sessions(found: AsteriskState, tuning: TelephonyTuning) -> Judgement:
    """Require the planned sessionlimit: every agent's WebSocket counts; above it logins fail."""
    required = _("sessionlimit {session_limit} in http.conf", session_limit=tuning.session_limit)
    if found.session_limit is None:
        return failed(
            _(
                "no sessionlimit: Asterisk stops at {default_sessions}",
                default_sessions=_DEFAULT_SESSIONS,
            ),
            required,
        )
    judge = passed if found.session_limit >= tuning.session_limit else failed
    return judge(_("sessionlimit {session_limit}", session_limit=found.session_limit), required)


@telephony_check(
    id="asterisk.sessions",
    title=_("Asterisk accepts the planned number of WebSockets"),
    severity=Severity.HIGH,
    requirements=("R02", "R12"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _sessions(subject: Subject) -> Judgement:
    return judge_sessions(subject.facts.get(snapshot), subject.plan.tuning.telephony)


def judge_sessions_free(found: AsteriskState) -> Judgement:
    """Require free sessions: at the limit Asterisk closes any new connection to 8088/8089 (R02)."""
    limit = found.session_limit or _DEFAULT_SESSIONS
    near = limit * _SESSIONS_NEAR_PERCENT // 100
    required = _("fewer than {near} of {limit} sessions in use", near=near, limit=limit)
    observed = _(
        "{sessions_used} of {limit} sessions in use", sessions_used=found.sessions_used, limit=limit
    )
    evidence = found.texts.get("used", "")
    if found.sessions_used >= limit:
        return failed(
            _("{observed}: new connections are rejected", observed=observed), required, evidence
        )
    judge = warned if found.sessions_used >= near else passed
    return judge(observed, required, evidence)


@telephony_check(
    id="asterisk.sessions-free",
    title=_("Asterisk has free WebSocket sessions"),
    severity=Severity.CRITICAL,
    requirements=("R02", "R12"),
    remedy=with_note(
        "{ssh} ss -Htn state established '( sport = :8088 or sport = :8089 )'",
        _("find the clients that hold them; restarting Asterisk ends all sessions and calls"),
    ),
    needs=("asterisk.service",),
)
def _sessions_free(subject: Subject) -> Judgement:
    return judge_sessions_free(subject.facts.get(snapshot))


def judge_descriptors(found: AsteriskState, tuning: TelephonyTuning) -> Judgement:
    """Require the planned limit in the running process, not in a file."""
    required = _("{file_descriptors} file descriptors", file_descriptors=tuning.file_descriptors)
    if found.descriptors is None:
        return failed(
            _("the limits of the process are not readable"), required, found.texts.get("limits", "")
        )
    observed = _("{descriptors} file descriptors", descriptors=found.descriptors)
    if found.descriptors >= tuning.file_descriptors:
        return passed(observed, required)
    # A container's own limit can be below the plan's, and no setting inside it raises that.
    if found.descriptors >= tuning.file_descriptors / descriptors_headroom():
        return warned(
            _("{observed}: enough for the planned calls, without the headroom", observed=observed),
            required,
        )
    return failed(observed, required)


@telephony_check(
    id="asterisk.descriptors",
    title=_("Asterisk's file descriptor limit is as planned"),
    severity=Severity.HIGH,
    requirements=("R12",),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _descriptors(subject: Subject) -> Judgement:
    return judge_descriptors(subject.facts.get(snapshot), subject.plan.tuning.telephony)


def judge_rtp(found: AsteriskState, tuning: TelephonyTuning) -> Judgement:
    """Require the planned RTP range, because the firewall opens exactly that."""
    required = _(
        "ports {rtp_start} to {rtp_end}", rtp_start=tuning.rtp_start, rtp_end=tuning.rtp_end
    )
    evidence = found.texts.get("rtp", "")
    if found.rtp is None:
        return failed(_("Asterisk shows no RTP settings"), required, evidence)
    judge = passed if found.rtp == (tuning.rtp_start, tuning.rtp_end) else failed
    return judge(
        _("ports {rtp} to {rtp2}", rtp=found.rtp[0], rtp2=found.rtp[1]), required, evidence
    )


@telephony_check(
    id="asterisk.rtp",
    title=_("Media uses the planned ports"),
    severity=Severity.HIGH,
    requirements=("R03", "R12"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.modules.media"),
)
def _rtp(subject: Subject) -> Judgement:
    return judge_rtp(subject.facts.get(snapshot), subject.plan.tuning.telephony)


CHECKS = checks_of(globals())
