"""Checks that components get security fixes (R17, R19, R21), by distribution or upstream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts import asterisk, backend, host, web
from ucontact_appliance.facts.origin import Origin, origin
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import system_row
from ucontact_appliance.planning.tables import SystemRow
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("lifecycle")


def judge_lifecycle(
    component: dict[str, Any],
    version: str,
    found: Origin,
    system: SystemRow | None,
    today: date,
) -> Judgement:
    """Judge until when a component (row of data/lifecycle.yml) gets security fixes.

    A distribution fixes its packages until its own end of support; for others, upstream does.
    """
    title, releases = component["title"], component["releases"]
    required = _("it still gets security fixes")
    if not version:
        return skipped(
            _("the version of {title} is unknown", title=title), required, found.evidence
        )
    told = f"{title} {version}"
    if found.distribution and system is not None and (not system.eol or system.eol >= today):
        until = _("until {eol}", eol=system.eol) if system.eol else _("while it is maintained")
        return passed(
            _("{told}, security fixes from the distribution {until}", told=told, until=until),
            required,
            found.evidence,
        )
    release = next((row for row in releases if f"{version}.".startswith(f"{row['series']}.")), None)
    if release is None:
        return skipped(_("{told}: end of support unknown", told=told), required, found.evidence)
    until = release["until"]
    if found.distribution and system is not None and system.eol:
        until = max(until, system.eol)  # until then the distribution fixed it
    if until < today:
        return warned(
            _("{told}: no security fixes since {until}", told=told, until=until),
            required,
            found.evidence,
        )
    soon = until - today < timedelta(days=int(_TABLE["warn_days"]))
    judge = warned if soon else passed
    return judge(
        _("{told}, upstream security fixes until {until}", told=told, until=until),
        required,
        found.evidence,
    )


@dataclass(frozen=True)
class _Component:
    id: str
    unit: str
    role: Role
    needs: str
    version: Callable[[Subject], str]


_COMPONENTS = (
    _Component(
        "nginx",
        "nginx.service",
        Role.BACKEND,
        "web.service",
        lambda s: s.facts.get(web.nginx).version,
    ),
    _Component(
        "asterisk",
        "asterisk.service",
        Role.TELEPHONY,
        "asterisk.service",
        lambda s: s.facts.get(asterisk.snapshot).version,
    ),
    _Component(
        "java",
        "integraserver.service",
        Role.BACKEND,
        "backend.service",
        lambda s: s.facts.get(backend.backend_service).java or "",
    ),
)


def _lifecycle(component: _Component) -> Check:
    row = _TABLE["components"][component.id]

    @check(
        id=f"lifecycle.{component.id}",
        title=_("{title} still gets security fixes", title=row["title"]),
        severity=Severity.MEDIUM,
        requirements=(row["requirement"],),
        remedy=with_note(
            "{ssh} apt-cache policy",
            _("plan an upgrade to a newer release, or add a waiver with an end date"),
        ),
        role=component.role,
        needs=(component.needs,),
    )
    def judge(subject: Subject) -> Judgement:
        seen = subject.facts.get(host.system)
        return judge_lifecycle(
            row,
            component.version(subject),
            subject.facts.get(origin, component.unit),
            system_row(seen.os_id, seen.os_version),
            subject.now.date(),
        )

    return judge


LIFECYCLE = tuple(_lifecycle(component) for component in _COMPONENTS)

CHECKS = checks_of(globals())
