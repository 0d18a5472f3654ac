"""The catalogue holds together: what prowler's duplicate ids taught."""

import re
from collections import Counter
from graphlib import TopologicalSorter

import pytest

from ucontact_appliance.checks.model import Check, Stage
from ucontact_appliance.checks.registry import CHECKS, REACHABLE
from ucontact_appliance.planning.tables import ports

_KNOWN = {check.id: check for check in CHECKS}
# SPEC.md: R01 to R25 and C01 to C07
_REQUIREMENTS = {f"R{n:02}" for n in range(1, 26)} | {f"C{n:02}" for n in range(1, 8)}
_PLACEHOLDERS = {"{ssh}", "{install}", "{site}", "{address}"}

each = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)


def test_ids_are_unique() -> None:
    assert [
        name for name, count in Counter(check.id for check in CHECKS).items() if count > 1
    ] == []


def test_there_are_enough() -> None:
    assert sum(Stage.DOCTOR in check.stages for check in CHECKS) >= 30
    assert sum(Stage.PREFLIGHT in check.stages for check in CHECKS) >= 10


@each
def test_a_check_is_complete(check: Check) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_-]+)+", check.id)
    assert check.title.strip()
    assert not check.title.endswith(".")
    assert check.requirements
    assert set(check.requirements) <= _REQUIREMENTS
    assert check.remedy.strip()
    assert set(re.findall(r"\{(?:ssh|install|site|address)\w*\}", check.remedy)) <= _PLACEHOLDERS
    assert check.stages
    assert 1 <= check.timeout <= 120


@each
def test_needs_exist_and_run_when_their_dependants_do(check: Check) -> None:
    for need in check.needs:
        assert need in _KNOWN, f"{check.id} needs {need}"
        allowed = _KNOWN[need].stages | (
            {Stage.DEEP} if Stage.DOCTOR in _KNOWN[need].stages else set()
        )
        assert check.stages <= allowed, f"{check.id} runs without {need}"


def test_needs_form_no_circle() -> None:
    tuple(TopologicalSorter({check.id: set(check.needs) for check in CHECKS}).static_order())


def test_reaching_the_host_is_part_of_every_stage() -> None:
    assert _KNOWN[REACHABLE].stages == frozenset(Stage)


def test_every_port_of_the_registry_that_has_a_listener_has_a_check() -> None:
    ranges = {row.id for row in ports() if isinstance(row.port, str) and row.id != "ssh"}
    assert {f"ports.{row.id}" for row in ports() if row.id not in ranges} <= set(_KNOWN)
