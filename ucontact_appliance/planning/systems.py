"""Which row of the supported systems a host is (R18)."""

from __future__ import annotations

from ucontact_appliance.planning.tables import SystemRow, systems

_ROLLING = "sid"  # Debian's unstable has no VERSION_ID


def system_row(os_id: str, version: str) -> SystemRow | None:
    """The row of that ID and VERSION_ID (os-release(5)); None when it is not supported."""
    wanted = version or _ROLLING
    return next((row for row in systems() if row.id == os_id and row.version == wanted), None)


def supported_names() -> str:
    """All supported systems, for a message."""
    return ", ".join(row.name for row in systems())
