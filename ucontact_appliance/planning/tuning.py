"""Compute all tuned values from the number of agents and the memory of the hosts.

The factors and their sources are in `data/tuning.yml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ucontact_appliance.planning.model import (
    BackendTuning,
    DatabaseTuning,
    StunTuning,
    TelephonyTuning,
    WebTuning,
)
from ucontact_appliance.planning.tables import tuning

_ROUND_MB = 64


@dataclass(frozen=True)
class HostShare:
    """The memory that a role can use: its host's name and memory, and whether it is alone there."""

    host: str
    memory_mb: int
    alone: bool


def telephony(agents: int) -> TelephonyTuning:
    """Asterisk's calls, WebSocket sessions, descriptors and RTP range."""
    factors = _factors("telephony")
    calls = max(factors["least_calls"], agents * factors["calls_per_agent"])
    per_source = _connections_per_source(agents, factors)
    sessions = per_source * factors["session_shares"]
    used = factors["descriptors_idle"] + calls * factors["descriptors_per_call"] + sessions
    ports = calls * factors["ports_per_call"]
    return TelephonyTuning(
        max_calls=calls,
        session_limit=sessions,
        connections_per_source=per_source,
        file_descriptors=max(factors["least_descriptors"], used * factors["descriptors_headroom"]),
        rtp_start=factors["rtp_first"],
        rtp_end=min(factors["rtp_last"], factors["rtp_first"] + ports - 1),
    )


def descriptors_headroom() -> float:
    """Ratio of the planned file descriptors to those that the planned calls need."""
    return float(_factors("telephony")["descriptors_headroom"])


def database(agents: int, share: HostShare) -> DatabaseTuning:
    """MySQL's buffer pool (MB) on a shared or dedicated host, and its connections."""
    factors = _factors("database")
    return DatabaseTuning(
        buffer_pool_mb=_megabytes(share, factors),
        max_connections=max(
            factors["least_connections"], agents * factors["connections_per_agent"]
        ),
    )


def backend(share: HostShare) -> BackendTuning:
    """The Java heap (MB)."""
    return BackendTuning(heap_mb=_megabytes(share, _factors("backend")))


def web(agents: int) -> WebTuning:
    """NGINX's connections per worker, descriptors for both sides of each, and limits per source."""
    factors = _factors("web")
    per_source = _connections_per_source(agents, factors)
    connections = per_source * factors["connection_shares"]
    return WebTuning(
        worker_connections=connections,
        connections_per_source=per_source,
        requests_per_second=max(
            factors["least_requests_per_second"], agents * factors["requests_per_second_per_agent"]
        ),
        requests_at_once=max(
            factors["least_requests_at_once"], agents * factors["requests_at_once_per_agent"]
        ),
        file_descriptors=connections * factors["descriptors_per_connection"],
    )


def stun(agents: int) -> StunTuning:
    """coturn's relay range, and TCP connections per source."""
    factors = _factors("stun")
    relays = max(factors["least_relays"], agents * factors["relays_per_agent"])
    last = factors["relay_first"] + relays - 1
    return StunTuning(
        relay_start=factors["relay_first"],
        relay_end=min(factors["relay_last"], last),
        connections_per_source=_connections_per_source(agents, factors),
    )


def _factors(role: str) -> Mapping[str, Any]:
    factors: Mapping[str, Any] = tuning()[role]
    return factors


def _connections_per_source(agents: int, factors: Mapping[str, Any]) -> int:
    wanted = max(factors["least_connections_per_source"], agents * factors["connections_per_agent"])
    return int(wanted)


def _megabytes(share: HostShare, factors: Mapping[str, Any]) -> int:
    part = factors["share_alone"] if share.alone else factors["share_beside"]
    size = min(max(share.memory_mb * part, factors["least_mb"]), factors["most_mb"])
    return int(size) // _ROUND_MB * _ROUND_MB
