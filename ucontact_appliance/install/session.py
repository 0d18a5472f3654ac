"""The locks and connections of one run on a site: of an installation, an upgrade, a rollback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ucontact_appliance.facts.runner import SshSettings, shared_connections
from ucontact_appliance.install.events import Observer, Warned
from ucontact_appliance.install.leftovers import sweep_leftovers
from ucontact_appliance.install.lock import install_lock
from ucontact_appliance.install.server_lock import ServerHold, hold_servers
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.state import StatePaths, state_paths

RETRY_SECONDS = 60.0


@dataclass(frozen=True)
class SiteSession:
    """The locks of one run, on this machine and on each server, and its shared connections."""

    paths: StatePaths
    lock: int
    ssh: SshSettings
    hold: ServerHold


@contextmanager
def site_session(
    seen: Surveyed, site_file: Path, observer: Observer, *, replace_newer: bool = False
) -> Iterator[SiteSession]:
    """Hold all locks of the site. Raises as `hold_servers` does."""
    paths = state_paths(seen.site.site)
    with (
        install_lock(paths.lock) as lock,
        shared_connections(paths.known_hosts, retry_seconds=RETRY_SECONDS) as ssh,
        hold_servers(
            seen,
            site_file,
            paths,
            ssh,
            lambda text: observer(Warned(text)),
            replace_newer=replace_newer,
        ) as hold,
    ):
        sweep_leftovers()  # of a killed run, whose processes have ended now that the lock is held
        yield SiteSession(paths, lock, ssh, hold)
