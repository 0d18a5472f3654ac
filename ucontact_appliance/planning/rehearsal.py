"""The rehearsal machines of a site size: one definition for the lab and for Vagrant."""

from __future__ import annotations

from ucontact_appliance.planning.model import Size
from ucontact_appliance.planning.tables import sizes


def machine_names(size: Size) -> tuple[str, ...]:
    """One machine per server of R12, in the order of site.yml's hosts, named by its first role."""
    row = next(row for row in sizes() if row.size is size)
    return tuple(f"{size.value}-{group[0].value}" for group in row.groups)
