"""Tables derived from the components: ports, files, units, packages, phases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter

from ucontact_appliance.planning.component import (
    EVERY,
    LOOPBACK,
    Component,
    Data,
    ForeignDefinition,
    PackagePreflight,
    Playbook,
    Port,
    RoleName,
)
from ucontact_appliance.planning.components import ComponentError, components, components_of
from ucontact_appliance.planning.model import PlannedHost, Role


class PortRow(Port):
    """A port with its component's role, and the service that listens on it.

    One of `processes` holds it (none for a range), and `unit` starts that process. The checks in
    `needs` test whether the service runs and opened the port.
    """

    role: RoleName
    processes: tuple[str, ...] = ()
    unit: str = ""
    needs: tuple[str, ...] = ()


class ForeignRow(ForeignDefinition):
    """An existing installation of a component by somebody else, with its name and role."""

    id: str
    title: str
    role: Role


class PackageRequirement(PackagePreflight):
    """What preflight requires of apt for a component, with its name, role and requirements."""

    id: str
    title: str
    role: Role
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class PhaseRow:
    """A phase with a playbook, on the hosts of `role` (None: all), and the data that it manages."""

    id: str
    role: Role | None
    playbook: Playbook
    data: Data | None


@cache
def ports() -> tuple[PortRow, ...]:
    """The port registry: the widest audience first, then by role, then by component."""
    rows = [_port_row(one, port) for one in components() for port in one.ports]
    return tuple(sorted(rows, key=lambda row: (_audience(row), row.role != EVERY, row.role)))


def registered_port(port_id: str) -> int:
    """The port number of a registry row that is a single port."""
    return int(next(row.port for row in ports() if row.id == port_id))


def _port_row(one: Component, port: Port) -> PortRow:
    known = {**port.model_dump(by_alias=True), "role": one.role}
    if one.listener is not None and not port.is_range:
        known |= {
            "processes": one.listener.processes,
            "unit": one.listener.unit,
            "needs": tuple(filter(None, (one.listener.check, port.opened_by))),
        }
    return PortRow.model_validate(known)


def _audience(port: Port) -> int:
    return 2 if LOOPBACK in port.sources else 1 if port.sources == ("site",) else 0


def managed_paths(host: PlannedHost) -> tuple[str, ...]:
    """The files that the host's roles write whole, sorted by role."""
    groups = _groups(host)
    return tuple(path for group in groups for path in sorted(p for c in group for p in c.managed))


def changed_paths(host: PlannedHost) -> tuple[str, ...]:
    """The files that the host's roles change but do not write whole, sorted by role."""
    groups = _groups(host)
    return tuple(path for group in groups for path in sorted(p for c in group for p in c.originals))


def unit_accounts(host: PlannedHost) -> dict[str, str]:
    """The units of the host's roles, sorted by role, each with the account to run as."""
    units = (sorted(u for c in group for u in c.units.items()) for group in _groups(host))
    return dict(unit for group in units for unit in group)


def _groups(host: PlannedHost) -> tuple[tuple[Component, ...], ...]:
    """The host's components, grouped: those of every host, then one group per role."""
    roles: tuple[RoleName, ...] = (EVERY, *host.roles)
    return tuple(components_of(role) for role in roles)


def state_of_phase(phase: str) -> tuple[str, ...]:
    """What a phase manages in addition to what the appliance's own modules report."""
    return tuple(item for one in components() if one.phase == phase for item in one.state)


@cache
def phases() -> dict[str, PhaseRow]:
    """The phases with a playbook, by id: by depth in the dependency graph, then by component order.

    Raises ComponentError if the dependencies have a cycle.
    """
    rows = {
        one.phase: PhaseRow(
            one.phase, one.role if isinstance(one.role, Role) else None, one.playbook, one.data
        )
        for one in components()
        if one.phase and one.playbook
    }
    sorter = TopologicalSorter({row.id: row.playbook.after for row in rows.values()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise ComponentError("*", f"playbook.after: a circle: {' '.join(error.args[1])}") from error
    ordered: dict[str, PhaseRow] = {}
    while sorter.is_active():
        ready = set(sorter.get_ready())
        ordered |= {name: row for name, row in rows.items() if name in ready}
        sorter.done(*ready)
    return ordered


@cache
def foreign() -> tuple[ForeignRow, ...]:
    """The components of which somebody else may have an installation."""
    return tuple(
        ForeignRow.model_validate({**one.foreign.model_dump(), **_head(one)})
        for one in components()
        if one.foreign
    )


@cache
def package_requirements() -> tuple[PackageRequirement, ...]:
    """What preflight requires of the servers' package archives."""
    return tuple(
        PackageRequirement.model_validate(
            {
                **one.packages.preflight.model_dump(),
                "names": one.packages.preflight.names or one.packages.names,
                "requirements": one.requirements,
                **_head(one),
            }
        )
        for one in components()
        if one.packages.preflight
    )


def replaced_packages() -> frozenset[str]:
    """The packages that ours may replace."""
    return frozenset(name for one in components() for name in one.packages.replaces)


def _head(one: Component) -> dict[str, object]:
    return {"id": one.name, "title": one.title, "role": one.role}
