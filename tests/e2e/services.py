"""One service of a small site: its role applied, and its checks as doctor runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.small import Small, small
from tests.e2e.support import Applied, apply_playbook
from ucontact_appliance.checks.model import Finding, Stage, Verdict
from ucontact_appliance.findings.run import run_checks
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.secrets import Secrets, with_generated


@dataclass(frozen=True)
class Service:
    """A small site with secrets of its own, seen through one service's playbook and checks."""

    site: Small
    name: str
    subject: str

    @property
    def secrets(self) -> Secrets:
        """The site's secrets."""
        return self.site.subject.secrets

    def play(self, *, check: bool = False, secrets: Secrets | None = None) -> Applied:
        """Run the service's playbook."""
        playbook = INSTALLER / "playbooks" / f"{self.name}.yml"
        tree = (secrets or self.secrets).tree()
        return apply_playbook(playbook, self.site.inventory, tree, check=check)

    def findings(self, secrets: Secrets | None = None) -> dict[str, Finding]:
        """The service's findings by id, as doctor comes to them."""
        seen = self.site.subject
        found = run_checks(
            seen.site,
            seen.plan,
            secrets or self.secrets,
            seen.state,
            Path("site.yml"),
            stages=(Stage.DOCTOR,),
            only=(self.subject,),
        )
        return {finding.id: finding for finding in found}

    def faults(self, secrets: Secrets | None = None) -> set[str]:
        """Ids of what is wrong by itself: neither passed nor behind another fault."""
        return {
            finding.id
            for finding in self.findings(secrets).values()
            if finding.verdict is not Verdict.PASS and finding.blocked_by is None
        }


def _as_it_is(site: Small) -> None:
    """Leaves the site alone."""


def service(
    machine: Machine,
    folder: Path,
    name: str,
    subject: str,
    prepare: Callable[[Small], None] = _as_it_is,
) -> Service:
    """A small site on that machine with certificates laid down and the service installed."""
    here = small(machine, folder)
    prepare(here)
    secrets = Secrets(with_generated(here.subject.site, {}))
    here.prepare()
    here.play("certificates")
    made = Service(replace(here, subject=replace(here.subject, secrets=secrets)), name, subject)
    applied = made.play()
    for value in secrets.values():
        assert value not in applied.output
    return made
