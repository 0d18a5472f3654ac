"""Checks of memory in use, and of processes that the kernel killed for want of it."""

from __future__ import annotations

from typing import Any

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.storage import MemoryUse, memory
from ucontact_appliance.language.messages import _
from ucontact_appliance.resources import load_data

_MEMORY: dict[str, Any] = load_data("hardware")["memory"]


def judge_memory(found: MemoryUse) -> Judgement:
    """Require memory that is available without swapping."""
    percent = found.available_percent
    observed = _(
        "{available_kb} MB of {total_kb} MB available",
        available_kb=found.available_kb // 1024,
        total_kb=found.total_kb // 1024,
    )
    required = _("{low_percent} % or more available", low_percent=_MEMORY["low_percent"])
    if percent < _MEMORY["least_percent"]:
        return failed(observed, required, found.evidence)
    judge = warned if percent < _MEMORY["low_percent"] else passed
    return judge(observed, required, found.evidence)


@check(
    id="memory.available",
    title=_("Memory is not exhausted"),
    severity=Severity.HIGH,
    requirements=("R12",),
    remedy="{ssh} ps -eo rss,comm --sort=-rss | head -10",
)
def _memory(subject: Subject) -> Judgement:
    return judge_memory(subject.facts.get(memory))


def judge_kills(found: MemoryUse) -> Judgement:
    """Warn about out-of-memory kills: calls drop, the database restarts."""
    required = _("no process was killed for lack of memory since boot")
    if found.oom_kills is None:
        return skipped(_("not verifiable here: the kernel shows no counter"), required)
    if found.oom_kills:
        return warned(_("{oom_kills} killed", oom_kills=found.oom_kills), required, found.evidence)
    return passed(_("none"), required)


@check(
    id="memory.kills",
    title=_("No process was killed by the out-of-memory killer"),
    severity=Severity.MEDIUM,
    requirements=("R12",),
    remedy="{ssh} journalctl --grep 'oom-kill|Out of memory' --no-pager -n 20",
)
def _kills(subject: Subject) -> Judgement:
    return judge_kills(subject.facts.get(memory))


CHECKS = checks_of(globals())
