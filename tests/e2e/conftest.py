"""Machines for the tests: made on demand, thrown away at the end whatever happened."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.installed import Installed
from ucontact_appliance.lab import layout, machines
from ucontact_appliance.lab.machines import Machine, Spec
from ucontact_appliance.state import var_root

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
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """One small site, installed once for all the tests that look at it."""
    for make in _factory():
        machine = make("sid")
        folder = tmp_path_factory.mktemp("site")
        site_file = folder / "site.yml"
        site_file.write_text(
            f"site: {machine.name}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
            f"  - {{name: {machine.name}, address: {machine.address}, key: {layout.ssh_key()}}}\n"
        )
        site = Installed(machine, site_file, {**os.environ, "UCONTACT_ETC": str(folder / "etc")})
        try:
            done = site.ucontact("install", "--yes")
            assert done.returncode == 0, done.stderr[-4000:]
            yield site
        finally:
            shutil.rmtree(var_root() / machine.name, ignore_errors=True)


def _factory() -> Iterator[MachineFactory]:
    made: list[str] = []

    def make(
        suite: str = "sid", ubuntu: str | None = None, layers: tuple[str, ...] = ()
    ) -> Machine:
        name = f"t-{uuid.uuid4().hex[:8]}"
        made.append(name)
        return machines.up(Spec(name, suite, ubuntu, layers), lambda text: None)

    try:
        yield make
    finally:
        left = {machine.name for machine in machines.listed()} & set(made)
        if left:
            machines.down(sorted(left), lambda text: None)
    assert not {machine.name for machine in machines.listed()} & set(made)
