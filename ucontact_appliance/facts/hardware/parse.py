"""Parse the output of a profile's probe (installer/probes/hardware.py) into records.

Nothing here accesses a machine: texts and small maps go in, frozen records come out.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ucontact_appliance.facts.hardware.cards import find_cards
from ucontact_appliance.facts.hardware.records import (
    ClockDiscipline,
    Cpu,
    Disk,
    Filesystem,
    InstalledMemory,
    Nic,
    Profile,
    Route,
    WriteLatency,
)
from ucontact_appliance.facts.host import parse_time_sync
from ucontact_appliance.facts.survey import nominal_mb, parse_mem_total_kb, parse_os_release
from ucontact_appliance.resources import load_data

_MB = 1 << 20
_SECTOR = 512  # the unit of /sys/block/*/size, whatever the disk's own sector size is
_NO_DISK = ("loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd")
_VIRTUAL_DISK = re.compile(r"^(vd|xvd)[a-z]|\b(QEMU|VMware|Virtual|VBOX|Google|Amazon)\b", re.I)
_READ_ONLY_KINDS = ("squashfs", "iso9660", "erofs")
# Host ends of links to containers and rehearsal machines, and leftovers of tunnels and test tools.
_FOREIGN = ("veth", "vb-", "vnet", "tap", "docker", "virbr", "br-", "cali", "flannel", "ifb")
_ETHERNET = "1"  # ARPHRD_ETHER
_IFF_UP = 1
_RTF_UP = 1


def parse_profile(seen: Mapping[str, Any]) -> Profile:
    """Parse the probe's whole document."""
    files: Mapping[str, str] = seen["files"]
    commands: Mapping[str, str] = seen["commands"]
    release = parse_os_release(files.get("/etc/os-release", ""))
    hostname, kernel, architecture = seen["uname"]
    nics = parse_nics(seen["interfaces"], seen["ipv4"], files.get("/proc/net/if_inet6", ""))
    mtus = {nic.name: nic.mtu for nic in nics}
    disks = parse_disks(seen["disks"])
    mountinfo = files.get("/proc/self/mountinfo", "")
    return Profile(
        hostname=hostname,
        os_id=release.get("ID", ""),
        os_version=release.get("VERSION_ID", ""),
        os_name=release.get("PRETTY_NAME", release.get("ID", "unknown")),
        kernel=kernel,
        architecture=architecture,
        product=parse_product(files),
        virtualisation=parse_virtualisation(commands.get("virt", ""), files),
        cpu=parse_cpu(files.get("/proc/cpuinfo", ""), seen["topology"], seen["max_khz"]),
        memory=parse_memory(files.get("/proc/meminfo", "")),
        disks=disks,
        filesystems=parse_filesystems(mountinfo, seen["sizes"], seen["disks"]),
        write_latency=parse_writes(seen["writes"], mountinfo),
        nics=nics,
        route4=parse_route4(files.get("/proc/net/route", ""), mtus),
        route6=parse_route6(files.get("/proc/net/ipv6_route", ""), mtus),
        clock=parse_clock(commands),
        cards=find_cards(
            seen["pci"],
            seen["usb"],
            files.get("/proc/modules", ""),
            files.get("/etc/khomp/devices", "") if seen["khomp"] else None,
        ),
        python=seen["python"],
    )


def parse_cpu(cpuinfo: str, topology: Sequence[Sequence[str]], max_khz: str) -> Cpu:
    """The processor from /proc/cpuinfo, pairs of package and core, and cpufreq's maximum clock.

    If `topology` is empty, cores are counted by cpuinfo's own ids, or without them by threads.
    """
    blocks = [_fields(part) for part in cpuinfo.split("\n\n")]
    processors = [block for block in blocks if "processor" in block]
    pairs = {tuple(pair) for pair in topology}
    pairs = pairs or {
        (block["physical id"], block["core id"])
        for block in processors
        if "physical id" in block and "core id" in block
    }
    clocks = [float(block["cpu MHz"]) for block in processors if "cpu MHz" in block]
    mhz = int(max_khz) // 1000 if max_khz.strip() else round(max(clocks, default=0))
    return Cpu(
        model=_cpu_model(blocks),
        cores=len(pairs) or len(processors),
        threads=len(processors),
        mhz=mhz or None,
    )


def _cpu_model(blocks: Sequence[Mapping[str, str]]) -> str:
    """The processor's name: x86 has a model name, ARM a part number and sometimes the board's."""
    merged: dict[str, str] = {}
    for block in blocks:
        for key, value in block.items():
            merged.setdefault(key, value)
    parts = load_data("hardware")["arm_parts"].get(merged.get("CPU implementer", ""), {})
    part = parts.get(merged.get("CPU part", ""), "")
    words = part or merged.get("model name") or merged.get("Hardware") or "not told"
    return " ".join(words.split())


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def parse_memory(meminfo: str) -> InstalledMemory:
    """Measured and nominal memory from /proc/meminfo."""
    total = parse_mem_total_kb(meminfo)
    return InstalledMemory(measured_mb=total // 1024, nominal_mb=nominal_mb(total))


def parse_product(files: Mapping[str, str]) -> str:
    """The machine's manufacturer and product name; empty when its firmware does not report them."""
    maker = files.get("/sys/class/dmi/id/sys_vendor", "").strip()
    name = files.get("/sys/class/dmi/id/product_name", "").strip()
    board = files.get("/proc/device-tree/model", "").strip("\0\n ")
    told = f"{maker} {name}".strip() or board
    return "" if "O.E.M." in told else told


def parse_virtualisation(detected: str, files: Mapping[str, str]) -> str:
    """The output of systemd-detect-virt(1); without it, 'none' or an unnamed hypervisor."""
    word = detected.strip()
    if re.fullmatch(r"[a-z0-9-]+", word):
        return word
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", files.get("/proc/cpuinfo", ""), re.M)
    return "a hypervisor (not named)" if flags else "none"


def parse_disks(block: Mapping[str, Mapping[str, Any]]) -> tuple[Disk, ...]:
    """Physical disks: no loop or memory disks, empty drives, or devices built on other ones."""
    return tuple(
        _disk(name, about)
        for name, about in sorted(block.items())
        # Without device numbers it is a hidden path to a disk that has several (NVMe multipath).
        if not name.startswith(_NO_DISK) and about.get("dev") and int(about.get("size") or 0)
    )


def _disk(name: str, about: Mapping[str, Any]) -> Disk:
    vendor, model = about.get("device/vendor", ""), about.get("device/model", "")
    # SCSI's vendor is a name (for SATA disks the word ATA), PCI's a number.
    maker = "" if vendor.startswith("0x") or vendor.strip() == "ATA" else vendor
    told = " ".join(f"{maker} {model}".split())
    rotational = {"0": False, "1": True}.get(about.get("queue/rotational", ""))
    if _VIRTUAL_DISK.search(name) or _VIRTUAL_DISK.search(told):
        medium = "virtual"
    elif name.startswith("nvme"):
        medium = "nvme"
    else:
        medium = {False: "solid state", True: "rotating", None: "not told"}[rotational]
    return Disk(name, told, int(about["size"]) * _SECTOR // _MB, rotational, medium)


def parse_filesystems(
    mountinfo: str, sizes: Mapping[str, Sequence[int]], block: Mapping[str, Mapping[str, Any]]
) -> tuple[Filesystem, ...]:
    """File systems with a size, each once (no bind mounts), and the disks that they are on."""
    found: dict[str, Filesystem] = {}
    for numbers, mount, kind, source in _mounts(mountinfo):
        total, free = sizes.get(mount, (0, 0))
        one = numbers if source.startswith("/dev/") else source + numbers
        if not total or kind in _READ_ONLY_KINDS or one in found:
            continue
        disks = tuple(sorted(_disks_of(numbers, source, block)))
        found[one] = Filesystem(_unescape(mount), source, kind, total // _MB, free // _MB, disks)
    return tuple(sorted(found.values(), key=lambda row: row.mount))


def _mounts(mountinfo: str) -> Iterable[tuple[str, str, str, str]]:
    """Yield device numbers, mount point, kind and source of each line of proc(5)'s mountinfo.

    A mount of a folder inside a file system is a bind mount, or on btrfs perhaps a subvolume.
    """
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if len(left) < 5 or len(right) < 2:
            continue
        if left[3] == "/" or left[4] == "/" or right[0] == "btrfs":
            yield left[2], left[4], right[0], right[1]


def _unescape(mount: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount)


def _disks_of(numbers: str, source: str, block: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """The disks behind a device, found by its numbers, or by name (btrfs has its own numbers)."""
    name = source.rpartition("/")[2]
    for disk, about in block.items():
        parts: Mapping[str, str] = about["partitions"]
        if about.get("dev") == numbers or numbers in parts.values() or name in (disk, *parts):
            yield from _bottom(disk, block)
            return


def _bottom(name: str, block: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """The disks below a device through LVM, RAID and encryption; the device itself if none."""
    below = block[name]["slaves"]
    if not below:
        yield name
    for slave in below:
        for disk, about in block.items():
            if slave == disk or slave in about["partitions"]:
                yield from _bottom(disk, block)


def parse_writes(writes: Sequence[Mapping[str, Any]], mountinfo: str) -> tuple[WriteLatency, ...]:
    """The measured writes as percentiles (nearest rank), with the mount point of each folder."""
    mounts = [_unescape(mount) for _, mount, _, _ in _mounts(mountinfo)]
    return tuple(
        WriteLatency(
            uses=tuple(row["uses"]),
            folder=row["folder"],
            mount=_mount_of(row["folder"], mounts),
            samples=len(row["seconds"]),
            p50_ms=percentile_ms(row["seconds"], 50),
            p99_ms=percentile_ms(row["seconds"], 99),
            error=row["error"],
        )
        for row in writes
    )


def _mount_of(folder: str, mounts: Sequence[str]) -> str:
    around = [at for at in mounts if at in ("/", folder) or folder.startswith(f"{at}/")]
    return max(around, key=len, default="/")


def percentile_ms(seconds: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile in ms, rounded to the microsecond; None without samples."""
    if not seconds:
        return None
    rank = -(-percent * len(seconds) // 100)
    return round(sorted(seconds)[max(rank, 1) - 1] * 1000, 3)


def parse_nics(
    interfaces: Mapping[str, Mapping[str, Any]],
    ipv4: Sequence[Sequence[str]],
    if_inet6: str,
) -> tuple[Nic, ...]:
    """The interfaces that lead out of the machine, with their properties and addresses."""
    addresses6 = parse_if_inet6(if_inet6)
    found = []
    for name, about in sorted(interfaces.items()):
        if name == "lo" or name.startswith(_FOREIGN) or about.get("type") != _ETHERNET:
            continue
        addresses = tuple(address for nic, address in ipv4 if nic == name)
        here6 = tuple(addresses6.get(name, ()))
        if not about["has_device"] and not addresses and not here6:
            continue  # an empty bridge or tunnel
        found.append(
            Nic(
                name=name,
                kind=_nic_kind(about),
                state=_nic_state(about),
                speed_mbps=_speed(about.get("speed", "")),
                mtu=int(about.get("mtu") or 0),
                mac=about.get("address", ""),
                driver=about.get("driver", ""),
                ipv4=addresses,
                ipv6=here6,
            )
        )
    return tuple(found)


def _nic_kind(about: Mapping[str, Any]) -> str:
    for kind in about["is"]:
        return str(kind)
    return "ethernet" if about["has_device"] else "virtual"


def _nic_state(about: Mapping[str, Any]) -> str:
    if about.get("carrier") == "1":
        return "up"
    return "no link" if int(about.get("flags") or "0", 16) & _IFF_UP else "down"


def _speed(text: str) -> int | None:
    """The speed in Mbit/s. If unknown, drivers report nothing, 0, -1, or -1 as unsigned 32 bits."""
    speed = int(text) if text.lstrip("-").isdigit() else 0
    return speed if 0 < speed < 0xFFFFFFFF else None


def parse_if_inet6(text: str) -> dict[str, list[str]]:
    """IPv6 addresses by interface, from /proc/net/if_inet6, including the loopback."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 6:
            address = ipaddress.IPv6Address(int(words[0], 16))
            found.setdefault(words[5], []).append(str(address))
    return found


def parse_route4(text: str, mtus: Mapping[str, int]) -> Route | None:
    """The IPv4 default route with the lowest metric, from /proc/net/route."""
    best: tuple[int, Route] | None = None
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 9 or (words[1], words[7]) != ("00000000",) * 2:
            continue
        if not int(words[3], 16) & _RTF_UP:
            continue
        # The kernel prints the address in the processor's byte order, which is little-endian.
        gateway = socket.inet_ntoa(struct.pack("<L", int(words[2], 16)))
        mtu = int(words[8]) or mtus.get(words[0], 0)
        route = Route(words[0], "" if gateway == "0.0.0.0" else gateway, mtu)
        if best is None or int(words[6]) < best[0]:
            best = int(words[6]), route
    return best[1] if best else None


def parse_route6(text: str, mtus: Mapping[str, int]) -> Route | None:
    """The IPv6 default route with the lowest metric, from /proc/net/ipv6_route."""
    best: tuple[int, Route] | None = None
    for line in text.splitlines():
        words = line.split()
        if len(words) < 10 or words[0] != "0" * 32 or words[1] != "00" or words[9] == "lo":
            continue
        gateway = str(ipaddress.IPv6Address(int(words[4], 16)))
        name = words[9]
        route = Route(name, "" if gateway == "::" else gateway, mtus.get(name, 0))
        if best is None or int(words[5], 16) < best[0]:
            best = int(words[5], 16), route
    return best[1] if best else None


def parse_clock(commands: Mapping[str, str]) -> ClockDiscipline:
    """The time service and its state, parsed as in the doctor's check of the clock."""
    lines = commands.get("timedatectl", "").splitlines()
    status = [line for line in lines if "synchronized" in line.lower()]
    told = {
        "units": commands.get("units", ""),
        "status": "\n".join(status),
        "tracking": commands.get("chronyc", ""),
    }
    found = parse_time_sync("\n".join(f"---- {name}\n{text}" for name, text in told.items()))
    return ClockDiscipline(found.service, found.synchronised)
