"""The objects that all phases of one installation share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ucontact_appliance.errors import PhaseFailedError, UsageError
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.install.events import Observer
from ucontact_appliance.install.inventory import ControllerInputs, HostInputs, build_inventory
from ucontact_appliance.install.launcher import Launcher
from ucontact_appliance.install.processes import Processes
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.install.vendor import VendorAsterisk
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.restore_plan import Restore
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.planning.moves import DataMove
from ucontact_appliance.planning.systems import supported_names, system_row
from ucontact_appliance.planning.tables import SystemRow
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths


class SiteLock(Protocol):
    """The locks of all servers of a site (install/server_lock.py)."""

    def demand(self) -> None:
        """Raise PhaseFailedError when a lock was lost."""

    def begin(self) -> None:
        """Record on every server that this run is about to change it."""


@dataclass(frozen=True)
class Job:
    """One run of the installer on one site.

    In a dry run, `release` is None if it is not stored here, `asterisk` if it is in a release that
    is not unpacked.
    """

    seen: Surveyed
    site_file: Path
    release: ReleaseFiles | None
    secrets: Secrets
    paths: StatePaths
    ssh: SshSettings
    observer: Observer
    log: Callable[[str], None]
    moves: tuple[DataMove, ...] = ()
    take_over: tuple[str, ...] = ()  # components that others installed, to be copied first
    launcher: Launcher = field(default_factory=Launcher)
    hold: SiteLock | None = None  # the locks of the servers; a dry run has none
    asterisk: VendorAsterisk | None = field(default_factory=VendorAsterisk)
    restore: Restore | None = None  # data that comes from a backup, before services use it
    interrupted: bool = False  # the newest run on this site was interrupted during its changes
    migrates: bool = False  # an upgrade, which may change the schemas of a site with data
    unproven: bool = False  # something was changed that only the full set of calls can verify
    tags: tuple[
        str, ...
    ] = ()  # tags of the tasks that suffice for a phase; empty when all tasks have to run

    @property
    def processes(self) -> Processes:
        """The child processes of this run."""
        return self.launcher.processes

    @property
    def site(self) -> Site:
        """The site to install."""
        return self.seen.site

    @property
    def plan(self) -> Plan:
        """The plan to install."""
        return self.seen.plan

    @property
    def stored_release(self) -> ReleaseFiles:
        """The release to install. Raises UsageError in a dry run without one."""
        if self.release is None:
            raise UsageError(
                _("the release is not stored here yet"), helps="ucontact release build-evaluation"
            )
        return self.release

    def inventory(self) -> dict[str, Any]:
        """Return the inventory of this run, with the release if there is one.

        Raises PhaseFailedError for a host whose system is not supported.
        """
        release = self.release
        return build_inventory(
            self.site,
            self.plan,
            {host.name: self._inputs(host.name) for host in self.site.hosts},
            ControllerInputs(
                pki=self.paths.pki,
                release=release.archive if release else None,
                release_manifest=release.manifest if release else None,
                asterisk=self.asterisk or VendorAsterisk(),
            ),
            self.ssh,
        )

    def system(self, name: str) -> SystemRow:
        """Return the row of the host's system. Raises PhaseFailedError if it is not supported."""
        seen = self.seen.surveys[name]
        row = system_row(seen.os_id, seen.os_version)
        if row is None:
            raise PhaseFailedError(
                _("{name} runs {os_name}, which is not supported", name=name, os_name=seen.os_name),
                evidence=_("supported: {names}", names=supported_names()),
                helps=_("install a supported system on that server"),
            )
        return row

    def _inputs(self, name: str) -> HostInputs:
        seen = self.seen.surveys[name]
        return HostInputs(self.system(name), self.seen.addresses[name], seen.came_from)
