"""Checking a report's folder against its manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.report.write import FILES, MANIFEST


def altered_files(folder: Path) -> tuple[str, ...]:
    """The files that are not what the manifest says, or are missing; empty when all are intact.

    A file of a report that the manifest does not vouch for counts as altered.

    Raises UnreachableError when the folder or its manifest can't be read, UsageError when the
    manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        digests = json.loads(path.read_text(encoding="utf-8"))["sha256"]
        expected = dict.fromkeys(FILES, "") | {str(n): str(digest) for n, digest in digests.items()}
    except OSError as error:
        raise UnreachableError(
            "that is no report's folder", evidence=str(error), helps="ucontact report --out DIR"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"the manifest {path} is damaged") from None
    return tuple(name for name, digest in expected.items() if _digest(folder / name) != digest)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "missing"
