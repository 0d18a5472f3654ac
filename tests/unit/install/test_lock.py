"""One installer at a time."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ucontact_appliance.errors import UsageError
from ucontact_appliance.install import lock
from ucontact_appliance.install.lock import install_lock


def test_a_second_installer_is_told_who_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "var" / "install.lock"
    with (
        install_lock(path),
        pytest.raises(UsageError, match="another ucontact install") as caught,
        install_lock(path),
    ):
        pass
    assert f"process {os.getpid()}" in caught.value.evidence


def test_the_lock_is_free_after_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "install.lock"
    for _ in range(2):
        with install_lock(path):
            assert path.exists()


def test_what_a_killed_holder_started_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "install.lock"
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    with install_lock(path) as held:
        path.write_text(json.dumps({"pid": dead.pid, "since": "2026-10-05T10:00:00+00:00"}))
        # As a playbook's process does: the lock is its own too, until it ends.
        left = subprocess.Popen(["sleep", "1"], pass_fds=(held,))
    assert left.poll() is None
    with install_lock(path):
        assert left.poll() is not None or left.wait(timeout=1) == 0
    monkeypatch.setattr(lock, "_ENDING_SECONDS", 0.2)
    with install_lock(path) as held:
        path.write_text(json.dumps({"pid": dead.pid, "since": "2026-10-05T10:00:00+00:00"}))
        left = subprocess.Popen(["sleep", "600"], pass_fds=(held,))
    try:
        with (
            pytest.raises(UsageError, match="another ucontact install") as caught,
            install_lock(path),
        ):
            pass
        assert f"process {dead.pid}" in caught.value.evidence
        assert "was killed; processes that it started are still running" in caught.value.evidence
        assert caught.value.helps.startswith(f"kill {left.pid} ")
    finally:
        left.kill()
        left.wait()
