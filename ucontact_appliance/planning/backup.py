"""What a server's backup contains, besides the database: derived from the components' data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.planning.model import Role

# The state of the installing machine, which an installation stores sealed on each server.
SEALED_STATE = "/var/lib/ucontact/site-state.sealed"
STATE = "state"
# The release as it was installed, so that a restore does not depend on the customer's copy.
RELEASE = "release"
_RELEASE_FILES = (
    "/var/cache/integraserver-release.manifest.json",
    "/var/cache/integraserver-release.tar.gz",
)


@dataclass(frozen=True)
class BackupPart:
    """A part of a server's backup, stored as a snapshot of its own; `role` None: every server."""

    name: str
    paths: tuple[str, ...]
    role: Role | None = None


def backup_parts(roles: Iterable[Role]) -> tuple[BackupPart, ...]:
    """The parts of a server with these roles."""
    carried = set(roles)
    return tuple(part for part in _parts() if part.role is None or part.role in carried)


def _parts() -> Iterable[BackupPart]:
    yield BackupPart(STATE, (SEALED_STATE,))
    for row in phases().values():
        if row.data and row.role and row.data.kind == "files":
            below = PurePosixPath(row.data.below)
            paths = tuple(str(below / path) for path in row.data.paths)
            yield BackupPart(row.data.move.id.removeprefix("move-"), paths, row.role)
    yield BackupPart(RELEASE, _RELEASE_FILES, Role.BACKEND)
