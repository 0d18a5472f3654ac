"""Restore points on the machine that installs: what it recorded of the site, to go back to.

The servers keep their own part (upgrading/servers.py). A point without point.json is incomplete.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Literal

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.files import private_dir, write_private
from ucontact_appliance.state import StatePaths

_RECORD = "point.json"
# What an installation records of the site; journal.json last: it says that the others are valid.
_STATE = (
    "managed.json",
    "places.json",
    "plan.json",
    "release.manifest.json",
    "states.json",
    "journal.json",
)
KEPT_POINTS = 2


class RestorePoint(BaseModel):
    """A site before an upgrade. `appliance` is the version that had installed it, `release` the
    key in site.yml as written, None if it had none.

    `title` is the release that the site had, `goal` what the upgrade was to install, `databases`
    those whose schemas it changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    id: str = Field(pattern=r"^[0-9]{8}T[0-9]{6}Z$")
    created: AwareDatetime
    appliance: str
    release: str | None
    title: str
    goal: str
    hosts: tuple[str, ...]
    databases: tuple[str, ...] = ()


def new_id(now: datetime) -> str:
    """Return the id of a restore point that is made now (UTC)."""
    return f"{now:%Y%m%dT%H%M%SZ}"


def release_key(site_file: Path) -> str | None:
    """Return the release as site.yml has it; None for the default."""
    found = yaml.safe_load(site_file.read_text(encoding="utf-8")).get("release")
    return None if found is None else str(found)


def keep_state(paths: StatePaths, point: RestorePoint) -> None:
    """Copy what this machine recorded of the site, then complete the point."""
    folder = private_dir(paths.restore_points / point.id)
    for name in _STATE:
        source = paths.var / name
        if source.exists():
            write_private(folder / name, source.read_bytes())
    write_private(folder / _RECORD, point.model_dump_json(indent=1) + "\n")


def restore_state(paths: StatePaths, point: RestorePoint) -> None:
    """Put back what was recorded of the site; may be repeated."""
    folder = paths.restore_points / point.id
    for name in _STATE:
        kept = folder / name
        if kept.exists():
            write_private(paths.var / name, kept.read_bytes())
        else:
            (paths.var / name).unlink(missing_ok=True)


def load_points(paths: StatePaths) -> tuple[RestorePoint, ...]:
    """Return the complete restore points, the newest first. Raises UnreachableError."""
    records = sorted(paths.restore_points.glob(f"*/{_RECORD}"), reverse=True)
    return tuple(_load(path) for path in records)


def find_point(paths: StatePaths, wanted: str | None, site_file: Path) -> RestorePoint:
    """Return the restore point with that id, or the newest. Raises UsageError if there is none."""
    points = load_points(paths)
    found = next((one for one in points if wanted in (None, one.id)), None)
    if found is None:
        raise UsageError(
            _("there is no restore point {wanted}", wanted=wanted)
            if wanted
            else _("the site has no restore point: it was never upgraded from this machine"),
            evidence=", ".join(one.id for one in points),
            helps=f"ucontact rollback --list --site {site_file}",
        )
    return found


def drop_point(paths: StatePaths, point: str) -> None:
    """Remove this machine's part of a restore point, complete or not."""
    folder = paths.restore_points / point
    (folder / _RECORD).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _load(path: Path) -> RestorePoint:
    try:
        return RestorePoint.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the restore point {path} can't be read", path=path),
            evidence=why(error),
            helps=_("mv {folder} {folder}.damaged", folder=path.parent),
        ) from error
