"""The appliance as a file: a wheel, its publisher's signature beside it, and what it changes.

`make wheel SIGN_WITH=KEY` writes `WHEEL.sig`: the wheel's version and SHA-256, signed with Ed25519
over their canonical JSON, as a release's manifest is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from importlib.metadata import distribution
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, concatenated, with_note
from ucontact_appliance.release.manifest import ManifestSignature, Sha256, key_id
from ucontact_appliance.release.trust import publishers_folder
from ucontact_appliance.resources import ROOT

_NAME = re.compile(r"ucontact_appliance-([0-9][0-9A-Za-z.+!]{0,40})-py3-none-any\.whl")
_CHANGELOG = "CHANGELOG.md"
_DISTRIBUTION, _PACKAGE = "ucontact-appliance", "ucontact_appliance/"
_MAX_WHEEL = 512 * 1024 * 1024
_MAX_TEXT = 4 * 1024 * 1024
_CHUNK = 1024 * 1024


class _WheelModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SignedWheel(_WheelModel):
    """The content of `WHEEL.sig`."""

    appliance: Annotated[str, Field(max_length=50)]
    sha256: Sha256
    signature: ManifestSignature

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether the signature is by `key`, and valid."""
        if self.signature.key != key_id(key):
            return False
        try:
            key.verify(base64.b64decode(self.signature.value), _signed(self.appliance, self.sha256))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class ApplianceWheel:
    """A verified copy of a wheel: its version, its changelog ("" if it has none), its files.

    `record` are the lines of its RECORD about the package's files, each with a hash.
    """

    path: Path
    version: str
    changelog: str
    record: frozenset[str] = frozenset()


def signature_path(wheel: Path) -> Path:
    """Return the place of the signature: beside the wheel."""
    return wheel.with_name(f"{wheel.name}.sig")


def sign_wheel(wheel: Path, key: Ed25519PrivateKey) -> Path:
    """Write the signature of `key` beside the wheel; return its path."""
    version, digest = _version_of(wheel), hashlib.sha256(wheel.read_bytes()).hexdigest()
    value = base64.b64encode(key.sign(_signed(version, digest))).decode()
    signature = ManifestSignature(key=key_id(key.public_key()), value=value)
    signed = SignedWheel(appliance=version, sha256=digest, signature=signature)
    target = signature_path(wheel)
    target.write_text(signed.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return target


def verified_wheel(
    source: Path, folder: Path, publishers: Sequence[Ed25519PublicKey], sha256: str | None = None
) -> ApplianceWheel:
    """Copy the wheel into `folder` and verify the copy, which nobody else can replace.

    It is trusted if a publisher's signature is beside it, or if its hash is `sha256`. Raises
    UsageError for a wheel that is not trusted, and UnreachableError for a file that can't be read.
    """
    version = _version_of(source)
    copy = folder / source.name
    try:
        digest = _copied(source, copy)
        signed = _read_signature(source) if sha256 is None else None
    except OSError as error:
        raise UnreachableError(
            _("the wheel can't be read"),
            evidence=f"{source}: {error.strerror or error}",
            helps=_("name the file of the wheel: --appliance FILE"),
        ) from error
    if sha256 is not None:
        if digest != sha256.strip().lower():
            raise _refused(source, _("its SHA-256 is {digest}", digest=digest))
    elif signed is None:
        raise UsageError(
            _("the wheel has no signature, and no SHA-256 was given"),
            evidence=_("there is no {path}", path=signature_path(source)),
            helps=with_note(
                "--sha256 HASH",
                _("with the hash from a source that you trust; or put the .sig file beside it"),
            ),
        )
    elif not any(signed.is_signed_by(key) for key in publishers):
        raise UsageError(
            _("the wheel is not signed by a publisher that this machine knows"),
            evidence=_(
                "{path} names the key {key}…",
                path=signature_path(source),
                key=signed.signature.key[:16],
            ),
            helps=_(
                "put the publisher's public key (PEM) into {folder}/", folder=publishers_folder()
            ),
        )
    elif (signed.appliance, signed.sha256) != (version, digest):
        raise _refused(source, _("its signature is of another file"))
    return _opened(source, copy, version)


def demand_same_content(wheel: ApplianceWheel) -> None:
    """Raise UsageError if this installation has other content than the wheel of its version."""
    own = distribution(_DISTRIBUTION).read_text("RECORD") or ""
    if not wheel.record <= _record(own):
        raise UsageError(
            _("{version} is installed, with other content than the wheel", version=wheel.version),
            helps=_("ask the publisher for a wheel with a version of its own"),
        )


def own_changelog() -> str:
    """Return the changelog of the appliance that is running; "" if it has none."""
    try:
        return (ROOT / _CHANGELOG).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def new_entries(before: str, after: str) -> tuple[tuple[str, str], ...]:
    """Return (heading, entry) for each entry of a changelog that an older one does not have."""
    known = {text for _heading, text in _entries(before)}
    return tuple(entry for entry in _entries(after) if entry[1] not in known)


def _entries(changelog: str) -> Iterator[tuple[str, str]]:
    """Yield the entries, each on one line, with the heading above it (Added, Changed, …)."""
    heading, entry = "", ""
    for line in (*changelog.splitlines(), "#"):
        if line.startswith(("#", "- ")) and entry:
            yield heading, entry
            entry = ""
        if line.startswith("- "):
            entry = line[2:].strip()
        elif entry and line.startswith(" "):
            entry += f" {line.strip()}"
        elif line.startswith("### "):
            heading = line[4:].strip()


def _signed(version: str, sha256: str) -> bytes:
    """Return the bytes that a signature covers; no manifest of a release has these keys."""
    document = {"appliance": version, "sha256": sha256}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _version_of(wheel: Path) -> str:
    found = _NAME.fullmatch(wheel.name)
    if found is None:
        raise UsageError(
            _("{name} is no wheel of the appliance", name=wheel.name),
            helps=_("name a file such as ucontact_appliance-1.2.3-py3-none-any.whl"),
        )
    return found[1]


def _copied(source: Path, copy: Path) -> str:
    """Copy the file; return the SHA-256 of what was copied."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, copy.open("wb") as written:
        while chunk := read.read(_CHUNK):
            size += len(chunk)
            if size > _MAX_WHEEL:
                raise _refused(source, _("it is larger than {count} bytes", count=_MAX_WHEEL))
            digest.update(chunk)
            written.write(chunk)
    return digest.hexdigest()


def _read_signature(source: Path) -> SignedWheel | None:
    path = signature_path(source)
    try:
        with path.open("rb") as stream:
            return SignedWheel.model_validate_json(stream.read(_MAX_TEXT))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise _refused(path, why(error)) from error


def _opened(source: Path, copy: Path, version: str) -> ApplianceWheel:
    try:
        with zipfile.ZipFile(copy) as content:
            listed = {member.filename: member for member in content.infolist()}
            metadata = listed[f"ucontact_appliance-{version}.dist-info/METADATA"]
            record = listed[f"ucontact_appliance-{version}.dist-info/RECORD"]
            changelog = listed.get(f"ucontact_appliance/_bundle/{_CHANGELOG}")
            headers = BytesHeaderParser().parsebytes(_text(content, metadata))
            text = _text(content, changelog).decode("utf-8") if changelog else ""
            lines = _record(_text(content, record).decode("utf-8"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise _refused(source, _("it is no intact wheel")) from error
    if headers["Version"] != version:
        raise _refused(source, _("its content has another version than its name"))
    return ApplianceWheel(copy, version, text, lines)


def _record(text: str) -> frozenset[str]:
    """Return the lines of a RECORD about the package's own files; pip adds lines of its own."""
    return frozenset(line for line in text.splitlines() if line.startswith(_PACKAGE))


def _text(content: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > _MAX_TEXT:
        raise ValueError(member.filename)
    return content.read(member)


def _refused(source: Path, evidence: str) -> UsageError:
    return UsageError(
        _("the wheel is not what its publisher signed"),
        evidence=concatenated((f"{source}: ", evidence)),
        helps=with_note(_("ask the publisher for the wheel again"), _("nothing was changed")),
    )
