"""The locks and connections of one run on a site: of an installation, an upgrade, a rollback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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


def run_connections(paths: StatePaths) -> AbstractContextManager[SshSettings]:
    """The connections of one run, with the usual retries; closed at its end."""
    return shared_connections(paths.known_hosts, retry_seconds=RETRY_SECONDS)


@contextmanager
def site_session(
    seen: Surveyed,
    site_file: Path,
    observer: Observer,
    *,
    replace_newer: bool = False,
    ssh: SshSettings | None = None,
) -> Iterator[SiteSession]:
    """Hold all locks of the site. Raises as `hold_servers` does.

    `ssh` has the connections of the survey, if they are still open; they are used, not closed.
    """
    paths = state_paths(seen.site.site)
    opened = nullcontext(ssh) if ssh else run_connections(paths)
    with (
        install_lock(paths.lock) as lock,
        opened as connections,
        hold_servers(
            seen,
            site_file,
            paths,
            connections,
            lambda text: observer(Warned(text)),
            replace_newer=replace_newer,
        ) as hold,
    ):
        sweep_leftovers()  # of a killed run, whose processes have ended now that the lock is held
        yield SiteSession(paths, lock, connections, hold)
