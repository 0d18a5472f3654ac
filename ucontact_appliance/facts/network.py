"""Addresses of hosts as other machines see them."""

from __future__ import annotations

import netifaces

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.model import Host


def default_gateway() -> tuple[str, str] | None:
    """Gateway and interface of this machine's IPv4 default route."""
    default = netifaces.gateways().get("default")
    found = default.get(netifaces.AF_INET) if isinstance(default, dict) else None
    return (str(found[0]), str(found[1])) if found else None


def peer_address(host: Host) -> str:
    """The address at which agents and other hosts reach the host.

    For the machine that installs: the address on the interface of its default route. Raises
    UnreachableError when it has none.
    """
    if not host.is_local:
        return host.address
    default = default_gateway()
    if default is None:
        raise UnreachableError(
            _("this machine has no default route, so its own address is not known"),
            helps=_("in site.yml, replace 'local' with the address of {name}", name=host.name),
        )
    addresses = netifaces.ifaddresses(default[1]).get(netifaces.AF_INET, [])
    return str(addresses[0]["addr"])
