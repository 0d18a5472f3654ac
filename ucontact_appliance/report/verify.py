"""Verify a report's folder: every file by its hash, and the manifest by its signature.

This needs only the folder and the auditor's copy of the public key, nothing else of the site. Links
and special files are refused without being followed or opened (`report.folder`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from pydantic import ValidationError

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.exhibits import digest
from ucontact_appliance.report.folder import ReportFolder, opened
from ucontact_appliance.report.manifest import MANIFEST, SIGNATURE, ReportManifest
from ucontact_appliance.report.signing import fingerprint, holds
from ucontact_appliance.report.write import EVIDENCE, FILES_OF

_OWN = (MANIFEST, SIGNATURE)


class SignatureStatus(str, Enum):
    """The result of verifying the manifest's signature."""

    GOOD = "good"
    UNCHECKED = "unchecked"
    WRONG = "wrong"
    MISSING = "missing"
    OTHER_KEY = "other key"


@dataclass(frozen=True)
class Verification:
    """The result of verifying a folder.

    `altered` are files that differ from the manifest or are missing; `strangers` those that it does
    not name; `forged` exhibits whose own hash is wrong. `refused` has the reason for each path that
    was not opened: a link, a special file, or more than a report can have. `signed_by` is the key's
    fingerprint in the manifest, and empty if the manifest was refused.
    """

    altered: tuple[str, ...]
    strangers: tuple[str, ...]
    forged: tuple[str, ...]
    seal: SignatureStatus
    signed_by: str
    refused: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def objections(self) -> tuple[str, ...]:
        """The reasons why the folder can't be trusted, one line per reason; none if it can."""
        lines = [
            _(
                "refused: {name} ({reason}; not opened)",
                name=name or _("the folder"),
                reason=reason,
            )
            for name, reason in self.refused.items()
        ]
        lines += [_("altered: {name}", name=name) for name in self.altered]
        lines += [_("not part of the report: {name}", name=name) for name in self.strangers]
        lines += [_("exhibit with a wrong hash: {name}", name=name) for name in self.forged]
        told = {
            SignatureStatus.WRONG: _("altered: {name} (its signature is wrong)", name=MANIFEST),
            SignatureStatus.MISSING: _("missing: {name}", name=SIGNATURE),
            SignatureStatus.OTHER_KEY: _("signed by another key: {key}", key=self.signed_by),
        }
        return (*lines, *([told[self.seal]] if self.seal in told else []))


def verify(folder: Path, public: bytes | None) -> Verification:
    """Verify the folder; without a key its signature stays unchecked.

    Raises UnreachableError when the folder or its manifest can't be read, UsageError when the
    manifest is damaged.
    """
    with opened(folder) as here:
        refused = here.listing.refused
        if MANIFEST in refused or "" in refused:
            return Verification((), (), (), SignatureStatus.UNCHECKED, "", refused)
        manifest, data = _manifest(here)
        # A report's own files count as missing if the manifest leaves them out.
        expected = dict.fromkeys(FILES_OF[manifest.kind], "") | manifest.sha256
        known = {*expected, *_OWN, *refused}
        return Verification(
            altered=tuple(
                name
                for name, wanted in expected.items()
                if name not in refused and _sha256(here, name) != wanted
            ),
            strangers=tuple(sorted({*here.listing.files, *here.listing.folders} - known)),
            forged=_forged(here),
            seal=_seal(here, manifest, data, public),
            signed_by=manifest.key,
            refused=refused,
        )


def _manifest(folder: ReportFolder) -> tuple[ReportManifest, bytes]:
    try:
        data = folder.read(MANIFEST)
    except OSError as error:
        raise UnreachableError(
            _("that is not a report folder"), evidence=str(error), helps="ucontact report --out DIR"
        ) from error
    try:
        return ReportManifest.model_validate_json(data), data
    except ValidationError:
        path = folder.path / MANIFEST
        raise UsageError(
            _("the manifest {path} is damaged, or of an earlier version", path=path)
        ) from None


def _seal(
    folder: ReportFolder, manifest: ReportManifest, data: bytes, public: bytes | None
) -> SignatureStatus:
    if SIGNATURE in folder.listing.refused:
        return SignatureStatus.UNCHECKED  # already listed as refused
    try:
        signature = folder.read(SIGNATURE)
    except OSError:
        return SignatureStatus.MISSING
    if public is None:
        return SignatureStatus.UNCHECKED
    if holds(public, signature, data):
        return SignatureStatus.GOOD
    return (
        SignatureStatus.WRONG if fingerprint(public) == manifest.key else SignatureStatus.OTHER_KEY
    )


def _forged(folder: ReportFolder) -> tuple[str, ...]:
    """Return the exhibits with a wrong hash of their own: each may be shown separately."""
    try:
        exhibits = json.loads(folder.read(EVIDENCE))["exhibits"]
        return tuple(row["id"] for row in exhibits if digest(row) != row["sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()  # already listed as an altered or refused file


def _sha256(folder: ReportFolder, name: str) -> str:
    try:
        return folder.sha256(name)
    except OSError:
        return "missing"
