"""One installer at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ucontact_appliance.engine.lock import install_lock
from ucontact_appliance.errors import UsageError


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
