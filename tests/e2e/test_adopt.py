"""A lost installing machine: another one continues the site, with the recovery key alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.installed import Installed
from tests.faults.snapshot import Snapshot
from ucontact_appliance.facts.recovery import SEALED
from ucontact_appliance.lab import layout
from ucontact_appliance.site.recovery_key import generate_recovery_key
from ucontact_appliance.state import StatePaths

pytestmark = pytest.mark.machine


def elsewhere(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on a machine that has no state of the site."""
    return subprocess.run(
        [sys.executable, "-m", "ucontact_appliance", *words],
        env={
            **os.environ,
            "UCONTACT_ETC": str(folder / "etc"),
            "UCONTACT_VAR": str(folder / "var"),
        },
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_another_machine_continues_the_site(
    installed: Installed, small_site: Snapshot, tmp_path: Path
) -> None:
    small_site.restore()  # other files may have left it in pieces
    found = installed.ucontact("recovery", "show")
    assert found.returncode == 0, found.stderr
    address = small_site.machine.address
    login = (address, "--key", str(layout.ssh_key()))

    wrong = elsewhere(tmp_path, "adopt", *login, typed=generate_recovery_key().text)
    assert wrong.returncode == 2, wrong.stderr
    assert "does not open the sealed state" in wrong.stderr
    assert list(tmp_path.iterdir()) == []

    done = elsewhere(tmp_path, "adopt", *login, typed=found.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a real call among them" in done.stdout
    assert found.stdout.strip() not in done.stdout + done.stderr
    name = small_site.machine.name
    new = StatePaths(tmp_path / "etc" / name, tmp_path / "var" / name)
    for old_path, new_path in (
        (small_site.paths.secrets, new.secrets),
        (small_site.paths.pki / "ca.key", new.pki / "ca.key"),
        (small_site.paths.chain, new.chain),
        (small_site.paths.runs, new.runs),  # without it the servers would refuse an installation
        (small_site.paths.recovery_key, new.recovery_key),
    ):
        assert new_path.read_bytes() == old_path.read_bytes()
        assert new_path.stat().st_mode & 0o777 == 0o600

    secret = small_site.paths.secrets.read_text().split()[-1]
    assert small_site.there(f"grep -qaF {secret} {SEALED}").returncode == 1
