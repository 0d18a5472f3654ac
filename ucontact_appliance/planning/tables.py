"""The tables of the specification, parsed: what planning computes with."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ucontact_appliance.planning.model import Role, Size
from ucontact_appliance.resources import load_data


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SizeRow(_Row):
    """A row of R12, with the roles that share each server."""

    size: Size
    below: int | None
    servers: dict[str, int]
    groups: tuple[tuple[Role, ...], ...]
    requirement: str


class RecordingTable(_Row):
    """R25: megabytes by minutes."""

    requirement: str
    audio_mb: dict[int, float]
    video_mb: dict[int, float]


class GsmFrame(_Row):
    """A frame of GSM 06.10."""

    bytes: int
    milliseconds: int


class NetworkRow(_Row):
    """R23 or R24: what one call needs of the network."""

    id: str
    requirement: str
    bandwidth_kbps: int
    latency_ms: int
    jitter_ms: int
    loss_percent: float
    codecs: tuple[str, ...]


class ProbeRow(_Row):
    """How a path is measured; times in seconds."""

    port: int
    throughput_port: int
    packets_per_second: int
    seconds: int
    dscp: int
    throughput_seconds: int
    open_seconds: int


class PortRow(_Row):
    """A row of the port registry; `port` is a number or the name of a figure of the plan."""

    id: str
    protocol: str
    port: int | str
    role: str
    without: Role | None = None
    sources: Annotated[tuple[str, ...], Field(alias="from")]
    peers: tuple[Role, ...] = ()
    limited_by: Literal["telephony", "web", "stun"] | None = None
    purpose: Annotated[str, Field(alias="for")]
    requirements: tuple[str, ...]


class ComponentRow(_Row):
    """Something that a role takes from a server's package archives (`least`: version, or any).

    `phase` of an installation configures it.
    `packages` are its packages' names; where they differ between systems, `packages_of` names the
    column of the system's row that has them. `beside` are packages that come with it, and
    `if_available` those that only some archives have.
    """

    id: str
    title: str
    role: Role
    phase: str
    packages: tuple[str, ...] | None
    packages_of: Literal["java_package", "mysql_packages"] | None
    least: str | None
    requirements: tuple[str, ...]
    because: str
    program: str | None
    maker: str | None
    beside: tuple[str, ...] = ()
    if_available: tuple[str, ...] = ()


class OursRow(_Row):
    """A file that a role writes before any other of the component, and a text that is in it."""

    file: str
    text: str


class ForeignRow(_Row):
    """Where a component's configuration and data are that somebody else may have (foreign.yml)."""

    id: str
    title: str
    role: Role
    units: tuple[str, ...]
    configuration: tuple[str, ...]
    generated: tuple[str, ...]
    databases: tuple[str, ...]
    files: str | None
    ours: OursRow
    packages: tuple[str, ...] | None


class BasePackages(_Row):
    """Packages of every server; not where one of the units is at work."""

    packages: tuple[str, ...]
    unless: tuple[str, ...]


class AnsibleRow(_Row):
    """From which ansible-core on it drives which versions of Python on a server."""

    core: str
    targets: tuple[str, ...]


class OldTargets(_Row):
    """The ansible-core with the widest range, and the Python versions it comes along with."""

    core: str
    controller: tuple[str, ...]


class SystemRow(_Row):
    """A supported operating system, and what its own package archive has (None: nothing)."""

    id: str
    version: str
    name: str
    eol: date | None
    tested: bool
    python: str
    python_version: str
    python_packages: tuple[str, ...]
    nginx: str | None
    java: str | None
    java_package: str
    mysql: str | None
    mysql_flavour: Literal["server", "core"]
    mysql_packages: tuple[str, ...]
    asterisk: str | None
    odbc: str | None
    coturn: str | None


@cache
def sizes() -> tuple[SizeRow, ...]:
    """R12, smallest first."""
    return tuple(SizeRow(**row) for row in load_data("sizing")["sizes"])


@cache
def recordings() -> RecordingTable:
    """R25."""
    return RecordingTable(**load_data("storage")["recordings"])


@cache
def gsm_frame() -> GsmFrame:
    """The codec of audio recordings."""
    return GsmFrame(**load_data("storage")["gsm_frame"])


@cache
def network() -> dict[str, NetworkRow]:
    """R23 ('video') and R24 ('voip')."""
    return {row["id"]: NetworkRow(**row) for row in load_data("network")["profiles"]}


@cache
def probe() -> ProbeRow:
    """How a path is measured."""
    return ProbeRow(**load_data("network")["probe"])


@cache
def ports() -> tuple[PortRow, ...]:
    """The port registry."""
    return tuple(PortRow(**row) for row in load_data("ports")["ports"])


def registered_port(port_id: str) -> int:
    """The number of a row of the port registry that is one port."""
    return int(next(row.port for row in ports() if row.id == port_id))


@cache
def systems() -> tuple[SystemRow, ...]:
    """The supported operating systems (R18 and newer)."""
    return tuple(SystemRow(**row) for row in load_data("os")["systems"])


@cache
def hardware() -> dict[str, Any]:
    """What a server must have, and what calls and roles take of it."""
    table: dict[str, Any] = load_data("hardware")
    return table


@cache
def components() -> tuple[ComponentRow, ...]:
    """What the roles take from package archives."""
    return tuple(ComponentRow(**row) for row in load_data("os")["components"])


@cache
def ansible() -> tuple[AnsibleRow, ...]:
    """Which ansible-core drives which Python, oldest first."""
    return tuple(AnsibleRow(**row) for row in load_data("os")["ansible"])


@cache
def old_targets() -> OldTargets:
    """The way to a server whose Python the newest ansible-core does not drive."""
    return OldTargets(**load_data("os")["ansible_for_old_targets"])


@cache
def tuning() -> dict[str, Any]:
    """The factors that tuned values are made from."""
    table: dict[str, Any] = load_data("tuning")
    return table


@cache
def foreign() -> tuple[ForeignRow, ...]:
    """The components that a role would write over."""
    return tuple(ForeignRow.model_validate(row) for row in load_data("foreign")["components"])


@cache
def base_packages() -> tuple[BasePackages, ...]:
    """What every server gets."""
    return tuple(BasePackages.model_validate(row) for row in load_data("foreign")["base"])


@cache
def replaced_packages() -> frozenset[str]:
    """What a package of ours may take the place of."""
    return frozenset(load_data("foreign")["replaced"])


@cache
def originals() -> dict[str, tuple[str, ...]]:
    """Files that are changed and not written whole, by role; `every` are those of every server."""
    return {role: tuple(paths) for role, paths in load_data("foreign")["originals"].items()}
