"""Survey all hosts of a site, and make the plan from the surveys."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.network import peer_address
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.facts.survey import Survey, survey
from ucontact_appliance.operate.reach import reaching
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.state import StatePaths


@dataclass(frozen=True)
class Surveyed:
    """A site, the survey and peer address of each host (by name), and the resulting plan."""

    site: Site
    surveys: Mapping[str, Survey]
    addresses: Mapping[str, str]
    plan: Plan

    @property
    def cas(self) -> Mapping[str, bytes | None]:
        """The content of each server's site CA file, by host; None where there is none."""
        return {name: found.ca for name, found in self.surveys.items()}


def look(site: Site, paths: StatePaths, ssh: SshSettings | None = None) -> Surveyed:
    """Survey every host and make the plan. Raises UnreachableError for an unreachable host.

    `ssh` has the connections of a larger run; without it, each host gets one for the survey alone.
    """
    surveys: dict[str, Survey] = {}
    for name, found in look_at_hosts(site, paths, ssh).items():
        if isinstance(found, UnreachableError):
            raise found
        surveys[name] = found
    addresses = {host.name: peer_address(host) for host in site.hosts}
    plan = make_plan(site, iron_of(surveys)).with_peers(addresses)
    return Surveyed(site=site, surveys=surveys, addresses=addresses, plan=plan)


def look_at_hosts(
    site: Site, paths: StatePaths, ssh: SshSettings | None = None
) -> dict[str, Survey | UnreachableError]:
    """Survey all hosts in parallel; return survey or error per host, in site.yml's order."""

    # Without retries: somebody waits, and a wrong address would take as long as a slow server.
    ssh = replace(ssh or SshSettings(paths.known_hosts), retry_seconds=0.0)

    def one(host: Host) -> Survey | UnreachableError:
        try:
            with reaching(host), runner_for(host, ssh) as runner:
                return survey(runner)
        except UnreachableError as error:
            return error

    with ThreadPoolExecutor(max_workers=len(site.hosts)) as pool:
        return dict(zip([host.name for host in site.hosts], pool.map(one, site.hosts), strict=True))


def iron_of(surveys: Mapping[str, Survey]) -> dict[str, HostResources]:
    """Return each host's resources for planning, by name."""
    return {
        name: HostResources(found.memory_mb, found.threads, found.disk_free_mb, found.disk_total_mb)
        for name, found in surveys.items()
    }
