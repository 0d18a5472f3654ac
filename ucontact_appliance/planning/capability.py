"""Judge which site sizes (R12) a machine's memory and processors suffice for."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.systems import system_row
from ucontact_appliance.planning.tables import tuning


@dataclass(frozen=True)
class Capability:
    """A site size, whether this machine could be its first server, and the reason."""

    size: str
    fits: str
    because: str


def capabilities(
    memory_mb: int, threads: int, os_id: str, os_version: str
) -> tuple[Capability, ...]:
    """One row per size, judged by its heaviest server; `fits` is 'yes' or 'no'."""
    system = system_row(os_id, os_version)
    rows = []
    for size, needs in tuning()["least_host"].items():
        short = []
        if memory_mb < needs["memory_mb"]:
            short.append(
                _(
                    "{memory} MB of memory, {needed} needed",
                    memory=memory_mb,
                    needed=needs["memory_mb"],
                )
            )
        if threads < needs["threads"]:
            short.append(
                _("{threads} processors, {needed} needed", threads=threads, needed=needs["threads"])
            )
        if system is None:
            short.append(_("its operating system is not supported"))
        rows.append(
            Capability(
                size,
                "no" if short else "yes",
                joined("; ", short) or _("memory and processors suffice"),
            )
        )
    return tuple(rows)
