"""The plan: install executes it, doctor and report judge against it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pydantic import BaseModel, ConfigDict

from ucontact_appliance.language.fields import Text


class Size(str, Enum):
    """Size of a site (R12)."""

    SMALL = "small"
    MEDIUM = "medium"
    BIG = "big"


class Role(str, Enum):
    """A role of a host."""

    TELEPHONY = "telephony"
    BACKEND = "backend"
    DATABASE = "database"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedHost(_Frozen):
    """A host and its roles; `peer` is its address for other hosts if `address` is `local`."""

    name: str
    address: str
    roles: tuple[Role, ...]
    peer: str = ""

    @property
    def peer_address(self) -> str:
        """The address at which other hosts and agents reach it."""
        return self.peer or self.address


class Rationale(_Frozen):
    """A figure of the plan and the reason for it; `number` and `unit` are machine-readable."""

    figure: Text
    value: Text
    because: Text
    number: float | None = None
    unit: str = ""


class TelephonyTuning(_Frozen):
    """Limits of Asterisk."""

    max_calls: int
    session_limit: int
    connections_per_source: int
    file_descriptors: int
    rtp_start: int
    rtp_end: int


class DatabaseTuning(_Frozen):
    """Limits of MySQL."""

    buffer_pool_mb: int
    max_connections: int


class BackendTuning(_Frozen):
    """Limits of the Java service."""

    heap_mb: int


class WebTuning(_Frozen):
    """Limits of NGINX."""

    worker_connections: int
    connections_per_source: int
    requests_per_second: int
    requests_at_once: int
    file_descriptors: int


class StunTuning(_Frozen):
    """Relay port range of coturn, and its connection limit."""

    relay_start: int
    relay_end: int
    connections_per_source: int


class Tuning(_Frozen):
    """All tuned values."""

    telephony: TelephonyTuning
    database: DatabaseTuning
    backend: BackendTuning
    web: WebTuning
    stun: StunTuning


class Plan(_Frozen):
    """The sizing decision with its reasons."""

    size: Size
    agents: int
    hosts: tuple[PlannedHost, ...]
    tuning: Tuning
    reasons: tuple[Rationale, ...]

    def carriers(self, role: Role) -> tuple[PlannedHost, ...]:
        """The hosts that carry `role`."""
        return tuple(host for host in self.hosts if role in host.roles)

    def with_peers(self, addresses: Mapping[str, str]) -> Plan:
        """The plan with the addresses (by host name) at which the hosts reach one another."""
        hosts = tuple(host.model_copy(update={"peer": addresses[host.name]}) for host in self.hosts)
        return self.model_copy(update={"hosts": hosts})

    def host(self, name: str) -> PlannedHost:
        """The planned host of that name."""
        return next(host for host in self.hosts if host.name == name)
