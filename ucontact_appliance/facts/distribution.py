"""What this distribution brings along, and with which packages it runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from ucontact_appliance.resources import ROOT


def installed_versions(names: Sequence[str]) -> dict[str, str]:
    """The version of each Python distribution; empty for one that is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def missing_parts(parts: Sequence[str]) -> tuple[str, ...]:
    """Those of the files and folders that are not there."""
    return tuple(part for part in parts if not (ROOT / part).exists())
