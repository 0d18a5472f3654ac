"""Resolve the port registry for one host: which ports are open, and to which networks."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.planning.component import EVERY, LOOPBACK
from ucontact_appliance.planning.component_tables import PortRow, ports
from ucontact_appliance.planning.gateways import some_t38
from ucontact_appliance.planning.model import Plan, PlannedHost
from ucontact_appliance.site.model import Site


@dataclass(frozen=True)
class OpenPort:
    """One entry of a host's firewall; `sources` empty means loopback only.

    `connections_per_source` is the limit per source address, None for no limit. It does not apply
    to the site's own hosts (`unlimited`), which forward the connections of many clients.
    """

    id: str
    protocol: str
    port: str
    sources: tuple[str, ...]
    purpose: str
    connections_per_source: int | None = None
    unlimited: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The port in the form that playbooks and programs get."""
        return {
            "id": self.id,
            "protocol": self.protocol,
            "port": self.port,
            "sources": list(self.sources),
            "for": self.purpose,
            "connections_per_source": self.connections_per_source,
            "unlimited": list(self.unlimited),
        }

    @property
    def first(self) -> int:
        """The port number, or the first one of its range."""
        return int(self.port.split("-")[0])


def ports_for(site: Site, plan: Plan, host: PlannedHost) -> tuple[OpenPort, ...]:
    """The registry's rows for this host, with port numbers and networks filled in."""
    return tuple(
        OpenPort(
            id=row.id,
            protocol=row.protocol,
            port=_number(row, site, plan, host),
            sources=_sources(row, site, plan, host),
            purpose=row.purpose,
            connections_per_source=_connections_per_source(row, plan),
            unlimited=_site_hosts(row, plan, host),
        )
        for row in ports()
        if _concerns(row, host)
    )


def _concerns(row: PortRow, host: PlannedHost) -> bool:
    carried = row.role == EVERY or row.role in host.roles
    return carried and row.without not in host.roles


def _number(row: PortRow, site: Site, plan: Plan, host: PlannedHost) -> str:
    tuning = plan.tuning
    named = {
        "ssh": str(next(h.port for h in site.hosts if h.name == host.name)),
        "rtp": f"{tuning.telephony.rtp_start}-{tuning.telephony.rtp_end}",
        "turn-relay": f"{tuning.stun.relay_start}-{tuning.stun.relay_end}",
    }
    return named.get(str(row.port), str(row.port))


def _sources(row: PortRow, site: Site, plan: Plan, host: PlannedHost) -> tuple[str, ...]:
    trunks = site.telephony.trunks
    by_webrtc = any(trunk.connects_to_us for trunk in trunks)
    networks = {
        "agents": site.network.agents,
        "providers": site.network.providers,
        "webrtc-providers": site.network.providers if by_webrtc else (),
        "fax-providers": site.network.providers if some_t38(trunks) else (),
        "admins": site.network.admins,
        LOOPBACK: (),
        "site": _site_hosts(row, plan, host),
    }
    merged = [network for source in row.sources for network in networks[source]]
    return tuple(dict.fromkeys(merged))


def _site_hosts(row: PortRow, plan: Plan, host: PlannedHost) -> tuple[str, ...]:
    return tuple(
        f"{other.peer_address}/{128 if ':' in other.peer_address else 32}"
        for other in plan.hosts
        if other.name != host.name and set(other.roles) & set(row.peers)
    )


def _connections_per_source(row: PortRow, plan: Plan) -> int | None:
    if row.limited_by is None:
        return None
    limits = {
        "telephony": plan.tuning.telephony.connections_per_source,
        "web": plan.tuning.web.connections_per_source,
        "stun": plan.tuning.stun.connections_per_source,
    }
    return limits[row.limited_by]
