"""`ucontact profile`: what this machine, or each server of a site, is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from ucontact_appliance.cli.benchmark import BenchmarkOption, ForceOption, run_benchmark
from ucontact_appliance.cli.console import out, show_json, table
from ucontact_appliance.cli.options import JsonOption, SiteOption
from ucontact_appliance.engine.install import look
from ucontact_appliance.facts.machine import Machine, machine
from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.planning.capability import capabilities
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths


def profile(
    site: SiteOption = None,
    benchmark: BenchmarkOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the hardware of this machine; with --site, system and memory of each server."""
    if benchmark:
        run_benchmark(site, force, as_json)
        return
    if site is not None:
        loaded = load_site(site)
        _show_site(look(loaded, state_paths(loaded.site)).surveys, as_json)
        return
    seen = machine(LocalRunner())
    roles = capabilities(seen.memory_nominal_mb, seen.cpu.threads, seen.os_id, seen.os_version)
    if as_json:
        show_json({**asdict(seen), "could_carry": [asdict(row) for row in roles]})
        return
    _show_machine(seen)
    carry = table("size", "could carry it", "because")
    for row in roles:
        carry.add_row(row.size, row.fits, row.because)
    out.print("", carry)


def _show_machine(seen: Machine) -> None:
    rows = table("what", "found")
    rows.add_row("host", f"{seen.hostname}, {seen.os}, kernel {seen.kernel}, {seen.architecture}")
    rows.add_row("virtualisation", seen.virtualisation)
    rows.add_row(
        "processor", f"{seen.cpu.model}, {seen.cpu.cores} cores, {seen.cpu.threads} threads"
    )
    rows.add_row("memory", f"{seen.memory_nominal_mb} MB ({seen.memory_mb} MB usable)")
    for disk in seen.filesystems:
        size = f"{disk.free_mb} MB free of {disk.total_mb} MB, {disk.kind} on {disk.device}"
        rows.add_row(f"disk {disk.mount}", size)
    for nic in seen.nics:
        speed = f", {nic.speed_mbps} Mbit/s" if nic.speed_mbps > 0 else ""
        state = "up" if nic.up else "down"
        rows.add_row(f"nic {nic.name}", f"{', '.join(nic.addresses)} {state}, MTU {nic.mtu}{speed}")
    rows.add_row("default route", f"{seen.default_route} over {seen.default_interface}")
    out.print(rows)


def _show_site(hosts: Mapping[str, Survey], as_json: bool) -> None:
    if as_json:
        show_json({name: asdict(seen) for name, seen in hosts.items()})
        return
    rows = table("server", "system", "memory")
    for name, seen in hosts.items():
        rows.add_row(name, seen.os_name, f"{seen.memory_mb} MB")
    out.print(rows)
