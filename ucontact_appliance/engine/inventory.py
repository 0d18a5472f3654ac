"""The inventory that playbooks get: groups by role, and each host's share of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ucontact_appliance.facts.runner import ssh_options
from ucontact_appliance.planning.model import Plan, Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.tables import SystemRow
from ucontact_appliance.site.model import Host, Site


@dataclass(frozen=True)
class HostInputs:
    """What is known of a host beyond site.yml: its system's row, and its address for others.

    `came_from` is the address that it sees the installer come from; empty on this machine itself.
    """

    system: SystemRow
    peer_address: str
    came_from: str = ""


@dataclass(frozen=True)
class ControllerInputs:
    """Files of the machine that installs which roles copy from."""

    pki: Path
    release: Path
    release_manifest: Path


def build_inventory(
    site: Site,
    plan: Plan,
    hosts: Mapping[str, HostInputs],
    controller: ControllerInputs,
    known_hosts: Path,
) -> dict[str, Any]:
    """The inventory as Ansible's YAML inventory plug-in reads it, in JSON."""
    shared = {
        "site": site.model_dump(mode="json", exclude={"waivers"}),
        "plan": plan.model_dump(mode="json"),
        "controller": {name: str(path) for name, path in asdict(controller).items()},
    }
    return {
        "all": {
            "hosts": {
                host.name: _connection(host, hosts[host.name], known_hosts)
                | _share(site, plan, host, hosts[host.name])
                for host in site.hosts
            },
            "vars": shared,
            "children": {
                role.value: {"hosts": {carrier.name: {} for carrier in plan.carriers(role)}}
                for role in Role
            },
        }
    }


def _connection(host: Host, inputs: HostInputs, known_hosts: Path) -> dict[str, Any]:
    common = {"ansible_python_interpreter": inputs.system.python, "ansible_user": host.user}
    if host.is_local:
        return common | {"ansible_connection": "local", "ansible_user": "root"}
    return common | {
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_ssh_common_args": " ".join(ssh_options(host, known_hosts)),
    }


def _share(site: Site, plan: Plan, host: Host, inputs: HostInputs) -> dict[str, Any]:
    planned = plan.host(host.name)
    return {
        "host": planned.model_dump(mode="json"),
        "peer_address": inputs.peer_address,
        "installer_address": inputs.came_from,
        "os": inputs.system.model_dump(mode="json"),
        "ports": [port.document() for port in ports_for(site, plan, planned)],
    }
