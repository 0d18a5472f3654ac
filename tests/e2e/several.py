"""A site on several machines, installed and asked by the command line as an installer would."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.installed import ucontact
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import var_root

FQDN = "demo.ucontact.test"


@dataclass(frozen=True)
class Several:
    """The site's name, the folder of its file and secrets, and its machines by role or number."""

    name: str
    folder: Path

    @property
    def site_file(self) -> Path:
        """site.yml."""
        return self.folder / "site.yml"

    @property
    def state(self) -> Path:
        """What runs leave of this site."""
        return var_root() / self.name

    @property
    def plan(self) -> Plan:
        """The plan that the newest install executed."""
        return Plan.model_validate_json((self.state / "plan.json").read_text())

    def write(self, agents: int, machines: Sequence[Machine], **more: Any) -> None:
        """site.yml for so many agents on these machines."""
        document = {
            "site": self.name,
            "fqdn": FQDN,
            "agents": agents,
            "hosts": [
                {"name": machine.name, "address": machine.address, "key": str(layout.ssh_key())}
                for machine in machines
            ],
            # A larger site keeps more recordings than a rehearsal's disk holds.
            "recordings": {"retention_days": 1},
            **more,
        }
        self.site_file.write_text(yaml.safe_dump(document, sort_keys=False))
        load_site(self.site_file)

    def ucontact(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on this site."""
        environment = {**os.environ, "UCONTACT_ETC": str(self.folder / "etc")}
        return ucontact(
            *words, "--site", str(self.site_file), env=environment, cwd=None, timeout=1800
        )

    def install(self) -> subprocess.CompletedProcess[str]:
        """Install; it must succeed."""
        done = self.ucontact("install", "--yes")
        assert done.returncode == 0, done.stderr[-6000:]
        return done

    def wrong(self, *words: str) -> dict[str, dict[str, Any]]:
        """What doctor does not pass, by `host:id`, without what can't be seen from here."""
        done = self.ucontact("doctor", "--json", *words)
        assert done.stdout, done.stderr
        return {
            f"{found['host']}:{found['id']}": found
            for found in json.loads(done.stdout)["findings"]
            if found["verdict"] not in ("pass", "skip")
        }

    def secrets(self) -> dict[str, str]:
        """Every secret of the site by its name."""
        names = self.ucontact("secrets", "list").stdout.split()
        return {name: self.ucontact("secrets", "show", name).stdout.strip() for name in names}


def sh(machine: Machine, script: str) -> str:
    """What a script says on the machine; it must succeed."""
    done = machine.ssh([script])
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    return done.stdout


def told(findings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Findings in a few words, for a failed assertion to show."""
    return {key: f"{found['verdict']}: {found['observed']}" for key, found in findings.items()}
