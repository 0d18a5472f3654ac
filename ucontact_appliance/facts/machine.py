"""The hardware profile of the machine that installs (C04): psutil and netifaces, read only."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import netifaces
import psutil

from ucontact_appliance.facts.network import default_gateway
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.facts.survey import nominal_mb, survey

_MB = 1 << 20
_PSEUDO = ("veth", "vb-", "docker", "br-", "ifb", "tap")


@dataclass(frozen=True)
class Cpu:
    """Model, cores (physical and logical) and highest clock in MHz (0: not told)."""

    model: str
    cores: int
    threads: int
    mhz: int


@dataclass(frozen=True)
class Filesystem:
    """A mounted filesystem on a disk; sizes in MB."""

    mount: str
    device: str
    kind: str
    total_mb: int
    free_mb: int


@dataclass(frozen=True)
class Nic:
    """A network interface: speed in Mbit/s (0: not told), MTU in bytes, IPv4 addresses."""

    name: str
    up: bool
    speed_mbps: int
    mtu: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """What this machine is; memory in MB, as measured and as it was bought."""

    hostname: str
    os: str
    os_id: str
    os_version: str
    kernel: str
    architecture: str
    virtualisation: str
    cpu: Cpu
    memory_mb: int
    memory_nominal_mb: int
    filesystems: tuple[Filesystem, ...]
    nics: tuple[Nic, ...]
    default_route: str
    default_interface: str


def machine(runner: Runner) -> Machine:
    """This machine's profile; `runner` runs here."""
    seen = survey(runner)
    memory = int(psutil.virtual_memory().total)
    route, interface = default_gateway() or ("", "")
    return Machine(
        hostname=platform.node(),
        os=seen.os_name,
        os_id=seen.os_id,
        os_version=seen.os_version,
        kernel=platform.release(),
        architecture=platform.machine(),
        virtualisation=runner.run(["systemd-detect-virt"]).stdout.strip() or "not told",
        cpu=_cpu(),
        memory_mb=memory // _MB,
        memory_nominal_mb=nominal_mb(memory // 1024),
        filesystems=_filesystems(),
        nics=_nics(),
        default_route=route,
        default_interface=interface,
    )


def parse_cpu_model(cpuinfo: str) -> str:
    """The first 'model name' of /proc/cpuinfo; empty where the architecture has none."""
    for line in cpuinfo.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""


def _cpu() -> Cpu:
    clock = psutil.cpu_freq()
    return Cpu(
        model=parse_cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        cores=psutil.cpu_count(logical=False) or 0,
        threads=psutil.cpu_count() or 0,
        mhz=int(clock.max or clock.current) if clock else 0,
    )


def _filesystems() -> tuple[Filesystem, ...]:
    found = {}
    for part in psutil.disk_partitions(all=False):
        usage = psutil.disk_usage(part.mountpoint)
        found[part.device] = Filesystem(
            mount=part.mountpoint,
            device=part.device,
            kind=part.fstype,
            total_mb=usage.total // _MB,
            free_mb=usage.free // _MB,
        )
    return tuple(found.values())


def _nics() -> tuple[Nic, ...]:
    stats = psutil.net_if_stats()
    return tuple(
        Nic(
            name=name,
            up=stats[name].isup,
            speed_mbps=stats[name].speed,
            mtu=stats[name].mtu,
            addresses=tuple(
                str(entry["addr"])
                for entry in netifaces.ifaddresses(name).get(netifaces.AF_INET, [])
            ),
        )
        for name in netifaces.interfaces()
        if name != "lo" and not name.startswith(_PSEUDO) and name in stats
    )
