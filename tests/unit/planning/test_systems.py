from datetime import date

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.packages import parse_answer
from ucontact_appliance.planning.component import on_system
from ucontact_appliance.planning.component_tables import PackageRequirement, package_requirements
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import (
    brought,
    drivable,
    drives,
    lacking,
    packages_asked,
    required_of,
    suited,
    system_row,
)
from ucontact_appliance.planning.tables import SystemRow, ansible, old_targets, systems
from ucontact_appliance.planning.versions import numbers
from ucontact_appliance.resources import ROOT

_DOCS = ROOT / "docs"
_TODAY = date(2026, 11, 23)


def row(name: str) -> SystemRow:
    return next(row for row in systems() if row.name == name)


def component(name: str) -> PackageRequirement:
    return next(row for row in package_requirements() if row.id == name)


@pytest.mark.parametrize(
    ("name", "role", "lacks"),
    [
        ("Ubuntu 16.04", Role.BACKEND, ["nginx"]),
        ("Ubuntu 16.04", Role.TELEPHONY, ["asterisk", "odbc"]),
        ("Ubuntu 16.04", Role.DATABASE, []),
        ("Ubuntu 18.04", Role.BACKEND, ["nginx"]),
        ("Ubuntu 18.04", Role.TELEPHONY, ["odbc"]),
        ("Ubuntu 20.04", Role.TELEPHONY, []),
        ("Debian 11", Role.TELEPHONY, []),
        ("Debian 11", Role.BACKEND, ["java"]),
        ("Debian 11", Role.DATABASE, ["mysql"]),
        ("Debian 12", Role.TELEPHONY, ["asterisk"]),
        ("Debian 13", Role.TELEPHONY, ["asterisk"]),
    ],
)
def test_what_a_system_lacks_for_a_role(name: str, role: Role, lacks: list[str]) -> None:
    assert [found.id for found in lacking(row(name), [role])] == lacks


@pytest.mark.parametrize("name", ["Ubuntu 20.04", "Ubuntu 22.04", "Ubuntu 24.04", "Debian sid"])
def test_these_carry_every_role(name: str) -> None:
    assert lacking(row(name), Role) == ()


def test_nobody_is_sent_to_a_system_past_its_support() -> None:
    assert [found.name for found in suited(Role, _TODAY)] == ["Ubuntu 22.04", "Ubuntu 24.04"]
    assert "Ubuntu 20.04" in [found.name for found in suited(Role, date(2025, 1, 1))]


def test_each_role_takes_something_from_the_archives() -> None:
    assert {found.role for found in package_requirements()} == set(Role)
    assert [found.id for found in required_of([Role.DATABASE])] == ["mysql"]


@pytest.mark.parametrize("found", systems(), ids=lambda found: found.name)
def test_rows_hold_together(found: SystemRow) -> None:
    asked = packages_asked(found, Role)
    for part in package_requirements():
        assert set(on_system(part.names, found.name)) <= set(asked)
        assert brought(part, found) is None or numbers(brought(part, found) or "")
    assert len(asked) == len(set(asked))
    # The interpreter is one that some ansible-core of the appliance drives.
    assert any(drives(core.core, numbers(found.python_version)) for core in ansible())
    assert system_row(found.id, "" if found.version == "sid" else found.version) == found


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        ("bullseye", "Debian 11"),
        ("bookworm", "Debian 12"),
        ("trixie", "Debian 13"),
        ("sid", "Debian sid"),
    ],
)
def test_debians_rows_say_what_its_archives_have(suite: str, name: str) -> None:
    _, known = parse_answer(recorded(f"packages-{suite}"))
    system = row(name)
    for part in package_requirements():
        found = known[on_system(part.names, system.name)[0]].version
        told = brought(part, system)
        assert numbers(found)[: len(numbers(told or ""))] == numbers(told or ""), part.id
        assert bool(found) is bool(told), part.id


# The lowest versions as each release of ansible-core itself has them, in module_utils/basic.py.
@pytest.mark.parametrize(
    ("core", "python", "driven"),
    [
        ("2.16.19", (2, 7), True),
        ("2.16.19", (3, 5), False),
        ("2.16.19", (3, 6), True),
        ("2.16.19", (3, 14), True),
        ("2.17.0", (2, 7), False),
        ("2.17.0", (3, 7), True),
        ("2.18.0", (3, 7), False),
        ("2.19.14", (3, 8), True),
        ("2.20.0", (3, 8), False),
        ("2.21.4", (3, 9), True),
        ("2.30", (3, 9), True),
        ("2.15.0", (3, 9), False),
        ("2.21.4", (), False),
    ],
)
def test_which_ansible_drives_which_python(
    core: str, python: tuple[int, ...], driven: bool
) -> None:
    assert drives(core, python) is driven


def test_the_widest_ansible_drives_every_supported_system() -> None:
    for found in systems():
        assert drives(old_targets().core, numbers(found.python_version)), found.name
    assert drivable("2.21.4") == ("3.9",)


def test_the_package_asks_for_the_ansible_that_the_table_says() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    core, last = old_targets().core, old_targets().controller[-1]
    major, minor = map(int, last.split("."))
    assert f"\"ansible-core>={core}.14,<2.17; python_version < '{major}.{minor + 1}'\"" in project


@pytest.mark.parametrize("found", systems(), ids=lambda found: found.name)
def test_the_documents_table_is_this_one(found: SystemRow) -> None:
    text = (_DOCS / "architecture.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {found.name} |")]
    _, _, python, telephony, backend, database, _, _ = line.split("|")
    assert python.split()[0] == found.python_version
    for cell, role in (
        (telephony, Role.TELEPHONY),
        (backend, Role.BACKEND),
        (database, Role.DATABASE),
    ):
        assert cell.strip().startswith("no: ") is bool(lacking(found, [role]))
    carried = {"asterisk": telephony, "nginx": backend, "mysql": database}
    for name, cell in carried.items():
        version = brought(component(name), found)
        assert version is None or version in cell or "no: no " in cell
