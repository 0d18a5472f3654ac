"""A report's manifest: the hash of every file, the previous report, and the signing key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"

FolderKind = Literal["report", "drill"]


class PreviousReport(BaseModel):
    """The previous report: its folder's name, its time, and the SHA-256 of its manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    time: str
    sha256: str


class ReportManifest(BaseModel):
    """The content of `manifest.json`. `time` is the report's, ISO 8601 in UTC.

    `kind` says which files the folder must have; the one of a compliance report is not written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = 2
    kind: FolderKind = "report"
    site: str
    appliance: str
    time: str
    key: str
    previous: PreviousReport | None
    sha256: dict[str, str]

    def to_bytes(self) -> bytes:
        """Return the exact octets that are signed."""
        unwritten = {"kind"} if self.kind == "report" else set()
        document = self.model_dump(mode="json", exclude=unwritten)
        return (json.dumps(document, indent=2) + "\n").encode()


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file, sorted by name."""
    return {name: sha256(data) for name, data in sorted(files.items())}


def sha256(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
