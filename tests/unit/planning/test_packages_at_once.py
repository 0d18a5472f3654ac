"""What apt installs in one transaction is all that the roles need."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import packages_asked, packages_at_once
from ucontact_appliance.planning.tables import SystemRow, systems


def _row(name: str) -> SystemRow:
    return next(row for row in systems() if row.name == name)


@pytest.mark.parametrize("roles", [[Role.TELEPHONY], [Role.BACKEND], list(Role)])
def test_every_component_is_among_them(roles: Iterable[Role]) -> None:
    row = _row("Debian sid")
    at_once = packages_at_once(row, roles)
    assert set(packages_asked(row, roles)) <= set(at_once)
    assert len(at_once) == len(set(at_once))


def test_a_package_that_makes_its_own_database_is_its_roles() -> None:
    assert "mysql-server-5.7" not in packages_at_once(_row("Ubuntu 18.04"), Role)
    assert "mysql-server-core" in packages_at_once(_row("Debian sid"), Role)
