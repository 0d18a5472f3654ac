"""The query to a host's apt that all package checks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ucontact_appliance.checks.model import Subject
from ucontact_appliance.facts import host
from ucontact_appliance.facts.packages import Apt, PackageSet, apt
from ucontact_appliance.planning.components import components_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import (
    base_packages,
    packages_asked,
    packages_of,
    system_row,
)
from ucontact_appliance.planning.tables import SystemRow

BASE: Literal["packages"] = "packages"


@dataclass(frozen=True)
class AptQuery:
    """A host's system and roles, and apt's answer; `owners` has the check of each package set."""

    system: SystemRow
    roles: tuple[Role, ...]
    owners: tuple[str, ...]
    answer: Apt

    def removed(self, owner: str) -> tuple[str, ...]:
        """Return the packages that apt would remove for that check's sets, without duplicates."""
        sets = zip(self.owners, self.answer.removals.removed, strict=True)
        return tuple(dict.fromkeys(name for one, names in sets if one == owner for name in names))


def ask_apt(subject: Subject) -> AptQuery | None:
    """Query apt on the subject's host, once for all checks; None for an unsupported system."""
    system = subject.facts.get(host.system)
    row = system_row(system.os_id, system.os_version)
    if row is None:
        return None
    roles = subject.plan.host(subject.host.name).roles
    sets = _sets(row, roles)
    owners = tuple(owner for owner, group in sets.items() for _ in group)
    wanted = tuple(one for group in sets.values() for one in group)
    return AptQuery(row, roles, owners, subject.facts.get(apt, packages_asked(row, roles), wanted))


def _sets(system: SystemRow, roles: Sequence[Role]) -> Mapping[str, tuple[PackageSet, ...]]:
    """Return the packages that the roles need, by the name of the check that judges them."""
    base = [PackageSet(row.packages, row.unless) for row in base_packages(system)]
    taken_over: dict[str, list[str]] = {}
    for one in components_of(*roles):
        names = packages_of(one, system)
        if one.taken_over_as:
            taken_over.setdefault(one.taken_over_as, []).extend(names)
        elif names:
            base.append(PackageSet(names))
    return {BASE: tuple(base)} | {
        name: (PackageSet(tuple(names)),) for name, names in taken_over.items()
    }
