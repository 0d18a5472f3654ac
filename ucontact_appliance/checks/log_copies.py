"""Checks of the logs of Asterisk that are copied to MySQL."""

from __future__ import annotations

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.facts.log_copies import (
    CHANNEL_EVENTS_UNIT,
    QUEUE_LOG_UNIT,
    LogCopy,
    channel_events_copy,
    queue_log_copy,
)
from ucontact_appliance.language.messages import _

_SETTLED_SECONDS = 60.0  # the service sends every 3 s, and tries again


def judge_copy(found: LogCopy) -> Judgement:
    """Require that the log is written, and is in MySQL but for its last minute (R16)."""
    required = _("{unit} runs, and has sent the log to MySQL", unit=found.unit)
    if not found.written:
        told = _("Asterisk does not write the log")
        return failed(told, required, found.evidence, "{install}")
    if found.active != "active":
        told = _("{unit} is {state}", unit=found.unit, state=found.active or _("unknown"))
        return failed(told, required, found.evidence)
    if found.behind != 0 and found.age > _SETTLED_SECONDS:
        told = (
            _("the current log is not sent")
            if found.behind is None
            else _("{count} bytes of the log are not sent", count=found.behind)
        )
        return failed(told, required, found.evidence)
    return passed(_("the log is sent"), required, found.evidence)


@telephony_check(
    id="asterisk.queue-log",
    title=_("The queue log is copied to MySQL"),
    severity=Severity.HIGH,
    requirements=("R16", "R19"),
    remedy=f"{{ssh}} systemctl restart {QUEUE_LOG_UNIT}",
    needs=("asterisk.records",),
)
def _queue_log(subject: Subject) -> Judgement:
    return judge_copy(subject.facts.get(queue_log_copy))


@telephony_check(
    id="asterisk.channel-events",
    title=_("Channel events are copied to MySQL"),
    severity=Severity.MEDIUM,
    requirements=("R16", "R19"),
    remedy=f"{{ssh}} systemctl restart {CHANNEL_EVENTS_UNIT}",
    needs=("asterisk.records",),
)
def _channel_events(subject: Subject) -> Judgement:
    return judge_copy(subject.facts.get(channel_events_copy))


CHECKS = checks_of(globals())
