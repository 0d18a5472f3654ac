"""The tables of the specification, parsed for planning."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict

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
    """R25: megabytes of a recording by minutes."""

    requirement: str
    audio_mb: dict[int, float]
    video_mb: dict[int, float]


class GsmFrame(_Row):
    """A frame of GSM 06.10."""

    bytes: int
    milliseconds: int


class NetworkRow(_Row):
    """R23 or R24: the network requirements of one call."""

    id: str
    requirement: str
    bandwidth_kbps: int
    latency_ms: int
    jitter_ms: int
    loss_percent: float
    codecs: tuple[str, ...]


class ProbeRow(_Row):
    """Parameters of a path measurement; times in seconds."""

    port: int
    throughput_port: int
    packets_per_second: int
    seconds: int
    dscp: int
    throughput_seconds: int
    open_seconds: int


class AnsibleRow(_Row):
    """The Python versions on servers that ansible-core supports from this version on."""

    core: str
    targets: tuple[str, ...]


class OldTargets(_Row):
    """The ansible-core with the widest range of targets, and the controller Pythons that get it."""

    core: str
    controller: tuple[str, ...]


class SystemRow(_Row):
    """A supported operating system, and its Python for Ansible."""

    id: str
    version: str
    name: str
    eol: date | None
    tested: bool
    python: str
    python_version: str
    python_packages: tuple[str, ...]


@cache
def sizes() -> tuple[SizeRow, ...]:
    """The rows of R12, smallest first."""
    return tuple(SizeRow(**row) for row in load_data("sizing")["sizes"])


@cache
def recordings() -> RecordingTable:
    """The table of R25."""
    return RecordingTable(**load_data("storage")["recordings"])


@cache
def gsm_frame() -> GsmFrame:
    """The frame of the codec of audio recordings."""
    return GsmFrame(**load_data("storage")["gsm_frame"])


@cache
def network() -> dict[str, NetworkRow]:
    """The rows of R23 ('video') and R24 ('voip')."""
    return {row["id"]: NetworkRow(**row) for row in load_data("network")["profiles"]}


@cache
def probe() -> ProbeRow:
    """The parameters of a path measurement."""
    return ProbeRow(**load_data("network")["probe"])


@cache
def systems() -> tuple[SystemRow, ...]:
    """The supported operating systems (R18 and newer)."""
    return tuple(SystemRow(**row) for row in load_data("os")["systems"])


@cache
def hardware() -> dict[str, Any]:
    """The hardware that a server must have, and that calls and roles consume."""
    table: dict[str, Any] = load_data("hardware")
    return table


@cache
def ansible() -> tuple[AnsibleRow, ...]:
    """The Python versions that each ansible-core supports, oldest first."""
    return tuple(AnsibleRow(**row) for row in load_data("os")["ansible"])


@cache
def old_targets() -> OldTargets:
    """The ansible-core for servers whose Python the newest one does not support."""
    return OldTargets(**load_data("os")["ansible_for_old_targets"])


@cache
def tuning() -> dict[str, Any]:
    """The factors that tuned values are computed from."""
    table: dict[str, Any] = load_data("tuning")
    return table
