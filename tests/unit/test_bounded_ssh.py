"""The ssh that Ansible runs: as ssh, but for answers without an end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ucontact_appliance.resources import INSTALLER

PROGRAM = INSTALLER / "bounded-ssh"


@pytest.fixture
def as_ssh(tmp_path: Path) -> dict[str, str]:
    """An environment whose ssh runs its last word by a shell."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def run(
    environment: dict[str, str], script: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    words = [PROGRAM, "-o", "Some=thing", "host", script]
    return subprocess.run(
        words, env=environment, input=stdin, capture_output=True, check=False, timeout=60
    )


@pytest.mark.parametrize("status", [0, 3, 255])
def test_it_passes_everything_on(as_ssh: dict[str, str], status: int) -> None:
    done = run(as_ssh, f"cat; echo said >&2; exit {status}", b"sent\0\xff")
    assert (done.returncode, done.stdout, done.stderr) == (status, b"sent\0\xff", b"said\n")


def test_an_answer_that_is_long_is_whole(as_ssh: dict[str, str]) -> None:
    done = run(as_ssh, "cat", b"x" * (1 << 22))
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 1 << 22, b"")


def test_an_answer_without_an_end_is_cut_and_told(as_ssh: dict[str, str]) -> None:
    done = run(as_ssh, "exec cat /dev/zero")
    assert (done.returncode, len(done.stdout)) == (141, 1 << 22)
    assert b"longer than 4 MiB" in done.stderr
    done = run(as_ssh, "exec cat /dev/zero >&2")
    assert done.returncode == 141
    assert len(done.stderr) < (1 << 20) + 100
