"""Find in a repository what a restore needs: manifests, the sealed state, binary logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ucontact_appliance.clients.restic import Repository
from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.backup_runs import Manifest
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.restore_plan import (
    LogFile,
    Restore,
    log_number,
    logs_to_replay,
    logs_until,
    plan_restore,
)
from ucontact_appliance.planning.backup import RELEASE, SEALED_STATE, STATE
from ucontact_appliance.planning.model import Role

_MANIFEST, _MANIFEST_FILE = "ucontact-manifest", "/manifest.json"
_LOGS = "ucontact-binlog"
_MOMENT = TypeAdapter(datetime)
_RELEASE_ARCHIVE = "/var/cache/integraserver-release.tar.gz"

Say = Callable[[str], None]


def find_restore(repository: Repository, until: datetime | None, say: Say) -> Restore:
    """Return what to restore. Raises UsageError when there is no good backup of it all."""
    say(_("read the list of backups"))
    chosen = plan_restore(_manifests(repository, until), until)
    logs: tuple[LogFile, ...] = ()
    database = chosen[Role.DATABASE].database
    if database is not None:
        say(_("look for binary logs from {file} on", file=database.log.file))
        stored = _stored_logs(repository, database.server, database.log.file, until)
        logs = logs_to_replay(database.log.file, stored)
    return Restore(
        repository=repository.address,
        ssh_key=repository.ssh_key,
        until=until,
        manifests=chosen,
        logs=logs,
    )


def sealed_state(repository: Repository, restore: Restore) -> bytes:
    """Return the newest state of the installing machine that the chosen runs have."""
    for one in sorted(restore.manifests.values(), key=lambda each: each.run, reverse=True):
        part = one.parts.get(STATE)
        if part is not None and part.snapshot is not None and part.files:
            return repository.file(part.snapshot, SEALED_STATE)
    raise UsageError(
        _("the backup has no state of the installing machine"),
        evidence=_("it was made before the first installation had come to its end"),
        helps=_("a later --at, or another repository"),
    )


def release_archive(repository: Repository, restore: Restore) -> bytes | None:
    """Return the archive of the release that the backend had; None if it is not in the backup."""
    part = restore.manifests[Role.BACKEND].parts.get(RELEASE)
    if part is None or part.snapshot is None or _RELEASE_ARCHIVE not in part.paths:
        return None
    return repository.file(part.snapshot, _RELEASE_ARCHIVE)


def _manifests(repository: Repository, until: datetime | None) -> Iterator[Manifest]:
    """Yield manifests, newest first, until each host's newest good one was seen."""
    seen: set[str] = set()
    roles: set[str] = set()
    for one in repository.snapshots(_MANIFEST):
        if one.get("hostname") in seen:
            continue
        manifest = _manifest(repository.file(_id(one), _MANIFEST_FILE))
        if until is not None and manifest.ended > until:
            continue
        seen.add(str(one.get("hostname")))
        roles.update(manifest.roles)
        yield manifest
        if roles >= {role.value for role in Role}:
            return


def _manifest(text: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise UnreachableError(
            _("a backup's manifest can't be read"),
            evidence=why(error),
            helps=_("use the newest version of the appliance"),
        ) from error


def _stored_logs(
    repository: Repository, server: str, first: str, until: datetime | None
) -> list[list[LogFile]]:
    """The files of the snapshots of logs that matter, newest first, back to the first log."""
    found = {
        _MOMENT.validate_python(one["time"]): _id(one)
        for one in repository.snapshots(_LOGS)
        if f"server={server}" in (one.get("tags") or ())
    }
    stored = []
    for at in logs_until(list(found), until):
        files = _files(repository, found[at])
        stored.append(files)
        if any(log_number(one.name) <= log_number(first) for one in files):
            break
    return stored


def _files(repository: Repository, snapshot: str) -> list[LogFile]:
    lines = repository.read("ls", "--json", snapshot).decode(errors="replace").splitlines()
    nodes = (json.loads(line) for line in lines)
    try:
        return [
            LogFile(name=PurePosixPath(node["path"]).name, snapshot=snapshot, path=node["path"])
            for node in nodes
            if node.get("type") == "file"
        ]
    except ValidationError as error:
        raise UnreachableError(
            _("a snapshot of binary logs can't be read"), evidence=why(error)
        ) from error


def _id(snapshot: dict[str, Any]) -> str:
    return str(snapshot["id"])
