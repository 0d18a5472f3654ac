"""A small site on a machine, installed by the command line as an installer would."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucontact_appliance.lab.records import Machine


@dataclass(frozen=True)
class Installed:
    """A machine with a small site on it, and the command line that installed it."""

    machine: Machine
    site_file: Path
    environment: dict[str, str]

    def ucontact(self, *words: str, timeout: float = 1200) -> subprocess.CompletedProcess[str]:
        """Run a command on this site."""
        return ucontact(
            *words, "--site", str(self.site_file), env=self.environment, timeout=timeout
        )

    def doctor(self, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """The exit status, and the findings by id."""
        done = self.ucontact("doctor", "--json", *words)
        assert done.stdout, done.stderr
        findings = json.loads(done.stdout)["findings"]
        return done.returncode, {finding["id"]: finding for finding in findings}

    def secret(self, name: str) -> str:
        """One secret of the site."""
        return self.ucontact("secrets", "show", name).stdout.strip()

    def sh(self, script: str) -> str:
        """What a script says on the machine; it must succeed."""
        done = self.machine.ssh([script])
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout


def ucontact(
    *words: str, env: dict[str, str] | None = None, cwd: Path | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ucontact_appliance", *words],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def unchanged_phases(screen: str) -> int:
    """How many phases an installation left out."""
    return screen.count("unchanged")
