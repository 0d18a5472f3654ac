"""Remembering what an installation wrote, so that the doctor can tell what was changed since."""

from __future__ import annotations

from ucontact_appliance.facts.managed import Record, look, managed_paths
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import StatePaths


def remember_written(site: Site, plan: Plan, paths: StatePaths, ssh: SshSettings) -> None:
    """Take the fingerprint of every managed file on every host, and keep it here, 0600.

    Raises UnreachableError when a host is out of reach.
    """
    hosts = {}
    for host in site.hosts:
        with runner_for(host, ssh) as runner:
            hosts[host.name] = look(runner, managed_paths(plan.host(host.name)))
    write_private(paths.managed, Record(hosts=hosts).model_dump_json(indent=1) + "\n")
