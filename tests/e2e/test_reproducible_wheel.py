"""`make wheel` twice, each time with an evaluation release of its own machine: the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from ucontact_appliance.release.build import compile_on, pack_evaluation
from ucontact_appliance.release.evaluation import Compiled, sources_hash
from ucontact_appliance.resources import INSTALLER

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]


@pytest.fixture(scope="module")
def builds(machine_factory: MachineFactory) -> tuple[Compiled, Compiled]:
    """What two fresh machines compiled of these sources."""
    first = compile_on(machine_factory("sid"), print)
    return first, compile_on(machine_factory("sid"), print)


def test_two_machines_compile_the_same(builds: tuple[Compiled, Compiled]) -> None:
    """Told by file: a digest of the whole would not say which one differs."""
    first, second = (digests(compiled) for compiled in builds)
    assert first == second


def test_two_builders_make_the_same_wheel(
    builds: tuple[Compiled, Compiled], tmp_path: Path
) -> None:
    """Each builder signs with a key of its own, which does not reach the wheel."""
    wheels = [
        wheel_of(compiled, tmp_path / name) for compiled, name in zip(builds, "ab", strict=True)
    ]
    assert len({hashlib.sha256(wheel).hexdigest() for wheel in wheels}) == 1


def digests(compiled: Compiled) -> dict[str, str]:
    folders = {**compiled.classes, "softphone": compiled.softphone, "drivers": compiled.drivers}
    return {
        f"{folder}/{name}": hashlib.sha256(content).hexdigest()
        for folder, files in folders.items()
        for name, content in files.items()
    }


def wheel_of(compiled: Compiled, folder: Path) -> bytes:
    """The wheel of a machine whose store has the release of these classes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UCONTACT_VAR", str(folder / "state"))
        pack_evaluation(compiled, sources_hash())
        environment = dict(os.environ)
    command = [sys.executable, str(INSTALLER / "wheel.py"), "--outdir", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compiling" not in done.stdout  # what was stored is what is in it
    return next(folder.glob("*.whl")).read_bytes()
