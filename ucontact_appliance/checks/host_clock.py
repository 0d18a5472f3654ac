"""Checks of a host's clock: its offset from this machine's clock, and its synchronization."""

from __future__ import annotations

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
from ucontact_appliance.facts import host as facts
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.resources import load_data

_BOTH = frozenset({Stage.PREFLIGHT, Stage.DOCTOR})
_LIMITS: dict[str, Any] = load_data("hardware")["clock"]


def judge_clock(found: facts.ClockOffset) -> Judgement:
    """Compare the host's clock with this machine's."""
    most, near = _LIMITS["most_seconds"], _LIMITS["warn_seconds"]
    direction = _("ahead of") if found.ahead > 0 else _("behind")
    observed = _(
        "{ahead:.1f} s {direction} this machine (to within {uncertainty:.2f} s)",
        ahead=abs(found.ahead),
        direction=direction,
        uncertainty=found.uncertainty,
    )
    required = _("less than {most} s", most=most)
    off = max(0.0, abs(found.ahead) - found.uncertainty)
    if off >= most:
        return failed(observed, required)
    return warned(observed, required) if off >= near else passed(observed, required)


@check(
    id="host.clock",
    title=_("The host's clock matches this machine's clock"),
    severity=Severity.HIGH,
    requirements=("R01",),
    remedy=with_note("date -u; {ssh} date -u", _("then correct the clock that is wrong")),
    stages=_BOTH,
)
def _clock(subject: Subject) -> Judgement:
    if subject.host.is_local:
        return passed(_("the same clock: the host is this machine"), _("less than 300 s"))
    return judge_clock(subject.facts.get(facts.clock))


def judge_time_sync(found: facts.TimeSync, container: bool) -> Judgement:
    """Require a synchronised clock, which call records and certificates need."""
    required = _("chrony or systemd-timesyncd is running and synchronized")
    if container:
        return skipped(
            _("not verifiable here: a container uses its host's clock"), required, found.evidence
        )
    if not found.service:
        return failed(_("no service synchronizes the clock"), required, found.evidence)
    if not found.synchronised:
        return warned(
            _("{service} is running, but not synchronized yet", service=found.service),
            required,
            found.evidence,
        )
    return passed(
        _("{service} is running and synchronized", service=found.service), required, found.evidence
    )


@check(
    id="host.time_sync",
    title=_("The clock is synchronized"),
    severity=Severity.MEDIUM,
    requirements=("R01", "C05"),
    remedy="{ssh} systemctl restart chrony",
)
def _time_sync(subject: Subject) -> Judgement:
    container = subject.facts.get(facts.hardware).container
    return judge_time_sync(subject.facts.get(facts.time_sync), container)


CHECKS = checks_of(globals())
