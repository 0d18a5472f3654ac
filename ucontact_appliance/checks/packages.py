"""Checks of the packages that apt would install on a host, for exactly its planned roles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ucontact_appliance.checks.apt import ask_apt
from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Stage,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
)
from ucontact_appliance.facts import packages as facts
from ucontact_appliance.language.messages import Message, _, concatenated, joined, with_note
from ucontact_appliance.planning.component import on_system
from ucontact_appliance.planning.component_tables import PackageRequirement, package_requirements
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import brought, suited
from ucontact_appliance.planning.tables import SystemRow
from ucontact_appliance.planning.versions import reaches
from ucontact_appliance.site.asterisk_source import ASTERISK


@dataclass(frozen=True)
class PackageContext:
    """The server to judge: its system, its roles, the date, and apt's answer.

    `unowned` is the path of the component's program if no package owns it; empty otherwise.
    """

    system: SystemRow
    roles: tuple[Role, ...]
    today: date
    found: facts.AptPackages
    unowned: str = ""


def judge_component(component: PackageRequirement, place: PackageContext) -> Judgement:
    """Require that the host's apt offers the role's packages in a new enough version."""
    required = _required(component)
    names = on_system(component.names, place.system.name)
    known = [place.found.get(name) for name in names]
    evidence = "\n".join(package.evidence for package in known)
    if place.unowned:
        return failed(
            _(
                "{unowned} belongs to no package: apt's {title} would replace it",
                unowned=place.unowned,
                title=_(component.title),
            ),
            required,
            evidence,
            _keeping(component, place.unowned),
        )
    missing = [package.name for package in known if not package.version]
    if not missing:
        version = known[0].version
        state = _("installed") if known[0].installed else _("apt would install it")
        observed = _(
            "{component} {version} ({state})",
            component=_(component.title),
            version=version,
            state=state,
        )
        if reaches(version, component.least):
            return passed(observed, required, evidence)
        return failed(observed, required, evidence, remedy(component, place))
    own = brought(component, place.system)
    if place.found.lists == "none" and reaches(own or "", component.least):
        return skipped(
            _(
                "apt has no package lists; {name}'s own archive has {title} {own}",
                name=place.system.name,
                title=_(component.title),
                own=own,
            ),
            required,
            evidence,
        )
    return failed(
        _(
            "apt knows no package {missing} for {name}",
            missing=joined(", ", missing),
            name=place.system.name,
        ),
        required,
        evidence,
        remedy(component, place),
    )


def _installable(component: PackageRequirement) -> Check:
    @check(
        id=f"packages.{component.id}",
        title=_("{title} is available in a new enough version", title=_(component.title)),
        severity=Severity.CRITICAL,
        requirements=component.requirements,
        remedy="{ssh} apt-get update",
        role=component.role,
        stages=frozenset({Stage.PREFLIGHT}),
        needs=("host.system", "host.archive"),
        timeout=120,
    )
    def judge(subject: Subject) -> Judgement:
        asked = ask_apt(subject)
        if asked is None:
            return skipped(_("unknown, because the system is not supported"))
        row, roles, found = asked.system, asked.roles, asked.answer.packages
        program = component.program
        unowned = subject.facts.get(facts.unowned, program) if program else ""
        if component.id == ASTERISK and subject.site.telephony.has_vendors_asterisk and not unowned:
            return skipped(_("site.yml names the vendor's packages, not the distribution's"))
        return judge_component(
            component, PackageContext(row, roles, subject.now.date(), found, unowned)
        )

    return judge


INSTALLABLE = tuple(_installable(component) for component in package_requirements())


def _keeping(component: PackageRequirement, path: str) -> str:
    keep = f"{{ssh}} mv {path} {path}.kept"
    if not component.maker:
        return keep
    return with_note(keep, _("or install it as a package, from {maker}", maker=_(component.maker)))


def _required(component: PackageRequirement) -> Message:
    least = (
        _("{title} {least} or later", title=_(component.title), least=component.least)
        if component.least
        else _(component.title)
    )
    return concatenated((least, ": ", _(component.because)))


def remedy(component: PackageRequirement, place: PackageContext) -> str:
    """Return the command that shows apt's versions; its note names archives or systems to use."""
    ways = []
    own = brought(component, place.system)
    if own is not None and reaches(own, component.least):
        ways.append(
            _(
                "{name}'s own archive has {title} {own}: put its universe or main component "
                "back into /etc/apt/sources.list",
                name=place.system.name,
                title=_(component.title),
                own=own,
            )
        )
    if component.maker is not None:
        ways.append(_("add {maker} to the server's apt sources", maker=_(component.maker)))
    if component.id == ASTERISK:
        ways.append(_("name the vendor's packages in site.yml (telephony.source)"))
    ways.append(_("use a server with {choice} for it", choice=_choice(place)))
    names = " ".join(on_system(component.names, place.system.name))
    return with_note(f"{{ssh}} apt-cache policy {names}", joined(_(", or "), ways))


def _choice(place: PackageContext) -> str:
    """Return the systems that have all packages of this server's roles, the newest first."""
    names = (row.name for row in reversed(suited(place.roles, place.today)))
    return joined(_(" or "), names)


CHECKS = checks_of(globals())
