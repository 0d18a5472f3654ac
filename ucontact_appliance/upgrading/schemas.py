"""Stop whoever writes to databases whose schemas change, and dump these into the restore point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.install.events import TaskStarted
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.migrations import migrate
from ucontact_appliance.install.phases import Unpredictable
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import carrier
from ucontact_appliance.site.model import Host
from ucontact_appliance.upgrading.servers import said, script

_BACKEND = ("integraserver.service",)
_CALLS = "ccdata"
_STOP = """
for unit in "$@"; do
  if systemctl is-active --quiet "$unit"; then systemctl stop "$unit" && echo "$unit"; fi
done
"""
_SECONDS = 120.0


def writers_of(databases: Sequence[str]) -> tuple[str, ...]:
    """Return the units that write to these databases."""
    data = phases()["database"].data
    return data.writers if data is not None and _CALLS in databases else _BACKEND


def stop_writers(
    hosts: Sequence[Host], ssh: SshSettings, databases: Sequence[str]
) -> Mapping[str, tuple[str, ...]]:
    """Stop the writers on every server; return those that ran, by host. Raises PhaseFailedError."""
    stopped: dict[str, tuple[str, ...]] = {}
    for host in hosts:
        with runner_for(host, ssh) as runner:
            done = runner.run(["bash", "-c", _STOP, "sh", *writers_of(databases)], timeout=_SECONDS)
        if done.status:
            raise PhaseFailedError(
                _("services on {name} can't be stopped", name=host.name), evidence=said(done)
            )
        stopped[host.name] = tuple(done.stdout.split())
    return stopped


@dataclass(frozen=True)
class MigratePhase:
    """Migrate the schemas behind a dump, with nobody writing to them."""

    point: str
    databases: tuple[str, ...]
    after: tuple[str, ...]
    id: str = "migrate"
    title: str = _("Migrate the database's schemas")
    runs_on: Role | None = None
    alone: bool = True

    def needed(self, job: Job) -> bool:
        """Return True: it is part of an upgrade only where there are migrations."""
        return True

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        """Return None: the phase is never skipped."""
        return None

    def run(self, job: Job) -> int:
        """Return the number of migrations. Raises PhaseFailedError."""
        job.observer(TaskStarted(_("Stop the services that write to the database")))
        stopped = stop_writers(job.site.hosts, job.ssh, self.databases)
        job.observer(TaskStarted(_("Dump the databases into the restore point")))
        host = carrier(job.site, job.plan, Role.DATABASE)
        with runner_for(host, job.ssh) as runner:
            done = script(runner, "keep_schemas.sh", self.point, *self.databases)
        if done.status:
            raise PhaseFailedError(_("the databases can't be dumped"), evidence=said(done))
        count = migrate(job)
        for server in job.site.hosts:
            units = [unit for unit in stopped[server.name] if unit not in _BACKEND]
            if units:  # the backend starts with its new release, in the next phase
                with runner_for(server, job.ssh) as runner:
                    runner.run(["systemctl", "start", *units], timeout=_SECONDS)
        return count

    def preview(self, job: Job) -> int | Unpredictable:
        """Return why it is unknown: only the rehearsal shows it."""
        return Unpredictable(_("the migrations are rehearsed on a copy first"))
