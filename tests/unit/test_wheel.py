"""An installed wheel works as well as a checkout: everything travels in it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ucontact_appliance.checks.appliance import PARTS
from ucontact_appliance.resources import INSTALLER, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(target)
    return target


def run(unpacked: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_finds_its_own_parts(unpacked: Path) -> None:
    code = f"from ucontact_appliance.facts.distribution import *; print(missing_parts({PARTS!r}))"
    assert run(unpacked, code) == "()"


def test_it_runs_from_its_own_files(unpacked: Path) -> None:
    root = run(unpacked, "from ucontact_appliance.resources import INSTALLER, ROOT; print(ROOT)")
    assert root == str(unpacked / "ucontact_appliance" / "_bundle")


def test_it_carries_every_file_of_the_checkouts_trees(unpacked: Path) -> None:
    bundle = unpacked / "ucontact_appliance" / "_bundle"
    listed = subprocess.run(
        ["git", "ls-files", "installer", "roles", "templates", "inventory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert listed
    assert [name for name in listed if not (bundle / name).is_file()] == []


def test_it_carries_the_doctors_schema(unpacked: Path) -> None:
    schema = unpacked / "ucontact_appliance" / "_bundle" / "schemas" / "doctor.schema.json"
    assert schema.read_bytes() == (ROOT / "docs" / "schemas" / "doctor.schema.json").read_bytes()


def test_it_carries_no_build_leftovers(unpacked: Path) -> None:
    assert not list(unpacked.rglob("node_modules"))
    assert not list(unpacked.rglob("__pycache__"))


def test_programs_are_programs_in_it_too(wheel: Path) -> None:
    programs = {path.name for path in INSTALLER.iterdir() if os.access(path, os.X_OK)}
    programs -= {path.name for path in INSTALLER.iterdir() if path.is_dir()}
    assert "bounded-ssh" in programs
    with zipfile.ZipFile(wheel) as packed:
        for entry in packed.infolist():
            parent, _, name = entry.filename.rpartition("/")
            if parent.endswith("_bundle/installer") and name in programs:
                programs.discard(name)
                assert entry.external_attr >> 16 & stat.S_IXUSR, name
    assert programs == set()
