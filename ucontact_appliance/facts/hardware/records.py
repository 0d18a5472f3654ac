"""Records of a machine's hardware profile: the same for this machine and remote ones.

Sizes are in MB (1 MB = 2^20 bytes, as in `free -m`), times in milliseconds, speeds in Mbit/s. None
means that the machine does not report the value.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class Cpu:
    """Model, cores over all sockets, threads, and the highest reported clock in MHz."""

    model: str
    cores: int
    threads: int
    mhz: int | None


@dataclass(frozen=True)
class InstalledMemory:
    """Memory as the kernel counts it, and its nominal size: 7.6 GiB are 8."""

    measured_mb: int
    nominal_mb: int


@dataclass(frozen=True)
class Disk:
    """A disk; `medium` is nvme, solid state, rotating or virtual.

    Whether a virtual disk rotates is known only to its host, whatever the disk reports.
    """

    name: str
    model: str
    size_mb: int
    rotational: bool | None
    medium: str


@dataclass(frozen=True)
class Filesystem:
    """A mounted file system, and the disks that it is on (through LVM, RAID and encryption)."""

    mount: str
    device: str
    kind: str
    total_mb: int
    free_mb: int
    disks: tuple[str, ...]


@dataclass(frozen=True)
class WriteLatency:
    """Time that a 4 KiB write takes to reach the disk (fsync) in the folder meant for `uses`.

    If it was not measured, `samples` is 0 and `error` says why.
    """

    uses: tuple[str, ...]
    folder: str
    mount: str
    samples: int
    p50_ms: float | None
    p99_ms: float | None
    error: str


@dataclass(frozen=True)
class Nic:
    """A network interface.

    `kind` is ethernet, wireless, bridge, bond, vlan or virtual; `state` is up, no link or down.
    Addresses are unique and in numerical order, whatever order they were read in.
    """

    name: str
    kind: str
    state: str
    speed_mbps: int | None
    mtu: int
    mac: str
    driver: str
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("ipv4", "ipv6"):
            ordered = tuple(sorted(set(getattr(self, name)), key=ipaddress.ip_address))
            object.__setattr__(self, name, ordered)


@dataclass(frozen=True)
class Route:
    """A default route: its interface, gateway (empty: none, a direct link) and MTU in bytes."""

    interface: str
    gateway: str
    mtu: int


@dataclass(frozen=True)
class Card:
    """A telephony card (R13); `evidence` shows how it was identified."""

    maker: str
    model: str
    bus: str
    id: str
    slot: str
    driver: str
    evidence: str


@dataclass(frozen=True)
class ClockDiscipline:
    """The running time service (empty: none), and whether it reports a synchronised clock."""

    service: str
    synchronised: bool


@dataclass(frozen=True)
class Profile:
    """The hardware profile of one machine."""

    hostname: str
    os_id: str
    os_version: str
    os_name: str
    kernel: str
    architecture: str
    product: str
    virtualisation: str
    cpu: Cpu
    memory: InstalledMemory
    disks: tuple[Disk, ...]
    filesystems: tuple[Filesystem, ...]
    write_latency: tuple[WriteLatency, ...]
    nics: tuple[Nic, ...]
    route4: Route | None
    route6: Route | None
    clock: ClockDiscipline
    cards: tuple[Card, ...]
    python: str
