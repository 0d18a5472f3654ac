"""The supported systems (R18): a host's row, its packages per role, and its Python for Ansible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ucontact_appliance.planning.component import EVERY, Component, on_system
from ucontact_appliance.planning.component_tables import PackageRequirement, package_requirements
from ucontact_appliance.planning.components import components, components_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.tables import SystemRow, ansible, systems
from ucontact_appliance.planning.versions import Numbers, numbers, reaches

_PACKAGES = "packages"
_ROLLING = "sid"  # Debian's unstable has no VERSION_ID


def system_row(os_id: str, version: str) -> SystemRow | None:
    """The row for this ID and VERSION_ID (os-release(5)); None if the system is not supported."""
    wanted = version or _ROLLING
    return next((row for row in systems() if row.id == os_id and row.version == wanted), None)


def supported_names() -> str:
    """The names of all supported systems, for a message."""
    return ", ".join(row.name for row in systems())


def required_of(roles: Iterable[Role]) -> tuple[PackageRequirement, ...]:
    """What these roles require of a server's package archives."""
    wanted = set(roles)
    return tuple(row for row in package_requirements() if row.role in wanted)


def packages_asked(system: SystemRow, roles: Iterable[Role]) -> tuple[str, ...]:
    """All packages that these roles require on this system, each once."""
    names = (name for row in required_of(roles) for name in on_system(row.names, system.name))
    return tuple(dict.fromkeys(names))


def packages_of(one: Component, system: SystemRow) -> tuple[str, ...]:
    """All packages of a component on this system, without those that only some archives have."""
    return on_system(one.packages.names, system.name)


def packages_at_once(system: SystemRow, roles: Iterable[Role]) -> tuple[str, ...]:
    """Packages that apt may install in one transaction before these roles; none starts a service.

    A MySQL package that creates its own database is left to its role.
    """
    carried = tuple(roles)
    later = {name for names in own_packages(system, carried).values() for name in names}
    names = (name for one in components_of(*carried) for name in packages_of(one, system))
    return tuple(dict.fromkeys(name for name in names if name not in later))


def own_packages(system: SystemRow, roles: Iterable[Role]) -> dict[str, tuple[str, ...]]:
    """The packages that each component's own role installs on this system; no empty entries."""
    found = {
        one.name: tuple(
            name for name in packages_of(one, system) if name in one.packages.installed_by_role
        )
        for one in components_of(*roles)
    }
    return {name: names for name, names in found.items() if names}


@dataclass(frozen=True)
class BasePackages:
    """Packages of every server, unless one of the units in `unless` is active."""

    packages: tuple[str, ...]
    unless: tuple[str, ...] = ()


def base_packages(system: SystemRow) -> tuple[BasePackages, ...]:
    """The packages of every server: the unconditional ones, then those that depend on its units."""
    own = [(packages_of(one, system), one.packages.unless) for one in components_of(EVERY)]
    always = sorted(name for names, unless in own if not unless for name in names)
    return (BasePackages(tuple(always)), *(BasePackages(*one) for one in own if one[1]))


def packages_of_phase(phase: str, system: SystemRow) -> tuple[str, ...]:
    """The packages whose programs a phase of an installation configures.

    The phase `packages` has none: it reports its own.
    """
    rows = (one for one in components() if one.phase == phase != _PACKAGES)
    return tuple(
        name for one in rows for name in (*packages_of(one, system), *one.packages.if_available)
    )


def optional_packages(roles: Iterable[Role]) -> tuple[str, ...]:
    """The packages that these roles' components also use if the archive has them."""
    return tuple(name for one in components_of(*roles) for name in one.packages.if_available)


def held_packages(system: SystemRow, roles: Iterable[Role]) -> tuple[str, ...]:
    """The packages that only `ucontact upgrade` replaces: those of the roles' services.

    Tools of every server are not among them: the system's own upgrades interrupt no call by these.
    """
    names = (
        name
        for one in components_of(*roles)
        for name in (*packages_of(one, system), *one.packages.if_available)
        if name not in one.packages.unheld
    )
    return tuple(dict.fromkeys(names))


def brought(row: PackageRequirement, system: SystemRow) -> str | None:
    """The version in the system's own archive; None if it has none."""
    return row.archives[system.name]


def lacking(system: SystemRow, roles: Iterable[Role]) -> tuple[PackageRequirement, ...]:
    """What the system's own archive lacks or has in a too old version, for a server's roles."""
    return tuple(
        row
        for row in required_of(roles)
        if not reaches(brought(row, system) or "", row.least or "0")
    )


def suited(roles: Iterable[Role], today: date) -> tuple[SystemRow, ...]:
    """Systems that have all that these roles need and are still supported on `today`.

    Rolling releases are left out: a package of today may be gone tomorrow.
    """
    carried = tuple(roles)
    return tuple(
        row
        for row in systems()
        if row.eol is not None and row.eol >= today and not lacking(row, carried)
    )


def drivable(core: str) -> tuple[str, ...]:
    """The lowest Python version per major version that this ansible-core supports on servers."""
    rows = [row for row in ansible() if reaches(core, row.core)]
    return rows[-1].targets if rows else ()


def drives(core: str, python: Numbers) -> bool:
    """Whether this ansible-core's modules run on this version of Python."""
    least = {numbers(target)[0]: numbers(target) for target in drivable(core)}
    return bool(python) and python[0] in least and python >= least[python[0]]
