"""Checking a report's folder again: every file by its hash, and the manifest by its signature.

It needs the folder and the public key that the auditor took along, nothing else of the site.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pydantic import ValidationError

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.report.exhibits import digest
from ucontact_appliance.report.manifest import MANIFEST, SIGNATURE, Manifest, sha256
from ucontact_appliance.report.signing import fingerprint, holds
from ucontact_appliance.report.write import EVIDENCE, FILES

_OWN = (MANIFEST, SIGNATURE)


class Seal(str, Enum):
    """What the signature says of the manifest."""

    GOOD = "good"
    UNCHECKED = "unchecked"
    WRONG = "wrong"
    MISSING = "missing"
    OTHER_KEY = "other key"


@dataclass(frozen=True)
class Verification:
    """What came of checking a folder.

    `altered` are files that are not what the manifest says, or are missing; `strangers` those that
    it does not name; `forged` exhibits whose own hash is wrong. `signed_by` is the fingerprint that
    the manifest names.
    """

    altered: tuple[str, ...]
    strangers: tuple[str, ...]
    forged: tuple[str, ...]
    seal: Seal
    signed_by: str

    @property
    def objections(self) -> tuple[str, ...]:
        """Why the folder can't be trusted, a line each; none when it can."""
        lines = [f"altered: {name}" for name in self.altered]
        lines += [f"not of the report: {name}" for name in self.strangers]
        lines += [f"exhibit with a wrong hash: {name}" for name in self.forged]
        told = {
            Seal.WRONG: f"altered: {MANIFEST} (its signature is wrong)",
            Seal.MISSING: f"missing: {SIGNATURE}",
            Seal.OTHER_KEY: f"signed by another key: {self.signed_by}",
        }
        return (*lines, *([told[self.seal]] if self.seal in told else []))


def verify(folder: Path, public: bytes | None) -> Verification:
    """Check the folder; without a key its signature stays unchecked.

    Raises UnreachableError when the folder or its manifest can't be read, UsageError when the
    manifest is damaged.
    """
    manifest, data = _manifest(folder)
    # A report's own files count as missing where the manifest leaves them out.
    expected = dict.fromkeys(FILES, "") | manifest.sha256
    return Verification(
        altered=tuple(
            name for name, wanted in expected.items() if _sha256(folder / name) != wanted
        ),
        strangers=tuple(
            sorted(
                path.name
                for path in folder.iterdir()
                if path.name not in expected and path.name not in _OWN
            )
        ),
        forged=_forged(folder / EVIDENCE),
        seal=_seal(folder / SIGNATURE, manifest, data, public),
        signed_by=manifest.key,
    )


def _manifest(folder: Path) -> tuple[Manifest, bytes]:
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreachableError(
            "that is no report's folder", evidence=str(error), helps="ucontact report --out DIR"
        ) from error
    try:
        return Manifest.model_validate_json(data), data
    except ValidationError:
        raise UsageError(f"the manifest {path} is damaged, or of an earlier version") from None


def _seal(path: Path, manifest: Manifest, data: bytes, public: bytes | None) -> Seal:
    try:
        signature = path.read_bytes()
    except OSError:
        return Seal.MISSING
    if public is None:
        return Seal.UNCHECKED
    if holds(public, signature, data):
        return Seal.GOOD
    return Seal.WRONG if fingerprint(public) == manifest.key else Seal.OTHER_KEY


def _forged(path: Path) -> tuple[str, ...]:
    """Exhibits whose hash is not that of their content: each can be shown by itself."""
    try:
        exhibits = json.loads(path.read_text(encoding="utf-8"))["exhibits"]
        return tuple(row["id"] for row in exhibits if digest(row) != row["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # told as an altered file already


def _sha256(path: Path) -> str:
    try:
        return sha256(path.read_bytes())
    except OSError:
        return "missing"
