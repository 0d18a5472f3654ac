"""Decide which data must follow its role when a site's roles change servers; moving/ does it.

A growing site (R12) gives roles to other servers: the database moves from the only server of a
small site to the second one of a medium site, and from there to the third one of a big site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ucontact_appliance.planning.model import Plan, Role
from ucontact_appliance.site.model import Host, Site


@dataclass(frozen=True)
class DataLocation:
    """Where a role's data is: the host as site.yml named it, and the server's machine-id(5)."""

    host: Host
    machine: str


@dataclass(frozen=True)
class DataMove:
    """A role's data must move from `source`, which site.yml may no longer name, to `target`.

    `machine` is the machine-id(5) that the source must still have.
    """

    role: Role
    source: Host
    machine: str
    target: Host


def carrier(site: Site, plan: Plan, role: Role) -> Host:
    """The site's host that carries the role."""
    name = plan.carriers(role)[0].name
    return next(host for host in site.hosts if host.name == name)


def moves_for(
    site: Site, plan: Plan, places: Mapping[Role, DataLocation], machines: Mapping[str, str]
) -> tuple[DataMove, ...]:
    """The moves that the plan requires, in the order of `Role`.

    `places` is where the data is now, `machines` the machine-id of each of the site's hosts by
    name. A server under a new name or address is the same server. A server that was reinstalled
    has none of the old data. A role that was never installed does not move.
    """
    wanted = {role: carrier(site, plan, role) for role in Role}
    return tuple(
        DataMove(role, places[role].host, places[role].machine, wanted[role])
        for role in Role
        if role in places
        and places[role].machine != machines[wanted[role].name]
        and places[role].host.address != wanted[role].address
    )
