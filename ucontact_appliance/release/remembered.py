"""The manifest of the release that a site has, stored on the machine that installs."""

from __future__ import annotations

from pathlib import Path

from ucontact_appliance.language.messages import _
from ucontact_appliance.os_errors import refused
from ucontact_appliance.release.manifest import ReleaseManifest, parse_manifest
from ucontact_appliance.site.files import write_private
from ucontact_appliance.state import StatePaths

_NAME = "release.manifest.json"


def remember_manifest(paths: StatePaths, manifest: Path) -> None:
    """Keep a copy of the verified manifest: checks judge the site's hosts against it."""
    write_private(paths.var / _NAME, manifest.read_bytes())


def remembered_manifest(paths: StatePaths) -> ReleaseManifest | None:
    """The manifest of the newest installed release; None before the first installation."""
    path = paths.var / _NAME
    return read_manifest(path) if path.exists() else None


def read_manifest(path: Path) -> ReleaseManifest:
    """The manifest in this file. Raises UnreachableError, or UsageError if it is damaged."""
    try:
        return parse_manifest(path.read_bytes(), str(path))
    except OSError as error:
        raise refused(_("{path} can't be read", path=path), error, path) from error
