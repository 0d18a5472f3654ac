"""Checks that the system's own upgrades leave our services alone, and that no fix is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

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
from ucontact_appliance.facts import host
from ucontact_appliance.facts import package_updates as facts
from ucontact_appliance.language.messages import _, joined, ngettext, with_note
from ucontact_appliance.planning.systems import held_packages, system_row

_OLD = timedelta(days=14)


def judge_held(found: Sequence[facts.PackageHold]) -> Judgement:
    """Require that each of the packages is held."""
    required = _("apt replaces no package of a service unless told to")
    loose = [one.name for one in found if not one.held]
    evidence = "\n".join(
        f"{one.name} {one.version} {'hold' if one.held else 'install'}" for one in found
    )
    if loose:
        return failed(
            _("not held: {names}", names=joined(", ", loose)),
            required,
            evidence,
            f"{{ssh}} apt-mark hold {' '.join(loose)}",
        )
    told = ngettext("{count} package is held", "{count} packages are held", len(found))
    return passed(told, required, evidence)


def judge_updates(found: facts.PackageUpdates, now: datetime) -> Judgement:
    """Warn when a held package has a security update."""
    required = _("no security update waits")
    evidence = "\n".join(
        f"{one.name} {one.installed} -> {one.candidate}{' (security)' if one.security else ''}"
        for one in found.updates
    )
    fixes = [one.name for one in found.updates if one.security]
    if fixes:
        return warned(
            _("security updates wait: {names}", names=joined(", ", fixes)), required, evidence
        )
    if not found.listed:
        return skipped(_("apt has no package lists"), required)
    age = now - datetime.fromtimestamp(found.listed, tz=now.tzinfo)
    if age > _OLD:
        return skipped(
            _("apt's package lists are {days} days old", days=age.days), required, evidence
        )
    told = ngettext(
        "no security update; {count} other update waits",
        "no security update; {count} other updates wait",
        len(found.updates),
    )
    return passed(told if found.updates else _("no update waits"), required, evidence)


def _names(subject: Subject) -> tuple[str, ...]:
    """Return the packages to hold on the host; none on an unsupported system."""
    system = subject.facts.get(host.system)
    row = system_row(system.os_id, system.os_version)
    roles = subject.plan.host(subject.host.name).roles
    return () if row is None else held_packages(row, roles)


_UNKNOWN = _("unknown, because the system is not supported")


@check(
    id="packages.held",
    title=_("The packages of our services are held"),
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy="{install}",
    needs=("host.system",),
)
def _held(subject: Subject) -> Judgement:
    names = _names(subject)
    return judge_held(subject.facts.get(facts.held, names)) if names else skipped(_UNKNOWN)


@check(
    id="packages.updates",
    title=_("No security update of our services waits"),
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy=with_note(
        "ucontact upgrade --packages --yes --site {site}",
        _("refuses new calls where their services restart, and waits up to 300 s for the others"),
    ),
    needs=("host.system",),
    timeout=45,
    takes=1.5,
)
def _updates(subject: Subject) -> Judgement:
    names = _names(subject)
    if not names:
        return skipped(_UNKNOWN)
    return judge_updates(subject.facts.get(facts.updates, names), subject.now)


CHECKS = checks_of(globals())
