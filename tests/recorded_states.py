"""The record of a site's states (install/unchanged.py), for tests that change servers behind it."""

from __future__ import annotations

from pathlib import Path

from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.facts.state import look_at_state
from ucontact_appliance.install.unchanged import PhaseState, States, load_states
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import StatePaths


def seen_now(site_file: Path, paths: StatePaths) -> dict[str, dict[str, str]]:
    """The state of every item on record as it is now, by host."""
    states = load_states(paths).phases.values()
    hosts = {host.name: host for host in load_site(site_file).hosts}
    found = {}
    for name, host in hosts.items():
        items = {item for state in states for item in state.hosts.get(name, {})}
        with runner_for(host, SshSettings(paths.known_hosts)) as runner:
            found[name] = look_at_state(runner, items)
    return found


def different_now(site_file: Path, paths: StatePaths) -> dict[str, set[str]]:
    """The items that are not as they were recorded, by phase."""
    seen = seen_now(site_file, paths)
    return {
        phase: {
            item
            for host, items in state.hosts.items()
            for item, was in items.items()
            if seen[host][item] != was
        }
        for phase, state in load_states(paths).phases.items()
    }


def record_anew(site_file: Path, paths: StatePaths) -> None:
    """Record the servers as they are now: put back as a whole, they are as they were installed."""
    seen = seen_now(site_file, paths)
    phases = {
        phase: PhaseState(
            inputs=state.inputs,
            hosts={
                host: {item: seen[host][item] for item in items}
                for host, items in state.hosts.items()
            },
        )
        for phase, state in load_states(paths).phases.items()
    }
    write_private(paths.states, States(phases=phases).model_dump_json() + "\n")
