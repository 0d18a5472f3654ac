"""A report's manifest: every file by its hash, the report before it, and the key that signs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"


class Previous(BaseModel):
    """The report before: its folder's name and time, and the SHA-256 of its manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    time: str
    sha256: str


class Manifest(BaseModel):
    """What `manifest.json` says. `time` is the report's, ISO 8601 in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = 2
    site: str
    appliance: str
    time: str
    key: str
    previous: Previous | None
    sha256: dict[str, str]

    def to_bytes(self) -> bytes:
        """The very octets that are signed."""
        return (json.dumps(self.model_dump(mode="json"), indent=2) + "\n").encode()


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file, by name, in order."""
    return {name: sha256(data) for name, data in sorted(files.items())}


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()
