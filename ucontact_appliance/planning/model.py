"""The plan: what install executes, and what doctor and report judge by."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pydantic import BaseModel, ConfigDict

from ucontact_appliance.language.fields import Text


class Size(str, Enum):
    """R12."""

    SMALL = "small"
    MEDIUM = "medium"
    BIG = "big"


class Role(str, Enum):
    """What a host can be asked to carry."""

    TELEPHONY = "telephony"
    BACKEND = "backend"
    DATABASE = "database"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedHost(_Frozen):
    """A host and its roles; `peer` is where others find one whose address is `local`."""

    name: str
    address: str
    roles: tuple[Role, ...]
    peer: str = ""

    @property
    def peer_address(self) -> str:
        """The address by which other hosts and agents find it."""
        return self.peer or self.address


class Rationale(_Frozen):
    """One figure of the plan and the reason for it; `number` and `unit` are for programs."""

    figure: Text
    value: Text
    because: Text
    number: float | None = None
    unit: str = ""


class TelephonyTuning(_Frozen):
    """Asterisk's limits."""

    max_calls: int
    session_limit: int
    connections_per_source: int
    file_descriptors: int
    rtp_start: int
    rtp_end: int


class DatabaseTuning(_Frozen):
    """MySQL's limits."""

    buffer_pool_mb: int
    max_connections: int


class BackendTuning(_Frozen):
    """The Java service's limits."""

    heap_mb: int


class WebTuning(_Frozen):
    """NGINX's limits."""

    worker_connections: int
    connections_per_source: int
    requests_per_second: int
    requests_at_once: int
    file_descriptors: int


class StunTuning(_Frozen):
    """coturn's relay range."""

    relay_start: int
    relay_end: int
    connections_per_source: int


class Tuning(_Frozen):
    """Every tuned value, all from one model."""

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
        """The plan with the addresses, by host name, at which hosts find one another."""
        hosts = tuple(host.model_copy(update={"peer": addresses[host.name]}) for host in self.hosts)
        return self.model_copy(update={"hosts": hosts})

    def host(self, name: str) -> PlannedHost:
        """The planned host of that name."""
        return next(host for host in self.hosts if host.name == name)
