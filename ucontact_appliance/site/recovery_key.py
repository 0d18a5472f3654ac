"""A site's recovery key: it opens the state that the site's servers keep sealed.

Whoever has the key and may log in to one server can continue the site on another machine, so it
belongs on paper, in a safe. It has 160 random bits, and 40 bits of checksum against typing errors.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.files import write_private

_SECRET_BYTES = 20
_SUM_BYTES = 5
_GROUP = 5
_REPOSITORY = b"ucontact backup repository 1"


@dataclass(frozen=True)
class RecoveryKey:
    """160 random bits."""

    secret: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """Eight groups of five letters and digits (base32, RFC 4648), to write down."""
        letters = base64.b32encode(self.secret + _checksum(self.secret)).decode()
        return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))


def repository_password(key: RecoveryKey) -> str:
    """The password with which the key opens the backup's repository; a key can't be told from it.

    Servers learn it when it is added to the repository, whose data they have themselves.
    """
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_REPOSITORY).derive(key.secret)
    return base64.b32encode(derived).decode().rstrip("=")


def generate_recovery_key() -> RecoveryKey:
    """Return a new key."""
    return RecoveryKey(secrets.token_bytes(_SECRET_BYTES))


def parse_recovery_key(text: str) -> RecoveryKey:
    """Return the key as somebody typed it: case, spaces and dashes do not matter, nor 0 for O.

    Raises UsageError, which does not quote it.
    """
    letters = "".join(text.replace("-", "").split()).upper()
    try:
        data = base64.b32decode(letters, map01="I")
    except ValueError:  # other letters, or not a multiple of eight
        data = b""
    secret, checksum = data[:_SECRET_BYTES], data[_SECRET_BYTES:]
    if len(data) != _SECRET_BYTES + _SUM_BYTES or checksum != _checksum(secret):
        raise UsageError(
            _("this is not a recovery key, or it has a typing error"),
            evidence=_(
                "a recovery key has 8 groups of 5 letters and digits; read: {count} of 40",
                count=len(letters),
            ),
            helps=_("type it again as it was printed by: ucontact recovery show"),
        )
    return RecoveryKey(secret)


def load_recovery_key(path: Path) -> RecoveryKey | None:
    """Return the key in that file; None without one. Raises UnreachableError or UsageError."""
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(
            _("the recovery key {path} can't be read", path=path), evidence=str(error)
        ) from error
    try:
        return parse_recovery_key(text)
    except UsageError as error:
        raise UsageError(
            _("the recovery key {path} is damaged", path=path),
            helps=_(
                "write the key that you noted into it; without one: rm {path}, then "
                "ucontact install makes another",
                path=path,
            ),
        ) from error


def kept_recovery_key(path: Path) -> RecoveryKey:
    """Return the key in that file (0600), which is made if there is none."""
    found = load_recovery_key(path)
    if found is None:
        found = generate_recovery_key()
        write_private(path, f"{found.text}\n")
    return found


def _checksum(secret: bytes) -> bytes:
    return hashlib.sha256(b"ucontact recovery key" + secret).digest()[:_SUM_BYTES]
