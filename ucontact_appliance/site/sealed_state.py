"""The state of a site on the machine that installs, sealed with its recovery key.

    b"ucontact sealed state 1\\n"  12 octets of nonce  ChaCha20-Poly1305 of the compressed document

The cipher's key is derived from the recovery key by HKDF (RFC 5869, SHA-256). Who has no recovery
key can neither read nor change or forge the state: a server that keeps it learns nothing from it.
"""

from __future__ import annotations

import base64
import os
import re
import zlib
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.recovery_key import RecoveryKey

_MAGIC = b"ucontact sealed state 1\n"
_NONCE_BYTES = 12
# Of what is sealed; a site with 10,000 extensions takes 2 MB. More would be an attack by memory.
STATE_BYTES = 64 << 20
_NAME = re.compile(r"(?!\.\.?(/|$))[A-Za-z0-9._-]+(/(?!\.\.?(/|$))[A-Za-z0-9._-]+)*")


def _relative(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a file of the site's")
    return name


RelativeName = Annotated[str, AfterValidator(_relative)]


class SealedFile(BaseModel):
    """A file's mode and its content in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: int = Field(ge=0, le=0o777)
    content: str = Field(repr=False)

    @property
    def data(self) -> bytes:
        """The content."""
        return base64.b64decode(self.content)


class SiteState(BaseModel):
    """All that another machine needs to continue a site.

    `etc` and `var` are the files below the site's two folders (`ucontact_appliance/state.py`),
    `site_yml` the text of site.yml, and `beside` the files that it names, by the path there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    site: str = Field(min_length=1, max_length=63)
    appliance: str
    controller: str
    created: AwareDatetime
    site_yml: str = Field(repr=False)
    etc: dict[RelativeName, SealedFile]
    var: dict[RelativeName, SealedFile]
    beside: dict[str, SealedFile]


def sealed_file(data: bytes, mode: int) -> SealedFile:
    """Return the file as it is sealed."""
    return SealedFile(mode=mode & 0o777, content=base64.b64encode(data).decode())


def seal(state: SiteState, key: RecoveryKey) -> bytes:
    """Return the sealed state; twice the same state gives different octets."""
    nonce = os.urandom(_NONCE_BYTES)
    text = zlib.compress(state.model_dump_json().encode())
    return _MAGIC + nonce + _cipher(key).encrypt(nonce, text, _MAGIC)


def unseal(data: bytes, key: RecoveryKey) -> SiteState:
    """Return the state. Raises UsageError for another key, and for what was changed or cut."""
    if not data.startswith(_MAGIC):
        raise UsageError(_("this is not the sealed state of a site"))
    body = data[len(_MAGIC) :]
    try:
        text = _cipher(key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _MAGIC)
    except (InvalidTag, ValueError) as error:
        raise UsageError(
            _("the recovery key does not open the sealed state"),
            evidence=_("it is the key of another site, or the sealed state was changed"),
        ) from error
    unpacked = zlib.decompressobj()
    document = unpacked.decompress(text, STATE_BYTES)
    try:
        if unpacked.unconsumed_tail:
            raise ValueError("too big")
        return SiteState.model_validate_json(document)
    except (ValidationError, ValueError) as error:
        raise UsageError(
            _("this appliance can't read the sealed state"),
            evidence=_("it was written by another version of the appliance"),
            helps=_("use the newest version of the appliance"),
        ) from error


def _cipher(key: RecoveryKey) -> ChaCha20Poly1305:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_MAGIC).derive(key.secret)
    return ChaCha20Poly1305(derived)
