"""Which roles a machine could carry, by the memory and the processors that R12's sizes start at."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.planning.systems import system_row
from ucontact_appliance.planning.tables import tuning


@dataclass(frozen=True)
class Capability:
    """A size whose first server this machine could be, or why not."""

    size: str
    fits: str
    because: str


def capabilities(
    memory_mb: int, threads: int, os_id: str, os_version: str
) -> tuple[Capability, ...]:
    """One row a size, for the heaviest of its servers; `fits` is 'yes' or 'no'."""
    system = system_row(os_id, os_version)
    rows = []
    for size, needs in tuning()["least_host"].items():
        short = []
        if memory_mb < needs["memory_mb"]:
            short.append(f"{memory_mb} MB of memory, {needs['memory_mb']} needed")
        if threads < needs["threads"]:
            short.append(f"{threads} processors, {needs['threads']} needed")
        if system is None:
            short.append("its operating system is not supported")
        rows.append(
            Capability(
                size, "no" if short else "yes", "; ".join(short) or "memory and processors suffice"
            )
        )
    return tuple(rows)
