"""Machines for the tests: made on demand, thrown away at the end whatever happened."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from ucontact_appliance.lab import machines
from ucontact_appliance.lab.machines import Machine, Spec

MachineFactory = Callable[..., Machine]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root no machine can be booted: the tests say so, and the run claims nothing."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("machine"):
            item.add_marker(pytest.mark.skip(reason="not run: rehearsal machines need root"))


@pytest.fixture(scope="module")
def machine_factory() -> Iterator[MachineFactory]:
    """`machine_factory(suite="sid", ubuntu=None, layers=())` gives a fresh running machine."""
    made: list[str] = []

    def make(
        suite: str = "sid", ubuntu: str | None = None, layers: tuple[str, ...] = ()
    ) -> Machine:
        name = f"t-{uuid.uuid4().hex[:8]}"
        machine = machines.up(Spec(name, suite, ubuntu, layers), lambda text: None)
        made.append(name)
        return machine

    yield make
    left = {machine.name for machine in machines.listed()} & set(made)
    if left:
        machines.down(sorted(left), lambda text: None)
    assert not {machine.name for machine in machines.listed()} & set(made)
