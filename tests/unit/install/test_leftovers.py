"""What killed runs left is swept, and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from ucontact_appliance.install import leftovers
from ucontact_appliance.install.leftovers import sweep_leftovers
from ucontact_appliance.process_identity import begun, own_prefix


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folders that stand for memory and for temporary files."""
    memory, temporary = tmp_path / "run", tmp_path / "tmp"
    memory.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(leftovers, "TMPFS", (memory,))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return memory, temporary


def test_only_the_folders_of_processes_that_are_gone_are_swept(
    places: tuple[Path, Path], dead: int, tmp_path: Path
) -> None:
    memory, temporary = places
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # The second one's number is another process's by now.
    left = [f"{dead}-1-abc", f"{os.getpid()}-1-abc"]
    gone = [
        *(memory / f"ucontact-{name}" for name in left),
        *(temporary / f"uc-{name}" for name in left),
    ]
    kept = [
        memory / f"{own_prefix('ucontact')}abc",
        memory / "ucontact-lab.ip_forward.before",
        memory / "ucontact-a-b-c",
        temporary / f"{own_prefix('uc')}abc",
        temporary / f"uc-{dead}-abc",
    ]
    for folder in (*gone, *kept):
        folder.mkdir()
        (folder / "secrets.json").write_text("{}")
    link = temporary / f"uc-{dead}-2-link"
    link.symlink_to(elsewhere)
    sweep_leftovers()
    assert sorted([*memory.iterdir(), *temporary.iterdir()]) == sorted([*kept, link])
    assert elsewhere.is_dir()
    sweep_leftovers()  # nothing to do, and nothing to complain of


def test_the_connections_of_a_killed_run_are_ended(
    places: tuple[Path, Path], dead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, temporary = places
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=":")
    folder = temporary / f"uc-{dead}-1-a"
    folder.mkdir()
    monkeypatch.chdir(folder)  # the path of a socket may have 108 bytes at the most
    with socket.socket(socket.AF_UNIX) as master:
        master.bind("master")
        sweep_leftovers()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [f'-o ControlPath="{folder}/master" -O exit any']
    assert not folder.exists()


def test_a_process_is_known_by_number_and_start(dead: int) -> None:
    assert begun(dead) is None
    own = begun(os.getpid())
    assert own is not None
    assert own_prefix("uc") == f"uc-{os.getpid()}-{own}-"
