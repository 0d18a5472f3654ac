"""Applying roles to machines, by the very process and inventory that an installation uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ucontact_appliance.install.ansible import PlayResult, run_playbook
from ucontact_appliance.install.events import nobody
from ucontact_appliance.install.launcher import Launcher
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.resources import ROLES

SSH_ARGUMENTS = (
    f"-i {layout.ssh_key()} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no "
    "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
)
# All that the role telephony requires but the extensions. Nobody listens at the database's address:
# Asterisk has to do without it.
TELEPHONY_SECRETS = {
    "telephony_ami_secret": "some-ami-secret",
    "telephony_ami_recording_secret": "some-other-secret",
    "telephony_ami_backend_secret": "some-backend-secret",
    "telephony_playback_secret": "some-third-secret",
    "telephony_database_password": "some-password",
}


@dataclass(frozen=True)
class Applied:
    """A finished play: how many tasks changed something, their names, and the whole output."""

    result: PlayResult
    output: str

    @property
    def changed(self) -> int:
        """Changed tasks over all hosts."""
        return self.result.changed

    @property
    def changed_names(self) -> list[str]:
        """Which tasks changed something."""
        return [task.task for task in self.result.changed_tasks]


def inventory(
    machines: Mapping[str, Machine], groups: Mapping[str, list[str]], **variables: Any
) -> dict[str, Any]:
    """An inventory of rehearsal machines by host name, with groups and variables for all."""
    return {
        "all": {
            "hosts": {
                name: {
                    "ansible_host": machine.address,
                    "ansible_user": "root",
                    "ansible_python_interpreter": "/usr/bin/python3",
                    "ansible_ssh_common_args": SSH_ARGUMENTS,
                }
                for name, machine in machines.items()
            },
            "vars": variables,
            "children": {
                group: {"hosts": {name: {} for name in names}} for group, names in groups.items()
            },
        }
    }


def apply_playbook(
    playbook: Path,
    hosts: Mapping[str, Any],
    secrets: Mapping[str, Any] | None = None,
    *,
    check: bool = False,
    expect_failure: bool = False,
) -> Applied:
    """Run it; a failing task fails the test with Ansible's own words, unless it is expected."""
    lines: list[str] = []
    result = run_playbook(
        playbook,
        hosts,
        secrets or {},
        observer=nobody,
        log=lines.append,
        launcher=Launcher(),
        check=check,
    )
    output = "\n".join(lines)
    if not expect_failure:
        assert result.status == 0, output
    return Applied(result, output)


def apply_role(
    machine: Machine,
    role: str,
    parameters: Mapping[str, Any],
    folder: Path,
    *,
    secrets: Mapping[str, Any] | None = None,
    check: bool = False,
    expect_failure: bool = False,
) -> Applied:
    """Run one role with these parameters on one machine; `folder` holds the play."""
    playbook = folder / f"{role}.yml"
    play = {
        "hosts": "all",
        "gather_facts": False,
        "become": True,
        "roles": [{"role": str(ROLES / role), **parameters}],
    }
    playbook.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    hosts = inventory({machine.name: machine}, {})
    return apply_playbook(playbook, hosts, secrets, check=check, expect_failure=expect_failure)
