"""Waivers of site.yml, each with a reason and an end date, and the check that none has expired.

A waiver covers a failure or a warning; never a check that could not be carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from ucontact_appliance.checks.model import (
    AppliedWaiver,
    Finding,
    Judgement,
    Severity,
    Subject,
    Verdict,
    check,
    checks_of,
    failed,
    passed,
    warned,
)
from ucontact_appliance.facts import settings
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.waivers import WAIVERS_CHECK, Waiver

_COVERED = (Verdict.FAIL, Verdict.WARN)
_BROKEN = (Verdict.FAIL, Verdict.ERROR)


def waive(
    findings: Sequence[Finding], waivers: Sequence[Waiver], today: date
) -> tuple[Finding, ...]:
    """Return the findings, with those marked that a waiver covers which is valid on that day.

    A finding blocked by a waived failure is waived with it, unless the same check failed
    elsewhere without a waiver.
    """
    held = [waiver for waiver in waivers if today <= waiver.until]
    if not held:
        return tuple(findings)
    marked = [_covered(finding, held) for finding in findings]
    return tuple(_behind(finding, marked) for finding in marked)


def _covered(finding: Finding, held: Sequence[Waiver]) -> Finding:
    if finding.verdict not in _COVERED:
        return finding
    for waiver in held:
        if waiver.check == finding.id and waiver.host in (None, finding.host):
            return replace(finding, waived=AppliedWaiver(waiver.reason, waiver.until))
    return finding


def _behind(finding: Finding, marked: Sequence[Finding]) -> Finding:
    if finding.blocked_by is None:
        return finding
    roots = [f for f in marked if f.id == finding.blocked_by and f.verdict in _BROKEN]
    first = roots[0].waived if roots else None
    if first is None or any(root.waived is None for root in roots):
        return finding
    return replace(finding, waived=first)


def judge_waivers(waivers: Sequence[Waiver], today: date) -> Judgement:
    """Fail if a waiver has expired; warn if one is about to."""
    days = int(load_data("doctor")["waivers"]["warn_days"])
    required = _("no waiver has expired, and none expires within {days} days", days=days)
    if not waivers:
        return passed(_("site.yml has no waivers"), required)
    evidence = "\n".join(f"{_named(w)} until {w.until}: {w.reason}" for w in waivers)
    ended = [waiver for waiver in waivers if waiver.until < today]
    if ended:
        what = joined(
            ", ", (_("{named} expired on {until}", named=_named(w), until=w.until) for w in ended)
        )
        return failed(_("no longer waived: {what}", what=what), required, evidence)
    ending = [waiver for waiver in waivers if waiver.until - today < timedelta(days=days)]
    if ending:
        what = joined(
            ", ", (_("{named} until {until}", named=_named(w), until=w.until) for w in ending)
        )
        return warned(_("waivers that expire soon: {what}", what=what), required, evidence)
    first = min(waiver.until for waiver in waivers)
    return passed(
        _("{count} in force, the first expires on {first}", count=len(waivers), first=first),
        required,
        evidence,
    )


@check(
    id=WAIVERS_CHECK,
    title=_("No waiver in site.yml has expired"),
    severity=Severity.HIGH,
    requirements=("C06",),
    remedy=with_note(
        "grep -n -A40 '^waivers:' {site}", _("fix what it covers, or renew or remove it there")
    ),
    role=Role.TELEPHONY,  # exactly one host has this role: once per site
)
def _waivers(subject: Subject) -> Judgement:
    return judge_waivers(subject.facts.get(settings.waivers), subject.now.date())


def _named(waiver: Waiver) -> str:
    return (
        _("{check} on {host}", check=waiver.check, host=waiver.host)
        if waiver.host
        else waiver.check
    )


CHECKS = checks_of(globals())
