"""Read a report's folder for a comparison."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.document import ReportDocument
from ucontact_appliance.report.folder import ReportFolder, demand_regular, opened
from ucontact_appliance.report.write import DOCUMENT, SBOM


@dataclass(frozen=True)
class SavedReport:
    """A saved report: its document, and its components' versions by (server, name)."""

    document: ReportDocument
    components: dict[tuple[str, str], str]


def read_report(folder: Path) -> SavedReport:
    """Return the report in that folder; no link in it is followed.

    Raises UsageError, which names the file and what is wrong, and UnreachableError for no folder.
    """
    with opened(folder) as here:
        demand_regular(here, (DOCUMENT, SBOM))
        document, bom = _json(here, DOCUMENT), _json(here, SBOM)
    return SavedReport(_document(folder, document), _components(folder, bom))


def _document(folder: Path, read: Any) -> ReportDocument:
    try:
        return ReportDocument.model_validate(read)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise UsageError(
            _(
                "{folder} is not a report of this appliance, or is from an older version",
                folder=folder / DOCUMENT,
            ),
            evidence=f"{where}: {first['msg']}",
            helps=_("only reports with schema version 2 or later can be compared"),
        ) from error


def _components(folder: Path, bom: Any) -> dict[tuple[str, str], str]:
    try:
        return components(bom)
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            _("{folder} is not a CycloneDX bill of materials", folder=folder / SBOM),
            evidence=f"{type(error).__name__}: {error}",
            helps=f"ucontact report verify {folder}",
        ) from error


def components(bom: Any) -> dict[tuple[str, str], str]:
    """Return versions by (device, name) in CycloneDX: packages, archives and distributions."""
    return {
        (device["name"], part["name"]): part["version"]
        for device in bom.get("components", ())
        for part in device.get("components", ())
        if part.get("version")
    }


def _json(folder: ReportFolder, name: str) -> Any:
    path = folder.path / name
    try:
        return json.loads(folder.read(name))
    except OSError as error:
        raise UsageError(
            _("{path} can't be read", path=path), evidence=error.strerror or str(error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(_("{path} is not JSON", path=path), evidence=str(error)) from error
