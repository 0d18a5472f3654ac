"""Checks of queues."""

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
    LoadedQueues,
    loaded_queues,
)
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.site.inbound import Queue


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


CHECKS = checks_of(globals())
