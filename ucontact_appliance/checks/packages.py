"""Checks of what apt would install on a host, for exactly the roles that it is to carry."""

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
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import brought, packages_of, suited
from ucontact_appliance.planning.tables import ComponentRow, SystemRow, components
from ucontact_appliance.planning.versions import reaches


@dataclass(frozen=True)
class Place:
    """The server that is judged: its system, its roles, the day, and apt's answer.

    `unowned` is where the component's program lies without being a package's; empty: nowhere.
    """

    system: SystemRow
    roles: tuple[Role, ...]
    today: date
    found: facts.Packages
    unowned: str = ""


def judge_component(component: ComponentRow, place: Place) -> Judgement:
    """Whether the role finds its packages, and new enough, in what the host's apt offers."""
    required = _required(component)
    names = packages_of(component, place.system)
    known = [place.found.get(name) for name in names]
    evidence = "\n".join(package.evidence for package in known)
    if place.unowned:
        return failed(
            f"{place.unowned} belongs to no package: apt's {component.title} would replace it",
            required,
            evidence,
            _keeping(component, place.unowned),
        )
    missing = [package.name for package in known if not package.version]
    if not missing:
        version = known[0].version
        state = "installed" if known[0].installed else "apt would install it"
        observed = f"{component.title} {version} ({state})"
        if reaches(version, component.least):
            return passed(observed, required, evidence)
        return failed(observed, required, evidence, remedy(component, place))
    own = brought(component, place.system)
    if place.found.lists == "none" and reaches(own or "", component.least):
        return skipped(
            f"apt has no package lists; {place.system.name}'s own archive has {component.title} "
            f"{own}",
            required,
            evidence,
        )
    return failed(
        f"apt knows no package {', '.join(missing)} for {place.system.name}",
        required,
        evidence,
        remedy(component, place),
    )


def _installable(component: ComponentRow) -> Check:
    @check(
        id=f"packages.{component.id}",
        title=f"{component.title} can be installed, and new enough",
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
            return skipped("unknown for a system that is not supported")
        row, roles, found = asked.system, asked.roles, asked.answer.packages
        program = component.program
        unowned = subject.facts.get(facts.unowned, program) if program else ""
        return judge_component(component, Place(row, roles, subject.now.date(), found, unowned))

    return judge


INSTALLABLE = tuple(_installable(component) for component in components())


def _keeping(component: ComponentRow, path: str) -> str:
    instead = f"  # or have it as a package, from {component.maker}" if component.maker else ""
    return f"{{ssh}} mv {path} {path}.kept{instead}"


def _required(component: ComponentRow) -> str:
    least = f"{component.title} {component.least} or later" if component.least else component.title
    return f"{least}: {component.because}"


def remedy(component: ComponentRow, place: Place) -> str:
    """A look at what apt has, and the ways out: an archive or a system that brings it."""
    ways = []
    own = brought(component, place.system)
    if own is not None and reaches(own, component.least):
        ways.append(
            f"{place.system.name}'s own archive has {component.title} {own}: put its universe or "
            "main component back into /etc/apt/sources.list"
        )
    if component.maker is not None:
        ways.append(f"add {component.maker} to the server's apt")
    ways.append(f"use a server with {_choice(place)} for it")
    names = " ".join(packages_of(component, place.system))
    return f"{{ssh}} apt-cache policy {names}  # {', or '.join(ways)}"


def _choice(place: Place) -> str:
    """The systems that bring all that this server's roles need, the newest first."""
    return " or ".join(row.name for row in reversed(suited(place.roles, place.today)))


CHECKS = checks_of(globals())
