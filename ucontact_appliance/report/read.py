"""Reading a report's folder again, to be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ucontact_appliance.errors import UsageError
from ucontact_appliance.report.document import ReportDocument
from ucontact_appliance.report.write import DOCUMENT, SBOM


@dataclass(frozen=True)
class Kept:
    """A kept report: its document, and its components' versions by (server, name)."""

    document: ReportDocument
    components: dict[tuple[str, str], str]


def read_report(folder: Path) -> Kept:
    """The report in that folder. Raises UsageError, which names the file and what is wrong."""
    try:
        document = ReportDocument.model_validate(_json(folder / DOCUMENT))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise UsageError(
            f"{folder / DOCUMENT} is no report of this appliance, or of an older one",
            evidence=f"{where}: {first['msg']}",
            helps="reports compare from version 2 of their schema on",
        ) from error
    return Kept(document, components(_json(folder / SBOM)))


def components(bom: Any) -> dict[tuple[str, str], str]:
    """Versions in a CycloneDX document, by (device, name): packages, archives, distributions."""
    return {
        (device["name"], part["name"]): part["version"]
        for device in bom.get("components", ())
        for part in device.get("components", ())
        if part.get("version")
    }


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} can't be read", evidence=error.strerror or str(error)) from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON", evidence=str(error)) from error
