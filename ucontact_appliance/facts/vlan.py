"""The host's network interfaces: which are VLANs, and their egress maps (ip-link(8))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ucontact_appliance.facts.source import ProbeContext

_COMMAND = ("ip", "-d", "-o", "link", "show")
_LINK = re.compile(r"\d+:\s+([^:@\s]+)\S*:?\s")
_VLAN = re.compile(r"\bvlan protocol \S+ id (\d+)\b")
_EGRESS = re.compile(r"\begress-qos-map \{([^}]*)\}")


@dataclass(frozen=True)
class VlanLink:
    """An interface; `vlan` is its VLAN's number, None where it is no VLAN.

    `egress` maps the kernel's priority of a packet to the 802.1p priority of its frame.
    """

    name: str
    vlan: int | None = None
    egress: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class VlanLinks:
    """All interfaces, whether up or not."""

    links: tuple[VlanLink, ...]
    evidence: str

    @property
    def names(self) -> tuple[str, ...]:
        """All interfaces but loopback."""
        return tuple(one.name for one in self.links if one.name != "lo")

    @property
    def vlans(self) -> tuple[str, ...]:
        """Those that are VLANs."""
        return tuple(one.name for one in self.links if one.vlan is not None)

    def named(self, name: str) -> VlanLink | None:
        """The interface of that name."""
        return next((one for one in self.links if one.name == name), None)


def vlan_links(reach: ProbeContext) -> VlanLinks:
    """Read the interfaces; changes nothing."""
    return parse_vlan_links(reach.runner.run(list(_COMMAND)).stdout)


def parse_vlan_links(text: str) -> VlanLinks:
    """Parse `ip -d -o link show`."""
    found = []
    for line in text.splitlines():
        link = _LINK.match(line)
        if link is None:
            continue
        vlan, egress = _VLAN.search(line), _EGRESS.search(line)
        pairs = (pair.split(":") for pair in (egress[1].split() if egress else ()))
        found.append(
            VlanLink(
                link[1],
                int(vlan[1]) if vlan else None,
                {int(priority): int(cos) for priority, cos in pairs},
            )
        )
    return VlanLinks(tuple(found), text.strip())
