"""The manifest of a release: the list of its files, and the signature over that list.

`manifest.json` is the first member of the archive (or in the folder). The signature is over the
canonical JSON of everything but itself: keys sorted, no white space, ASCII only. It is Ed25519
(RFC 8032).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _, concatenated, what_of, with_note
from ucontact_appliance.site.asterisk_source import parse_deb_name

MANIFEST = "manifest.json"
PACKAGES = "telephony"  # the folder of the vendor's Asterisk (R19), which a release may have
TOP_FOLDERS = ("web", "server", "reports", PACKAGES)  # R22
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
MAX_FILES = 50_000
MAX_MIGRATIONS = 1000
MAX_MIGRATION_BYTES = 4 * 1024 * 1024
MAX_TOTAL_BYTES = 8 * 1024**3
_PATH = re.compile(r"[A-Za-z0-9._@+~ ()\[\],='!&#%$-]+(/[A-Za-z0-9._@+~ ()\[\],='!&#%$-]+)*")


def _safe_path(path: str) -> str:
    """A relative path under one of the top folders that can't leave it."""
    parts = path.split("/")
    if not _PATH.fullmatch(path) or len(path) > 512:
        raise ValueError(_("{path!r} is not a plain relative path", path=path))
    if any(part in ("", ".", "..") or len(part) > 200 for part in parts):
        raise ValueError(_("{path!r} points outside the release", path=path))
    if parts[0] not in TOP_FOLDERS or len(parts) < 2:
        raise ValueError(
            _("{path!r} is not under {top_folders}", path=path, top_folders=", ".join(TOP_FOLDERS))
        )
    if parts[0] == PACKAGES and (len(parts) != 2 or parse_deb_name(parts[1]) is None):
        raise ValueError(
            _("{path!r} is no package of Asterisk, NAME_VERSION_ARCHITECTURE.deb", path=path)
        )
    return path


class _ManifestModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


SafePath = Annotated[str, AfterValidator(_safe_path)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(_ManifestModel):
    """One file: the SHA-256 of its content and its size in bytes."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=MAX_TOTAL_BYTES, strict=True)]


class ManifestSignature(_ManifestModel):
    """A signature in base64, and the SHA-256 of the signer's raw public key."""

    key: Sha256
    value: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]


class Migration(_ManifestModel):
    """A change of a database's schema: a file of SQL, whose names are without the database."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$")]
    file: SafePath
    database: Literal["ccrepo", "ccdata"] = "ccrepo"


class ReleaseManifest(_ManifestModel):
    """The list of a release's files. `health` is the path of the backend's health resource.

    `migrations` are in the order in which they are applied.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+~-]{0,60}$")]
    evaluation: Annotated[bool, Field(strict=True)] = False
    sources: Sha256 | None = None
    health: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/._-]{1,100}$")] | None = None
    files: dict[SafePath, FileEntry] = Field(min_length=1, max_length=MAX_FILES)
    migrations: tuple[Migration, ...] = Field(default=(), max_length=MAX_MIGRATIONS)
    signature: ManifestSignature | None = None

    @model_validator(mode="after")
    def _fits_on_a_disk(self) -> ReleaseManifest:
        if self.version.endswith((".partial", ".replaced")):
            raise ValueError(_("a version must not end in .partial or .replaced"))
        if self.total_bytes > MAX_TOTAL_BYTES:
            raise ValueError(
                _(
                    "the files have {total_bytes} bytes; the limit is {max_total_bytes}",
                    total_bytes=self.total_bytes,
                    max_total_bytes=MAX_TOTAL_BYTES,
                )
            )
        folders = {str(parent) for path in self.files for parent in PurePosixPath(path).parents}
        both = sorted(folders & self.files.keys())
        if both:
            raise ValueError(_("{both!r} is both a file and a folder", both=both[0]))
        return self

    @model_validator(mode="after")
    def _has_its_migrations(self) -> ReleaseManifest:
        names = [(one.database, one.version) for one in self.migrations]
        if len(set(names)) != len(names):
            raise ValueError(_("a migration's version occurs twice"))
        for one in self.migrations:
            if one.file not in self.files or not one.file.endswith(".sql"):
                raise ValueError(
                    _("the migration {file!r} is no .sql file of the release", file=one.file)
                )
            if self.files[one.file].size > MAX_MIGRATION_BYTES:
                raise ValueError(_("the migration {file!r} is too large", file=one.file))
        return self

    @property
    def total_bytes(self) -> int:
        """The size of all files together."""
        return sum(entry.size for entry in self.files.values())

    @property
    def title(self) -> str:
        """Name and version of the release, for people."""
        return f"{self.name} {self.version}"

    def signed_bytes(self) -> bytes:
        """The bytes that the signature covers."""
        return _canonical(self._dumped(exclude={"signature"}))

    def _dumped(self, exclude: set[str] | None = None) -> dict[str, Any]:
        """Return the keys; releases that were signed before there were migrations have no key."""
        left_out = (exclude or set()) | (set() if self.migrations else {"migrations"})
        return self.model_dump(mode="json", exclude=left_out)

    def document(self) -> bytes:
        """The content of manifest.json."""
        dumped = self._dumped()
        return (json.dumps(dumped, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def parse_manifest(text: bytes, source: str) -> ReleaseManifest:
    """The manifest in `text`; `source` names it in errors. Raises UsageError."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise _refused(source, _("it is larger than {count} bytes", count=MAX_MANIFEST_BYTES))
    try:
        document = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
        return ReleaseManifest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _refused(source, f"{where}: {first['msg']}".lstrip(": ")) from error
    except (ValueError, RecursionError) as error:
        raise _refused(source, what_of(error) or _("not JSON")) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject duplicate keys: JSON allows them, and parsers differ in which one they use."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(_("a key occurs twice"))
    return found


def _refused(source: str, why: str) -> UsageError:
    return UsageError(
        _("the release's manifest can't be used"),
        evidence=concatenated((f"{source}: ", why)),
        helps=with_note(_("ask the publisher for the release again"), _("nothing was changed")),
    )


def key_id(key: Ed25519PublicKey) -> str:
    """The key's identifier in signatures: SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def sign(manifest: ReleaseManifest, key: Ed25519PrivateKey) -> ReleaseManifest:
    """The same manifest with the signature of `key`."""
    value = base64.b64encode(key.sign(manifest.signed_bytes())).decode()
    signature = ManifestSignature(key=key_id(key.public_key()), value=value)
    return manifest.model_copy(update={"signature": signature})


def is_signed_by(manifest: ReleaseManifest, key: Ed25519PublicKey) -> bool:
    """Whether there is a valid signature by `key`."""
    if manifest.signature is None or manifest.signature.key != key_id(key):
        return False
    try:
        key.verify(base64.b64decode(manifest.signature.value), manifest.signed_bytes())
    except InvalidSignature:
        return False
    return True
