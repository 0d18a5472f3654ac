"""A machine's profile for people: one block, with facts per line that a technician can check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import ROUNDED
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from ucontact_appliance.cli.console import translated
from ucontact_appliance.facts.hardware.records import (
    Card,
    ClockDiscipline,
    Cpu,
    Disk,
    Filesystem,
    Nic,
    Profile,
    Route,
    WriteLatency,
)
from ucontact_appliance.language.messages import _, joined, ngettext
from ucontact_appliance.planning.capability import Capability
from ucontact_appliance.resources import load_data

_LINK_LOCAL = "fe80:"
# The words in records of facts.hardware; documents for programs keep them untranslated.
_MEDIA = {
    "solid state": _("solid state"),
    "rotating": _("rotating"),
    "virtual": _("virtual"),
    "not told": _("unknown"),
}
_USES = {"database": _("database"), "recordings": _("recordings")}


def profile_block(name: str, seen: Profile, carries: Sequence[Capability]) -> Panel:
    """Return a panel with everything about one machine, under its name."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(overflow="fold")
    last = ""
    for label, text in _lines(seen, carries):
        rows.add_row(translated(label) if label != last else "", text)
        last = label
    return Panel(rows, title=f"[bold]{escape(name)}[/]", title_align="left", box=ROUNDED)


def _lines(seen: Profile, carries: Sequence[Capability]) -> Iterator[tuple[str, str]]:
    machine = seen.product or _("unknown manufacturer")
    none = seen.virtualisation == "none"
    virtual = _("no virtualisation") if none else seen.virtualisation
    yield _("machine"), _shown(joined(", ", (machine, seen.architecture, virtual)))
    system = _(
        "{system}, kernel {kernel}, Python {python}",
        system=seen.os_name,
        kernel=seen.kernel,
        python=seen.python,
    )
    yield _("system"), _shown(system)
    yield _("processor"), _cpu(seen.cpu)
    memory = _(
        "{nominal:g} GB ({measured:.1f} GiB usable)",
        nominal=seen.memory.nominal_mb / 1024,
        measured=seen.memory.measured_mb / 1024,
    )
    yield _("memory"), _shown(memory)
    for disk in seen.disks:
        yield _("disks"), _disk(disk)
    for filesystem in seen.filesystems:
        yield _("filesystems"), _filesystem(filesystem)
    for write in seen.write_latency:
        yield _("write latency"), _write(write)
    for nic in seen.nics:
        yield _("network"), _nic(nic)
    yield _("routes"), _route("IPv4", seen.route4)
    if seen.route6:
        yield _("routes"), _route("IPv6", seen.route6)
    yield _("clock"), _clock(seen.clock)
    for card in seen.cards:
        yield _("telephony cards"), _card(card)
    if not seen.cards:
        yield (
            _("telephony cards"),
            _shown(_("none on the PCI and USB buses (gateways are on the network)")),
        )
    for row in carries:
        yield _("suitable for"), _carry(row)


def _cpu(cpu: Cpu) -> str:
    parts = [
        cpu.model,
        ngettext("{count} core", "{count} cores", cpu.cores),
        ngettext("{count} thread", "{count} threads", cpu.threads),
    ]
    if cpu.mhz:
        parts.append(f"{cpu.mhz / 1000:.1f} GHz")
    return _shown(joined(", ", parts))


def _shown(text: str) -> str:
    """Return the text in the reader's language, escaped so that it is not taken for markup."""
    return escape(translated(text))


def _gib(megabytes: int) -> str:
    return f"{megabytes / 1024:.0f} GiB" if megabytes >= 10240 else f"{megabytes / 1024:.1f} GiB"


def _disk(disk: Disk) -> str:
    model = f", {disk.model}" if disk.model else ""
    medium = translated(_MEDIA.get(disk.medium, disk.medium))
    return escape(f"{disk.name}: {_gib(disk.size_mb)}, {medium}{model}")


def _filesystem(one: Filesystem) -> str:
    values = {
        "mount": one.mount,
        "free": _gib(one.free_mb),
        "total": _gib(one.total_mb),
        "kind": one.kind,
    }
    if one.disks:
        told = _(
            "{mount}: {free} free of {total}, {kind} on {disks}",
            disks=", ".join(one.disks),
            **values,
        )
    else:
        told = _("{mount}: {free} free of {total}, {kind} ({device})", device=one.device, **values)
    return _shown(told)


def _write(write: WriteLatency) -> str:
    named = joined(_(" and "), (_USES.get(use, use) for use in write.uses))
    uses = _("{uses} on {mount}", uses=named, mount=write.mount)
    if write.p50_ms is None or write.p99_ms is None:
        told = _shown(_("{uses}: not measured", uses=uses))
        return f"[yellow]{told}[/] ({_shown(write.error)})"
    slow = write.p99_ms > load_data("hardware")["write_latency"]["slow_ms"]
    figures = _(
        "p50 {half:.1f} ms, p99 {most:.1f} ms",
        half=write.p50_ms,
        most=write.p99_ms,
    )
    judged = f"[yellow]{_shown(_('{figures}: slow disk', figures=figures))}[/]"
    samples = _shown(_("{samples} writes to the disk", samples=write.samples))
    return f"{_shown(uses)}: {judged if slow else _shown(figures)} ({samples})"


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
        return f"[yellow]{_shown(_('no {family} default route', family=family))}[/]"
    values = {"family": family, "interface": route.interface, "mtu": route.mtu}
    if route.gateway:
        told = _(
            "{family} via {gateway} on {interface}, MTU {mtu}", gateway=route.gateway, **values
        )
    else:
        told = _("{family} directly on {interface}, MTU {mtu}", **values)
    return _shown(told)


def _clock(clock: ClockDiscipline) -> str:
    if clock.synchronised:
        service = clock.service or _("an unknown service")
        return _shown(_("synchronised by {service}", service=service))
    told = (
        _("{service} is running, not yet synchronised", service=clock.service)
        if clock.service
        else _("not synchronised: no time service is running")
    )
    return f"[yellow]{_shown(told)}[/]"


def _card(card: Card) -> str:
    return f"[bold]{escape(f'{card.maker} {card.model}')}[/]\n[dim]{escape(card.evidence)}[/]"


def _carry(row: Capability) -> str:
    style = "green" if row.fits == "yes" else "yellow"
    fits = translated(_("yes") if row.fits == "yes" else _("no"))
    return f"[{style}]{row.size}: {fits}[/], {_shown(row.because)}"
