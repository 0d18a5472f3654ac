"""The backups in a repository: each server's runs, and their manifests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _

# A repository may be in somebody else's hands: nothing in it becomes an option or a path by chance.
SnapshotId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]
RunName = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}T[0-9]{6}Z$")]
LogName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+\.[0-9]{6,}$")]
TableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_$]+\.[A-Za-z0-9_$]+$")]
_Word = Annotated[str, StringConstraints(max_length=255)]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredPart(_Stored):
    """A part's snapshot (None if there was nothing of it), its files and their bytes."""

    snapshot: SnapshotId | None
    paths: tuple[_Word, ...]
    files: int = Field(ge=0)
    octets: int = Field(ge=0)


class LogPosition(_Stored):
    """A place in the binary logs: everything before it is in the dump."""

    file: LogName
    position: int = Field(ge=4)


class StoredDatabase(_Stored):
    """The dump's snapshot, MySQL's version and id, the rows of each table, and the position."""

    snapshot: SnapshotId
    version: _Word
    server: Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
    octets: int = Field(ge=0)
    rows: dict[TableName, int]
    log: LogPosition


class Manifest(_Stored):
    """What a run stored, and on what: written last, so that a run with one is complete."""

    version: int = Field(ge=1, le=1)
    site: _Word
    host: _Word
    roles: tuple[_Word, ...]
    run: RunName
    began: AwareDatetime
    ended: AwareDatetime
    appliance: _Word
    system: _Word
    parts: dict[_Word, StoredPart]
    database: StoredDatabase | None

    @property
    def octets(self) -> int:
        """The bytes of all parts, before deduplication."""
        stored = sum(part.octets for part in self.parts.values())
        return stored + (self.database.octets if self.database else 0)


class StoredRun(_Stored):
    """A run in the repository; without a manifest it is incomplete, or going on."""

    run: RunName
    host: _Word
    time: AwareDatetime
    manifest: Manifest | None = None

    @property
    def good(self) -> bool:
        """Whether it is complete."""
        return self.manifest is not None


class _Runs(_Stored):
    runs: tuple[StoredRun, ...]


def parse_runs(answer: dict[str, Any]) -> tuple[StoredRun, ...]:
    """The runs in a server's answer. Raises UnreachableError."""
    try:
        return _Runs.model_validate(answer).runs
    except ValidationError as error:
        raise UnreachableError(
            _("the list of backups can't be read"), evidence=why(error)
        ) from error


def merged(groups: Iterable[Iterable[StoredRun]]) -> tuple[StoredRun, ...]:
    """The runs of several answers, each once, newest first."""
    found = {(one.run, one.host): one for group in groups for one in group}
    return tuple(found[key] for key in sorted(found, reverse=True))


def newest_good(found: Iterable[StoredRun], until: datetime | None = None) -> dict[str, Manifest]:
    """Each host's newest manifest, of those that ended by that moment."""
    newest: dict[str, Manifest] = {}
    for one in sorted(found, key=lambda row: row.run, reverse=True):
        manifest = one.manifest
        if manifest and (until is None or manifest.ended <= until):
            newest.setdefault(manifest.host, manifest)
    return newest
