"""The resources of a server that planning uses; None for those not surveyed yet."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.planning.tables import tuning


@dataclass(frozen=True)
class HostResources:
    """Nominal memory, processor threads, and the filesystem of /var, in MB.

    Recordings (R05) and the database live below /var.
    """

    memory_mb: int | None = None
    threads: int | None = None
    free_mb: int | None = None
    total_mb: int | None = None

    @property
    def planned_memory_mb(self) -> int:
        """The memory, or the vendor's minimum if the server was not surveyed yet."""
        return self.memory_mb or int(tuning()["memory_unknown_mb"])


UNSEEN = HostResources()
