"""A small site on one machine, with the inventory that an installation would make of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.e2e.support import Applied, apply_playbook
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Check, Judgement, Subject
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.facts.source import FactSource, ProbeContext
from ucontact_appliance.install.inventory import ControllerInputs, HostInputs, build_inventory
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.pki.issue import ensure_pki
from ucontact_appliance.planning.component import on_system
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import lacking, system_row
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

BEFORE_SERVICES = ("packages", "base", "firewall")


@dataclass(frozen=True)
class Small:
    """The machine, its site, and all that doctor would know of it."""

    machine: Machine
    inventory: dict[str, Any]
    subject: Subject

    def play(self, name: str, *, check: bool = False, expect_failure: bool = False) -> Applied:
        """Run one of the install's playbooks."""
        return apply_playbook(
            INSTALLER / "playbooks" / f"{name}.yml",
            self.inventory,
            check=check,
            expect_failure=expect_failure,
        )

    def prepare(self) -> None:
        """Run what comes before certificates and services."""
        for name in BEFORE_SERVICES:
            self.play(name)

    def sh(self, script: str) -> str:
        """What a script says on the machine; it must succeed."""
        done = self.machine.ssh([script])
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def judge(self, checks: tuple[Check, ...]) -> dict[str, Judgement]:
        """Each check's judgement by its id, on facts gathered anew."""
        subject = self.subject
        with runner_for(subject.host, SshSettings(subject.state.known_hosts)) as runner:
            facts = FactSource(ProbeContext(subject.site, subject.host, runner))
            now = replace(subject, facts=facts)
            return {check.id: check.judge(now) for check in checks}


def small(machine: Machine, folder: Path, **changes: Any) -> Small:
    """A small site on that machine, its certificates issued; nothing installed yet."""
    paths = StatePaths(etc=folder / "etc", var=folder / "var")
    paths.etc.mkdir()
    host = {"name": machine.name, "address": machine.address, "key": str(layout.ssh_key())}
    site = small_site(hosts=[host], **changes)
    plan = make_plan(site, {machine.name: HostResources(memory_mb=4096)})
    row = system_row("debian", "11" if machine.suite == "bullseye" else "sid")
    assert row is not None
    ensure_pki(site, plan, paths)
    inventory = build_inventory(
        site,
        plan,
        {machine.name: HostInputs(row, machine.address)},
        ControllerInputs(paths.pki, folder / "none", folder / "none"),
        SshSettings(paths.known_hosts),
    )
    # No installation begins there; what there is of the services is tested all the same.
    absent = {name for part in lacking(row, Role) for name in on_system(part.names, row.name)}
    variables = inventory["all"]["hosts"][machine.name]
    variables["packages"] = [name for name in variables["packages"] if name not in absent]
    with runner_for(site.hosts[0], SshSettings(paths.known_hosts)) as runner:
        facts = FactSource(ProbeContext(site, site.hosts[0], runner))
    return Small(machine, inventory, Subject(site, plan, site.hosts[0], Secrets({}), paths, facts))
