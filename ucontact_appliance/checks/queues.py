"""Checks of queues and of their log."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.queues import (
    LOG_UNIT,
    LoadedQueues,
    QueueLogCopy,
    loaded_queues,
    queue_log_copy,
)
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.site.inbound import Queue

_SETTLED_SECONDS = 60.0  # the service sends every 3 s, and tries again


def judge_queues(found: LoadedQueues, queues: Sequence[Queue]) -> Judgement:
    """Require each queue of site.yml with its strategy, and nobody who waits without an agent."""
    if not queues:
        return skipped(_("the site has no queues"))
    required = _("Asterisk has each queue of site.yml; whoever waits has an agent who is logged in")
    loaded = {queue.name: queue for queue in found.queues}
    wrong = [
        _("{name} is missing", name=queue.name)
        if queue.name not in loaded
        else _("{name} has the strategy {strategy}", name=queue.name, strategy=strategy)
        for queue in queues
        if (strategy := loaded[queue.name].strategy if queue.name in loaded else "")
        != queue.strategy.value
    ]
    if wrong:
        return failed(joined("; ", wrong), required, found.evidence)
    stranded = [
        _("{name}: {waiting} callers and no agent", name=queue.name, waiting=queue.waiting)
        for queue in found.queues
        if queue.waiting and not queue.members
    ]
    if stranded:
        return warned(joined("; ", stranded), required, found.evidence)
    counted = (
        _("{name}: {count} agents logged in", name=name, count=len(loaded[name].members))
        for name in (queue.name for queue in queues)
    )
    return passed(joined(", ", counted), required, found.evidence)


@telephony_check(
    id="asterisk.queues",
    title=_("Asterisk has the site's queues"),
    severity=Severity.CRITICAL,
    requirements=("R19",),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _queues(subject: Subject) -> Judgement:
    queues = subject.site.telephony.queues
    found = subject.facts.get(loaded_queues) if queues else LoadedQueues((), "")
    return judge_queues(found, queues)


def judge_queue_log(found: QueueLogCopy) -> Judgement:
    """Require that the queue log is in MySQL, but for its last minute (R16)."""
    required = _("{unit} runs, and has sent the queue log to MySQL", unit=LOG_UNIT)
    if found.active != "active":
        told = _("{unit} is {state}", unit=LOG_UNIT, state=found.active or _("unknown"))
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
    remedy=f"{{ssh}} systemctl restart {LOG_UNIT}",
    needs=("asterisk.records",),
)
def _queue_log(subject: Subject) -> Judgement:
    return judge_queue_log(subject.facts.get(queue_log_copy))


CHECKS = checks_of(globals())
