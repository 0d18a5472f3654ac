"""Machines for the tests: made on demand, thrown away at the end whatever happened."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.installed import Installed
from tests.e2e.packages import packages_layer
from tests.faults.snapshot import Snapshot, snapshot
from tests.shared_sites import has_second_site
from ucontact_appliance.lab import machines
from ucontact_appliance.lab.records import Machine, MachineSpec

MachineFactory = Callable[..., Machine]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root no machine can be booted: the tests say so, and the run claims nothing."""
    for item in items:
        if item.get_closest_marker("machine") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="not run: rehearsal machines need root"))


@pytest.fixture(scope="module")
def machine_factory() -> Iterator[MachineFactory]:
    """`machine_factory(suite="sid", ubuntu=None, layers=())` gives a fresh running machine."""
    yield from _factory()


@pytest.fixture(scope="session")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """One small site, installed once for all the tests that look at it or spoil it.

    A worker has either the first of a run, installed from nothing, or the second.
    """
    test = os.environ["PYTEST_CURRENT_TEST"].partition("::")[0]
    layers = packages_layer() if has_second_site(test) else ()
    folder = tmp_path_factory.mktemp("site")
    with snapshot(f"t-{uuid.uuid4().hex[:8]}", folder, layers=layers) as made:
        yield made


@pytest.fixture(scope="session")
def installed(small_site: Snapshot) -> Installed:
    """That site, its server started anew since it was installed."""
    small_site.restore()
    return Installed(small_site.machine, small_site.site_file, small_site.environment)


def _factory() -> Iterator[MachineFactory]:
    made: list[str] = []

    def make(
        suite: str = "sid", ubuntu: str | None = None, layers: tuple[str, ...] = ()
    ) -> Machine:
        name = f"t-{uuid.uuid4().hex[:8]}"
        made.append(name)
        return machines.up(MachineSpec(name, suite, ubuntu, layers), lambda text: None)

    try:
        yield make
    finally:
        left = {machine.name for machine in machines.listed()} & set(made)
        if left:
            machines.down(sorted(left), lambda text: None)
    assert not {machine.name for machine in machines.listed()} & set(made)
