"""A machine's profile for people: one block, each line a sentence that a technician can check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import ROUNDED
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from ucontact_appliance.facts.hardware.records import (
    Card,
    Clock,
    Cpu,
    Disk,
    Filesystem,
    Nic,
    Profile,
    Route,
    WriteLatency,
)
from ucontact_appliance.planning.capability import Capability
from ucontact_appliance.resources import load_data

_LINK_LOCAL = "fe80:"


def profile_block(name: str, seen: Profile, carries: Sequence[Capability]) -> Panel:
    """Everything about one machine, under its name."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(overflow="fold")
    last = ""
    for label, text in _lines(seen, carries):
        rows.add_row(label if label != last else "", text)
        last = label
    return Panel(rows, title=f"[bold]{escape(name)}[/]", title_align="left", box=ROUNDED)


def _lines(seen: Profile, carries: Sequence[Capability]) -> Iterator[tuple[str, str]]:
    machine = seen.product or "machine of an unknown maker"
    virtual = "no virtualisation" if seen.virtualisation == "none" else seen.virtualisation
    yield "machine", escape(f"{machine}, {seen.architecture}, {virtual}")
    yield "system", escape(f"{seen.os_name}, kernel {seen.kernel}, Python {seen.python}")
    yield "processor", _cpu(seen.cpu)
    measured, nominal = seen.memory.measured_mb / 1024, seen.memory.nominal_mb / 1024
    yield "memory", f"{nominal:g} GB ({measured:.1f} GiB usable)"
    for disk in seen.disks:
        yield "disks", _disk(disk)
    for filesystem in seen.filesystems:
        yield "filesystems", _filesystem(filesystem)
    for write in seen.write_latency:
        yield "writing", _write(write)
    for nic in seen.nics:
        yield "network", _nic(nic)
    yield "routes", _route("IPv4", seen.route4)
    if seen.route6:
        yield "routes", _route("IPv6", seen.route6)
    yield "clock", _clock(seen.clock)
    for card in seen.cards:
        yield "telephony cards", _card(card)
    if not seen.cards:
        yield "telephony cards", "none on the PCI and USB buses (gateways stand in the network)"
    for row in carries:
        yield "could carry", _carry(row)


def _cpu(cpu: Cpu) -> str:
    clock = f", {cpu.mhz / 1000:.1f} GHz" if cpu.mhz else ""
    counted = f"{_count(cpu.cores, 'core')}, {_count(cpu.threads, 'thread')}"
    return escape(f"{cpu.model}, {counted}{clock}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _gib(megabytes: int) -> str:
    return f"{megabytes / 1024:.0f} GiB" if megabytes >= 10240 else f"{megabytes / 1024:.1f} GiB"


def _disk(disk: Disk) -> str:
    model = f", {disk.model}" if disk.model else ""
    return escape(f"{disk.name}: {_gib(disk.size_mb)}, {disk.medium}{model}")


def _filesystem(one: Filesystem) -> str:
    below = f" on {', '.join(one.disks)}" if one.disks else f" ({one.device})"
    size = f"{_gib(one.free_mb)} free of {_gib(one.total_mb)}"
    return escape(f"{one.mount}: {size}, {one.kind}{below}")


def _write(write: WriteLatency) -> str:
    uses = f"{' and '.join(write.uses)} on {write.mount}"
    if write.p50_ms is None or write.p99_ms is None:
        return f"[yellow]{escape(uses)}: not measured[/] ({escape(write.error)})"
    slow = write.p99_ms > load_data("hardware")["write_latency"]["slow_ms"]
    figures = f"half within {write.p50_ms:.1f} ms, 99 % within {write.p99_ms:.1f} ms"
    judged = f"[yellow]{figures}: a slow disk[/]" if slow else figures
    return f"{escape(uses)}: {judged} ({write.samples} writes to the disk)"


def _nic(nic: Nic) -> str:
    words = [nic.state if nic.state == "up" else f"[yellow]{nic.state}[/]"]
    if nic.kind != "ethernet":
        words.append(nic.kind)
    if nic.speed_mbps:
        fast = nic.speed_mbps >= 1000
        words.append(f"{nic.speed_mbps / 1000:g} Gbit/s" if fast else f"{nic.speed_mbps} Mbit/s")
    words.append(f"MTU {nic.mtu}")
    words += [*nic.ipv4, *(at for at in nic.ipv6 if not at.startswith(_LINK_LOCAL))]
    return f"{escape(nic.name)}: {', '.join(words)}"


def _route(family: str, route: Route | None) -> str:
    if route is None:
        return f"[yellow]no {family} default route[/]"
    way = f"by {route.gateway} over" if route.gateway else "directly over"
    return escape(f"{family} {way} {route.interface}, MTU {route.mtu}")


def _clock(clock: Clock) -> str:
    if clock.synchronised:
        return f"synchronised by {escape(clock.service or 'a service not named')}"
    service = f"{escape(clock.service)} runs, not yet synchronised"
    return f"[yellow]{service if clock.service else 'not synchronised: nothing keeps it'}[/]"


def _card(card: Card) -> str:
    return f"[bold]{escape(f'{card.maker} {card.model}')}[/]\n[dim]{escape(card.evidence)}[/]"


def _carry(row: Capability) -> str:
    style = "green" if row.fits == "yes" else "yellow"
    return f"[{style}]{row.size}: {row.fits}[/], {escape(row.because)}"
