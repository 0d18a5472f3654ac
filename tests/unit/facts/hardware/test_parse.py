"""Profiles from texts: recorded whole on machines of four suites, and parts of hardware that stands
elsewhere, written down after what such machines show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.facts.hardware.parse import (
    parse_clock,
    parse_cpu,
    parse_disks,
    parse_filesystems,
    parse_memory,
    parse_nics,
    parse_product,
    parse_profile,
    parse_route4,
    parse_route6,
    parse_virtualisation,
    parse_writes,
    percentile_ms,
)
from ucontact_appliance.facts.hardware.records import ClockDiscipline, Profile, Route

_RECORDED = Path(__file__).with_name("recorded") / "profiles"


def recorded(name: str) -> Profile:
    return parse_profile(json.loads((_RECORDED / f"{name}.json").read_text(encoding="utf-8")))


# Whole documents


@pytest.mark.parametrize(
    ("name", "version", "python"),
    [
        ("bullseye", "11", "3.9"),
        ("bullseye-python2.7", "11", "2.7"),
        ("bookworm", "12", "3.11"),
        ("trixie", "13", "3.13"),
        ("sid", "", "3.14"),
    ],
)
def test_a_rehearsal_machine(name: str, version: str, python: str) -> None:
    seen = recorded(name)
    assert (seen.os_id, seen.os_version, seen.python) == ("debian", version, python)
    assert (seen.architecture, seen.virtualisation) == ("x86_64", "systemd-nspawn")
    assert (seen.cpu.model, seen.cpu.cores, seen.cpu.threads) == ("AMD EPYC", 2, 2)
    assert (seen.memory.measured_mb, seen.memory.nominal_mb) == (24105, 24576)
    assert [(row.mount, row.kind) for row in seen.filesystems] == [("/", "overlay")]
    (nic,) = seen.nics
    assert (nic.name, nic.kind, nic.state, nic.mtu) == ("host0", "virtual", "up", 1500)
    assert nic.ipv4[0].startswith("10.203.17.")
    assert seen.route4 == Route("host0", "10.203.17.1", 1500)
    (write,) = seen.write_latency
    assert (write.uses, write.mount, write.error) == (("database", "recordings"), "/", "")
    assert write.samples > 0
    assert write.p50_ms is not None
    assert write.p99_ms is not None
    assert 0 < write.p50_ms <= write.p99_ms
    assert seen.cards == ()


def test_a_virtual_machine() -> None:
    seen = recorded("virtual-machine")
    assert [(disk.name, disk.size_mb, disk.medium) for disk in seen.disks] == [
        ("vda", 262144, "virtual")
    ]
    assert [(row.mount, row.kind, row.disks) for row in seen.filesystems] == [
        ("/", "ext4", ("vda",))
    ]
    nic = next(nic for nic in seen.nics if nic.name == "eth0")
    assert (nic.kind, nic.driver, nic.mtu, nic.speed_mbps) == ("ethernet", "virtio_net", 1400, None)
    assert "fd00::2" in nic.ipv6
    assert seen.route4 == Route("eth0", "192.0.2.1", 1400)
    assert seen.route6 == Route("eth0", "fd00::1", 1400)
    # No systemd there: what it says instead of states is not taken for a service.
    assert seen.clock == ClockDiscipline("", False)


def test_both_pythons_tell_the_same_of_a_machine() -> None:
    new, old = recorded("bullseye"), recorded("bullseye-python2.7")
    filesystems = tuple(replace(row, free_mb=0) for row in new.filesystems)
    assert filesystems == tuple(replace(row, free_mb=0) for row in old.filesystems)
    same = {"filesystems": (), "write_latency": (), "python": ""}
    assert replace(new, **same) == replace(old, **same)  # type: ignore[arg-type]


# Processors


def x86(model: str, *, packages: int, cores: int, threads: int, mhz: str = "2400.000") -> str:
    """/proc/cpuinfo of an x86 machine, cores and threads per package."""
    return "\n\n".join(
        f"processor\t: {package * threads + thread}\nvendor_id\t: GenuineIntel\n"
        f"model name\t: {model}\ncpu MHz\t\t: {mhz}\n"
        f"physical id\t: {package}\ncore id\t\t: {thread % cores}\nflags\t\t: fpu vme"
        for package in range(packages)
        for thread in range(threads)
    )


def arm(implementer: str, part: str, count: int, *, tail: str = "", name: str = "") -> str:
    model = f"model name\t: {name}\n" if name else ""
    blocks = [
        f"processor\t: {number}\n{model}BogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32\n"
        f"CPU implementer\t: {implementer}\nCPU architecture: 8\nCPU part\t: {part}"
        for number in range(count)
    ]
    return "\n\n".join([*blocks, tail]) if tail else "\n\n".join(blocks) + "\n\n"


_PI = "Hardware\t: BCM2835\nRevision\t: d03141\nModel\t\t: Raspberry Pi Compute Module 4 Rev 1.1\n"


@pytest.mark.parametrize(
    ("text", "max_khz", "model", "cores", "threads", "mhz"),
    [
        (x86("Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz", packages=2, cores=10, threads=20),
         "3200000\n", "Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz", 20, 40, 3200),
        (x86("Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", packages=1, cores=4, threads=8),
         "3400000\n", "Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", 4, 8, 3400),
        (x86("QEMU Virtual CPU version 2.5+", packages=4, cores=1, threads=1, mhz="2099.998"),
         "", "QEMU Virtual CPU version 2.5+", 4, 4, 2100),
        (x86("Intel(R) Xeon(R)  CPU   E5-2680 v4", packages=2, cores=2, threads=2),
         "", "Intel(R) Xeon(R) CPU E5-2680 v4", 4, 4, 2400),
        (arm("0x41", "0xd08", 4, tail=_PI), "1500000", "Cortex-A72", 4, 4, 1500),
        (arm("0x41", "0xd08", 4, tail=_PI, name="ARMv7 Processor rev 3 (v7l)"), "1500000",
         "Cortex-A72", 4, 4, 1500),
        (arm("0x41", "0xd0c", 80), "3000000", "Neoverse N1", 80, 80, 3000),
        (arm("0x46", "0x001", 48), "", "not told", 48, 48, None),
        (arm("0x51", "0x800", 2, name="Kryo rev 2"), "", "Kryo rev 2", 2, 2, None),
        ("", "", "not told", 0, 0, None),
    ],
)  # fmt: skip
def test_a_processor(  # noqa: PLR0917
    text: str, max_khz: str, model: str, cores: int, threads: int, mhz: int | None
) -> None:
    cpu = parse_cpu(text, [], max_khz)
    assert (cpu.model, cpu.cores, cpu.threads, cpu.mhz) == (model, cores, threads, mhz)


def test_the_kernels_topology_counts_cores_where_cpuinfo_does_not() -> None:
    pairs = [["0", "0"], ["0", "0"], ["0", "1"], ["0", "1"]]
    cpu = parse_cpu(arm("0x41", "0xd0c", 4), pairs, "")
    assert (cpu.cores, cpu.threads) == (2, 4)


def test_memory_of_eight_gigabytes_less_what_the_firmware_keeps() -> None:
    memory = parse_memory("MemTotal:        7969177 kB\nMemFree:  100 kB\n")
    assert (memory.measured_mb, memory.nominal_mb) == (7782, 8192)


@pytest.mark.parametrize(
    ("files", "product"),
    [
        ({"/sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
          "/sys/class/dmi/id/product_name": "PowerEdge R340\n"}, "Dell Inc. PowerEdge R340"),
        ({"/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"},
         "Raspberry Pi 4 Model B Rev 1.4"),
        ({"/sys/class/dmi/id/sys_vendor": "To Be Filled By O.E.M.\n",
          "/sys/class/dmi/id/product_name": "To Be Filled By O.E.M.\n"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_product(files: dict[str, str], product: str) -> None:
    assert parse_product(files) == product


@pytest.mark.parametrize(
    ("told", "flags", "expected"),
    [
        ("kvm\n", "fpu hypervisor", "kvm"),
        ("vmware\n", "fpu hypervisor", "vmware"),
        ("none\n", "fpu", "none"),
        ("systemd-nspawn\n", "fpu", "systemd-nspawn"),
        ("", "fpu hypervisor lahf_lm", "a hypervisor (not named)"),
        ("", "fpu vme", "none"),
    ],
)
def test_virtualisation(told: str, flags: str, expected: str) -> None:
    files = {"/proc/cpuinfo": f"processor\t: 0\nflags\t\t: {flags}\n"}
    assert parse_virtualisation(told, files) == expected


# Disks and filesystems


def block(
    dev: str, gib: float, rotational: str = "0", *, parts: dict[str, str] | None = None,
    slaves: tuple[str, ...] = (), **told: str,
) -> dict[str, Any]:  # fmt: skip
    return {
        "dev": dev,
        "size": str(int(gib * 2097152)),
        "removable": "0",
        "queue/rotational": rotational,
        "partitions": parts or {},
        "slaves": list(slaves),
        **{f"device/{key}": value for key, value in told.items()},
    }


@pytest.mark.parametrize(
    ("name", "about", "model", "medium", "rotational"),
    [
        ("nvme0n1", block("259:0", 476, model="SAMSUNG MZVLB512HAJQ-00000              "),
         "SAMSUNG MZVLB512HAJQ-00000", "nvme", False),
        ("sda", block("8:0", 447, vendor="ATA     ", model="INTEL SSDSC2KB48"),
         "INTEL SSDSC2KB48", "solid state", False),
        ("sda", block("8:0", 931, "1", vendor="DELL    ", model="PERC H330 Mini  "),
         "DELL PERC H330 Mini", "rotating", True),
        ("sda", block("8:0", 100, "1", vendor="VMware  ", model="Virtual disk    "),
         "VMware Virtual disk", "virtual", True),
        ("sda", block("8:0", 40, "1", vendor="QEMU    ", model="QEMU HARDDISK   "),
         "QEMU QEMU HARDDISK", "virtual", True),
        ("vda", block("254:0", 256, "1", vendor="0x1af4"), "", "virtual", True),
        ("xvda", block("202:0", 8, "0"), "", "virtual", False),
        ("mmcblk0", block("179:0", 29), "", "solid state", False),
    ],
)  # fmt: skip
def test_a_disk(
    name: str, about: dict[str, Any], model: str, medium: str, rotational: bool
) -> None:
    (disk,) = parse_disks({name: about})
    assert (disk.name, disk.model, disk.medium, disk.rotational) == (
        name,
        model,
        medium,
        rotational,
    )


def test_what_is_no_disk_is_not_listed() -> None:
    names = {
        "loop0": block("7:0", 0.1),
        "sr0": block("11:0", 1, "1", vendor="QEMU", model="DVD-ROM"),
        "zram0": block("253:0", 1),
        "dm-0": block("253:0", 10, slaves=("sda2",)),
        "md0": block("9:0", 10, slaves=("sda1", "sdb1")),
        "sdc": block("8:32", 0, vendor="Generic-", model="SD/MMC"),
        # One of the ways to a disk with NVMe multipath: it has no numbers of its own.
        "nvme0c0n1": {**block("", 2980), "dev": ""},
    }
    assert parse_disks(names) == ()


_GIB = 1 << 30
_SERVER = {
    "sda": block("8:0", 931, "1", parts={"sda1": "8:1", "sda2": "8:2"}),
    "sdb": block("8:16", 931, "1", parts={"sdb1": "8:17"}),
    "nvme0n1": block("259:0", 476, parts={"nvme0n1p1": "259:1", "nvme0n1p3": "259:3"}),
    "dm-0": block("253:0", 475, slaves=("nvme0n1p3",)),
    "dm-1": block("253:1", 200, slaves=("dm-0",)),
    "md0": block("9:0", 930, "1", slaves=("sda2", "sdb1")),
    "loop3": block("7:3", 0.1),
}
_MOUNTS = """\
22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg0-root rw
23 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw
31 22 259:1 / /boot/efi rw,relatime shared:30 - vfat /dev/nvme0n1p1 rw
32 22 9:0 / /var/spool/asterisk rw,noatime shared:31 - xfs /dev/md0 rw
33 22 7:3 / /snap/core20/1974 ro,nodev shared:32 - squashfs /dev/loop3 ro
34 22 9:0 /monitor /srv/recordings rw shared:31 - xfs /dev/md0 rw
35 22 8:1 / /mnt/old\\040disk rw shared:33 - ext4 /dev/sda1 rw
36 22 0:50 / /mnt/nas rw - nfs4 nas:/export rw
37 22 0:44 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
broken line
"""
_SIZES = {
    "/": [196 * _GIB, 150 * _GIB],
    "/boot/efi": [_GIB // 2, _GIB // 4],
    "/var/spool/asterisk": [930 * _GIB, 900 * _GIB],
    "/snap/core20/1974": [_GIB // 10, 0],
    "/srv/recordings": [930 * _GIB, 900 * _GIB],
    "/mnt/old\\040disk": [100 * _GIB, 1 * _GIB],
    "/mnt/nas": [4000 * _GIB, 1000 * _GIB],
}


def test_filesystems_stand_on_disks_through_lvm_raid_and_encryption() -> None:
    found = {row.mount: row for row in parse_filesystems(_MOUNTS, _SIZES, _SERVER)}
    assert {mount: row.disks for mount, row in found.items()} == {
        "/": ("nvme0n1",),
        "/boot/efi": ("nvme0n1",),
        "/var/spool/asterisk": ("sda", "sdb"),
        "/mnt/old disk": ("sda",),
        "/mnt/nas": (),
    }
    root = found["/"]
    assert (root.kind, root.device) == ("ext4", "/dev/mapper/vg0-root")
    assert (root.total_mb, root.free_mb) == (196 * 1024, 150 * 1024)


def test_volumes_of_btrfs_are_one_filesystem_on_its_disk() -> None:
    mounts = (
        "30 1 0:28 /@ / rw shared:1 - btrfs /dev/sda2 rw,subvol=/@\n"
        "40 30 0:28 /@home /home rw shared:20 - btrfs /dev/sda2 rw,subvol=/@home\n"
    )
    sizes = {"/": [100 * _GIB, 50 * _GIB], "/home": [100 * _GIB, 50 * _GIB]}
    (found,) = parse_filesystems(mounts, sizes, _SERVER)
    assert (found.mount, found.kind, found.disks) == ("/", "btrfs", ("sda",))


def test_written_files_are_told_with_their_mount() -> None:
    rows = [
        {"uses": ["database"], "folder": "/var/lib", "seconds": [0.001, 0.002], "error": ""},
        {"uses": ["recordings"], "folder": "/var/spool/asterisk", "seconds": [],
         "error": "/var/spool/asterisk: Permission denied"},
    ]  # fmt: skip
    database, recordings = parse_writes(rows, _MOUNTS)
    assert (database.mount, database.samples, database.p50_ms, database.p99_ms) == ("/", 2, 1, 2)
    assert (recordings.mount, recordings.samples, recordings.p99_ms) == (
        "/var/spool/asterisk",
        0,
        None,
    )
    assert "Permission denied" in recordings.error


def test_percentiles_are_of_the_nearest_rank() -> None:
    hundred = [number / 1000 for number in range(100, 0, -1)]
    assert (percentile_ms(hundred, 50), percentile_ms(hundred, 99)) == (50, 99)
    assert percentile_ms([], 50) is None


@given(st.lists(st.floats(min_value=0, max_value=10), min_size=1))
def test_a_percentile_is_one_of_the_samples_and_grows(seconds: list[float]) -> None:
    half, most = percentile_ms(seconds, 50), percentile_ms(seconds, 99)
    assert half is not None
    assert most is not None
    assert half <= most
    assert {half, most} <= {round(one * 1000, 3) for one in seconds}


# The network


def nic(**told: Any) -> dict[str, Any]:
    usual = {
        "address": "aa:bb:cc:00:00:01", "carrier": "1", "driver": "igb", "flags": "0x1003",
        "has_device": True, "is": [], "mtu": "1500", "operstate": "up", "speed": "1000",
        "type": "1",
    }  # fmt: skip
    return {key: value for key, value in {**usual, **told}.items() if value is not None}


@pytest.mark.parametrize(
    ("told", "kind", "state", "speed"),
    [
        (nic(), "ethernet", "up", 1000),
        (nic(speed="10000", mtu="9000"), "ethernet", "up", 10000),
        (nic(carrier="0", operstate="down", speed="-1"), "ethernet", "no link", None),
        # The kernel refuses to read carrier and speed of an interface that is off.
        (nic(carrier=None, speed=None, flags="0x1002", operstate="down"), "ethernet", "down", None),
        (nic(speed="4294967295"), "ethernet", "up", None),
        ({**nic(speed=None), "is": ["wireless"], "driver": "iwlwifi"}, "wireless", "up", None),
        ({**nic(speed="2000"), "is": ["bond"], "has_device": False}, "bond", "up", 2000),
        ({**nic(), "is": ["vlan"], "has_device": False}, "vlan", "up", 1000),
        ({**nic(), "is": ["bridge"], "has_device": False}, "bridge", "up", 1000),
    ],
)
def test_an_interface(told: dict[str, Any], kind: str, state: str, speed: int | None) -> None:
    (found,) = parse_nics({"if0": told}, [["if0", "192.0.2.7"], ["if0", "192.0.2.8"]], "")
    assert (found.kind, found.state, found.speed_mbps) == (kind, state, speed)
    assert found.ipv4 == ("192.0.2.7", "192.0.2.8")


def test_interfaces_that_lead_nowhere_are_left_out() -> None:
    inner = {**nic(), "has_device": False}
    seen = {
        "lo": nic(type="772", has_device=False),
        "docker0": {**inner, "is": ["bridge"]},
        "veth12ab": inner,
        "virbr0": inner,
        "br0": {**inner, "is": ["bridge"]},
        "sit0": {**inner, "type": "776"},
    }
    assert parse_nics(seen, [["docker0", "172.17.0.1"], ["virbr0", "192.168.122.1"]], "") == ()


_ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlp3s0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eno1\t00000000\t0118640A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eno1\t0018640A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0
"""


def test_the_default_route_is_the_one_with_the_least_metric() -> None:
    # Half of the internet (0.0.0.0/1), as OpenVPN routes it, is no default route.
    assert parse_route4(_ROUTES, {"eno1": 1500}) == Route("eno1", "10.100.24.1", 1500)


def test_a_default_route_has_its_own_mtu_and_may_have_no_gateway() -> None:
    head = _ROUTES.splitlines()[0]
    line = "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t1492\t0\t0"
    assert parse_route4(f"{head}\n{line}\n", {"ppp0": 1500}) == Route("ppp0", "", 1492)


@pytest.mark.parametrize("text", ["", _ROUTES.splitlines()[0] + "\n"])
def test_no_default_route(text: str) -> None:
    assert parse_route4(text, {}) is None


def test_the_ipv6_default_route() -> None:
    none = "0" * 32
    text = (
        f"20010db8000000000000000000000000 40 {none} 00 {none} 00000100 1 0 00000001 eth0\n"
        f"{none} 00 {none} 00 fe80000000000000021a2bfffe3c4d5e 00000400 1 0 00000003 eth0\n"
        f"{none} 00 {none} 00 {none} ffffffff 1 0 00200200       lo\n"
    )
    assert parse_route6(text, {"eth0": 1500}) == Route("eth0", "fe80::21a:2bff:fe3c:4d5e", 1500)
    assert parse_route6("", {}) is None


# The clock


_INACTIVE = "inactive\n" * 6


@pytest.mark.parametrize(
    ("units", "timedatectl", "chronyc", "expected"),
    [
        ("inactive\ninactive\nactive\n" + "inactive\n" * 3,
         "System clock synchronized: yes\n              NTP service: active\n", "",
         ClockDiscipline("systemd-timesyncd", True)),
        ("inactive\ninactive\nactive\n" + "inactive\n" * 3,
         " Network time on: yes\nNTP synchronized: no\n RTC in local TZ: yes\n", "",
         ClockDiscipline("systemd-timesyncd", False)),
        (_INACTIVE, " Network time on: yes\nNTP synchronized: yes\n", "",
         ClockDiscipline("", True)),
        (_INACTIVE, "System clock synchronized: no\nsystemd-timesyncd.service active: yes\n", "",
         ClockDiscipline("", False)),
        ("active\nactive\n" + "inactive\n" * 4, "System clock synchronized: no\n",
         "Reference ID    : C0000201\nLeap status     : Normal\n", ClockDiscipline("chrony", True)),
        ("", "", "", ClockDiscipline("", False)),
    ],
)  # fmt: skip
def test_the_clock(units: str, timedatectl: str, chronyc: str, expected: ClockDiscipline) -> None:
    seen = {"units": units, "timedatectl": timedatectl, "chronyc": chronyc}
    assert parse_clock(seen) == expected


def test_addresses_are_a_set_in_the_order_of_their_numbers() -> None:
    link_local, unique = "fe80::fc:ff:fe00:1", "fd00::2"
    told = [
        replace(recorded("sid").nics[0], ipv4=four, ipv6=six)
        for four, six in (
            (("192.0.2.10", "192.0.2.9"), (link_local, unique)),
            (("192.0.2.9", "192.0.2.10", "192.0.2.9"), (unique, link_local)),
        )
    ]
    assert told[0] == told[1]
    assert (told[0].ipv4, told[0].ipv6) == (("192.0.2.9", "192.0.2.10"), (unique, link_local))
