"""Checks of the telephony server: Asterisk runs, and is the vendor's build."""

from __future__ import annotations

import functools

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    warned,
)
from ucontact_appliance.checks.wording import unmasking
from ucontact_appliance.facts.asterisk import (
    VENDOR_APPLICATIONS,
    AsteriskService,
    AsteriskState,
    service,
    snapshot,
)
from ucontact_appliance.language.messages import _, joined, verbatim, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for

telephony_check = functools.partial(check, role=Role.TELEPHONY, timeout=15.0)


def judge_service(found: AsteriskService) -> Judgement:
    """Require an active unit that starts at boot, and an Asterisk that answers."""
    required = _("asterisk.service active and enabled, and Asterisk responds")
    if found.enabled.startswith("masked"):
        told = _("asterisk.service is masked and {state}", state=found.state)
        return failed(told, required, found.evidence, unmasking("asterisk.service"))
    if found.state != "active":
        return failed(_("asterisk.service is {state}", state=found.state), required, found.evidence)
    if not found.answers:
        return failed(
            _("the unit is active, but Asterisk does not respond"), required, found.evidence
        )
    if found.enabled != "enabled":
        return failed(
            _(
                "running, but not started at boot ({enabled})",
                enabled=found.enabled or _("unknown"),
            ),
            required,
            found.evidence,
            "{ssh} systemctl enable asterisk.service",
        )
    return passed(verbatim(found.uptime.splitlines()[-1]), required, found.evidence)


@telephony_check(
    id="asterisk.service",
    title=_("Asterisk is running"),
    severity=Severity.CRITICAL,
    requirements=("R19", "R02", "R04"),
    remedy="{ssh} systemctl restart asterisk.service",
)
def _service(subject: Subject) -> Judgement:
    try:
        return judge_service(subject.facts.get(service))
    except TimeoutError as error:
        required = _("asterisk.service active and enabled, and Asterisk responds")
        return failed(
            _("Asterisk hangs: it does not answer its command line"), required, str(error)
        )


def judge_build(found: AsteriskState, *, is_wanted: bool) -> Judgement:
    """Tell the vendor's build from stock Asterisk by its dialplan applications (R19).

    `is_wanted`: site.yml names the vendor's build, so that stock Asterisk is a failure.
    """
    required = _("the vendor's Asterisk 13 (R19)")
    there = [name for name in VENDOR_APPLICATIONS if name in found.applications]
    missing = [name for name in VENDOR_APPLICATIONS if name not in there]
    evidence = (
        f"{found.texts.get('version', '')}\n"
        f"vendor's applications: {', '.join(there) or 'none'} of {len(VENDOR_APPLICATIONS)}\n"
        f"missing: {', '.join(missing) or 'none'}"
    )
    if not missing:
        return passed(_("the vendor's build, {version}", version=found.version), required, evidence)
    if there:
        return failed(
            _("the vendor's build lacks {lost}", lost=joined(", ", missing)), required, evidence
        )
    told = _(
        "stock Asterisk {version}: it lacks {lost}",
        version=found.version,
        lost=joined(", ", missing),
    )
    if is_wanted:
        return failed(told, required, evidence, _NOT_THE_VENDORS)
    return warned(told, required, evidence)


_NOT_THE_VENDORS = with_note(
    "{ssh} apt-cache policy asterisk",
    _("telephony.source in site.yml names packages that are not the vendor's"),
)


@telephony_check(
    id="asterisk.build",
    title=_("Asterisk is the vendor's build"),
    severity=Severity.MEDIUM,
    requirements=("R19",),
    remedy=with_note(
        "{ssh} asterisk -rx 'core show version'", _("the vendor's build comes with its licence")
    ),
    needs=("asterisk.service",),
)
def _build(subject: Subject) -> Judgement:
    return judge_build(
        subject.facts.get(snapshot), is_wanted=subject.site.telephony.has_vendors_asterisk
    )


def port_of(subject: Subject, port_id: str) -> int:
    """Return the port of that row of the site's port registry; of a range, the first."""
    rows = ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))
    return next(row.first for row in rows if row.id == port_id)


CHECKS = checks_of(globals())
