"""The supported systems (R18): which row a host is, what it brings for a role, who can drive it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.tables import ComponentRow, SystemRow, ansible, components, systems
from ucontact_appliance.planning.versions import Numbers, numbers, reaches

_ROLLING = "sid"  # Debian's unstable has no VERSION_ID


def system_row(os_id: str, version: str) -> SystemRow | None:
    """The row of that ID and VERSION_ID (os-release(5)); None when it is not supported."""
    wanted = version or _ROLLING
    return next((row for row in systems() if row.id == os_id and row.version == wanted), None)


def supported_names() -> str:
    """All supported systems, for a message."""
    return ", ".join(row.name for row in systems())


def components_of(roles: Iterable[Role]) -> tuple[ComponentRow, ...]:
    """What these roles take from a server's package archives."""
    wanted = set(roles)
    return tuple(row for row in components() if row.role in wanted)


def packages_of(component: ComponentRow, system: SystemRow) -> tuple[str, ...]:
    """The component's packages, as that system calls them."""
    if component.packages is not None:
        return component.packages
    if component.packages_of == "java_package":
        return (system.java_package,)
    return system.mysql_packages


def packages_asked(system: SystemRow, roles: Iterable[Role]) -> tuple[str, ...]:
    """All packages of these roles' components on that system, each once."""
    names = (name for row in components_of(roles) for name in packages_of(row, system))
    return tuple(dict.fromkeys(names))


def packages_at_once(system: SystemRow, roles: Iterable[Role]) -> tuple[str, ...]:
    """What apt may install in one transaction before any of these roles runs; no service may start.

    A MySQL package that sets up its own database is its role's to install.
    """
    own = {"mysql"} if system.mysql_flavour == "server" else set()
    rows = [row for row in components_of(roles) if row.id not in own]
    names = (name for row in rows for name in (*packages_of(row, system), *row.beside))
    return tuple(dict.fromkeys(names))


def packages_of_phase(phase: str, system: SystemRow) -> tuple[str, ...]:
    """The packages whose programs a phase of an installation configures."""
    rows = (row for row in components() if row.phase == phase)
    return tuple(
        name for row in rows for name in (*packages_of(row, system), *row.beside, *row.if_available)
    )


def optional_packages(roles: Iterable[Role]) -> tuple[str, ...]:
    """What these roles' components also want where the archive has it."""
    return tuple(name for row in components_of(roles) for name in row.if_available)


def brought(component: ComponentRow, system: SystemRow) -> str | None:
    """The version in the system's own archive; None where it has none."""
    version: str | None = getattr(system, component.id)
    return version


def lacking(system: SystemRow, roles: Iterable[Role]) -> tuple[ComponentRow, ...]:
    """What the system's own archive lacks, or has too old, for a server with these roles."""
    return tuple(
        row
        for row in components_of(roles)
        if not reaches(brought(row, system) or "", row.least or "0")
    )


def suited(roles: Iterable[Role], today: date) -> tuple[SystemRow, ...]:
    """Systems that bring all that these roles need, their makers' support not ended by `today`.

    A rolling release is none to advise: what it has today, it may not have tomorrow.
    """
    carried = tuple(roles)
    return tuple(
        row
        for row in systems()
        if row.eol is not None and row.eol >= today and not lacking(row, carried)
    )


def drivable(core: str) -> tuple[str, ...]:
    """The lowest versions of Python, one a major version, that this ansible-core drives."""
    rows = [row for row in ansible() if reaches(core, row.core)]
    return rows[-1].targets if rows else ()


def drives(core: str, python: Numbers) -> bool:
    """Whether this ansible-core's modules run on that version of Python."""
    least = {numbers(target)[0]: numbers(target) for target in drivable(core)}
    return bool(python) and python[0] in least and python >= least[python[0]]
