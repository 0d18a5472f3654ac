"""The Vagrantfile as Vagrant itself reads it: the same machines as the lab's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ucontact_appliance.planning.model import Size
from ucontact_appliance.planning.rehearsal import machine_names
from ucontact_appliance.resources import load_data

pytestmark = pytest.mark.machine

_HERE = Path(__file__).parents[2]


def vagrant(
    folder: Path, size: str, *words: str, provider: str = "libvirt"
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "SIZE": size,
        "VAGRANT_CWD": str(_HERE),
        "VAGRANT_HOME": str(folder / "home"),
        "VAGRANT_DOTFILE_PATH": str(folder / "state"),
        "VAGRANT_DEFAULT_PROVIDER": provider,
        "VAGRANT_CHECKPOINT_DISABLE": "1",
    }
    return subprocess.run(
        ["vagrant", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("size", [size.value for size in Size])
def test_vagrant_takes_the_file_for_each_size(tmp_path: Path, size: str) -> None:
    done = vagrant(tmp_path, size, "validate")
    assert done.returncode == 0, done.stdout + done.stderr
    # Without VirtualBox at hand Vagrant checks everything but the provider itself.
    done = vagrant(tmp_path, size, "validate", "--ignore-provider", provider="virtualbox")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("size", list(Size))
def test_its_machines_are_the_labs(tmp_path: Path, size: Size) -> None:
    done = vagrant(tmp_path, size.value, "status", "--machine-readable")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert tuple(row[1] for row in rows if row[2:4] == ["provider-name", "libvirt"]) == (
        machine_names(size)
    )


def test_another_size_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    done = vagrant(tmp_path, "huge", "validate")
    assert done.returncode != 0
    assert "SIZE=huge: there is small, medium, big" in done.stderr + done.stdout


def test_every_size_has_its_machines_in_the_table() -> None:
    assert set(load_data("rehearsal")["vagrant"]["machines"]) == {size.value for size in Size}
