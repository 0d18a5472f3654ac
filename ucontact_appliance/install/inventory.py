"""Build Ansible's inventory: one group per role, and each host's variables from the plan."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ucontact_appliance import __version__
from ucontact_appliance.facts.runner import SshSettings, control_path, ssh_options
from ucontact_appliance.install.vendor import VendorAsterisk
from ucontact_appliance.planning.backup import backup_parts
from ucontact_appliance.planning.cards import card_lines
from ucontact_appliance.planning.clocks import utc_offset
from ucontact_appliance.planning.dialling import dialling
from ucontact_appliance.planning.gateways import trunk_settings
from ucontact_appliance.planning.model import Plan, Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.systems import (
    base_packages,
    held_packages,
    optional_packages,
    own_packages,
    packages_at_once,
)
from ucontact_appliance.planning.tables import SystemRow
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.model import EVALUATION, CertificateSource, Host, Site
from ucontact_appliance.site.telephony import Telephony

_CARD_KEYS = ("zone", "modules", "spans", "channels", "sections", "groups")


@dataclass(frozen=True)
class HostInputs:
    """A host's surveyed values: the row of its system, and its address for the other hosts.

    `came_from` is the installer's address as that host sees it; empty for this machine itself.
    """

    system: SystemRow
    peer_address: str
    came_from: str = ""


@dataclass(frozen=True)
class ControllerInputs:
    """Files on the installing machine that roles copy; the release is None if not stored here."""

    pki: Path
    release: Path | None
    release_manifest: Path | None
    asterisk: VendorAsterisk = field(default_factory=VendorAsterisk)


def build_inventory(
    site: Site,
    plan: Plan,
    hosts: Mapping[str, HostInputs],
    controller: ControllerInputs,
    ssh: SshSettings,
) -> dict[str, Any]:
    """Return the inventory in the structure of Ansible's YAML inventory plugin, ready for JSON.

    It leaves out free text that people wrote: reasons, statements and paths of the site file.
    """
    offset = utc_offset(site.telephony.time_zone)
    shared = {
        "site": site_variables(site),
        "clocks": {"utc_offset": "" if offset is None else offset},
        "dialling": asdict(dialling(site.telephony)),
        "trunk_settings": {
            trunk.name: asdict(trunk_settings(trunk)) for trunk in site.telephony.trunks
        },
        "cards": card_variables(site.telephony),
        "plan": plan.model_dump(mode="json", exclude={"reasons"}),
        "controller": {
            name: str(path) for name, path in vars(controller).items() if isinstance(path, Path)
        }
        # The files of the recordings' key without their endings: whoever reads them depends on no
        # other file of the folder.
        | {"recordings": str(controller.pki / "recordings")},
        "vendor_asterisk": _vendor(controller.asterisk),
        "appliance": __version__,
    }
    return {
        "all": {
            "hosts": {
                host.name: _connection(host, hosts[host.name], ssh)
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


def site_variables(site: Site) -> dict[str, Any]:
    """Return the values of site.yml for playbooks: typed values and booleans, no free text."""
    known = {"site", "fqdn", "network", "telephony", "recordings", "records", "backup", "web"}
    certificate = site.certificate
    return site.model_dump(mode="json", include=known) | {
        "evaluation": site.release == EVALUATION,
        "public_certificate": certificate.source is CertificateSource.FILES and not certificate.ca,
    }


def card_variables(telephony: Telephony) -> dict[str, Any]:
    """Return the lines of telephony cards for playbooks; empty without cards."""
    found = card_lines(telephony)
    if found is None:
        return {}
    document = asdict(found)
    return {name: document[name] for name in _CARD_KEYS}


def _vendor(asterisk: VendorAsterisk) -> dict[str, Any]:
    return {
        "files": [
            {"path": str(one.path), "file": one.path.name, "sha256": one.sha256}
            for one in asterisk.files
        ],
        "archive": asdict(asterisk.archive) if asterisk.archive else {},
    }


def _connection(host: Host, inputs: HostInputs, ssh: SshSettings) -> dict[str, Any]:
    common = {"ansible_python_interpreter": inputs.system.python, "ansible_user": host.user}
    if host.is_local:
        return common | {"ansible_connection": "local", "ansible_user": "root"}
    reached: dict[str, Any] = {
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_ssh_executable": str(INSTALLER / "bounded-ssh"),
        "ansible_ssh_common_args": shlex.join(ssh_options(host, ssh.known_hosts)),
    }
    if ssh.control_dir is not None:
        reached["ansible_control_path"] = str(control_path(host, ssh.control_dir))
    return common | reached


def _share(site: Site, plan: Plan, host: Host, inputs: HostInputs) -> dict[str, Any]:
    planned = plan.host(host.name)
    return {
        "host": planned.model_dump(mode="json"),
        "peer_address": inputs.peer_address,
        "installer_address": inputs.came_from,
        "base_packages": base_packages(inputs.system)[0].packages,
        "packages": packages_at_once(inputs.system, planned.roles),
        "own_packages": own_packages(inputs.system, planned.roles),
        "optional_packages": optional_packages(planned.roles),
        "held_packages": held_packages(inputs.system, planned.roles),
        "ports": [port.document() for port in ports_for(site, plan, planned)],
        "backup_paths": [
            {"name": part.name, "paths": list(part.paths)} for part in backup_parts(planned.roles)
        ],
    }
