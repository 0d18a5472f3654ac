from __future__ import annotations

from pathlib import Path

import pytest

from ucontact_appliance.state import StatePaths


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    return StatePaths(etc=tmp_path / "etc", var=tmp_path / "var")
