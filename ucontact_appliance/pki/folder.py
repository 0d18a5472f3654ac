"""The folder of a site's keys and certificates on the machine that installs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _
from ucontact_appliance.pki.state import load_key
from ucontact_appliance.site.files import write_atomic, write_private


@dataclass
class PkiFolder:
    """The pki folder, and the names of the files written to it."""

    path: Path
    changed: list[str] = field(default_factory=list)

    def read(self, name: str) -> bytes | None:
        """The bytes of that file; None when there is none."""
        return read_file(self.path / name) if (self.path / name).exists() else None

    def put(self, name: str, data: bytes, *, private: bool = False) -> None:
        """Write that file unless it is up to date; a `private` one only its owner can read."""
        path = self.path / name
        if self.read(name) == data and (not private or path.stat().st_mode & 0o077 == 0):
            return
        if private:
            write_private(path, data)
        else:
            write_atomic(path, data, 0o644)
        self.changed.append(name)

    def key(self, name: str) -> CertificateIssuerPrivateKeyTypes | None:
        """The key in that file, or None when there is no file.

        Raises ValueError for a file without a usable key, which `pki_damage` reports earlier.
        """
        data = self.read(name)
        return None if data is None else load_key(data)

    def certificate(self, name: str) -> x509.Certificate | None:
        """The first certificate in that file, or None when there is none."""
        data = self.read(name)
        try:
            return x509.load_pem_x509_certificates(data)[0] if data else None
        except ValueError:
            return None


@dataclass
class DryRunFolder(PkiFolder):
    """A pki folder whose writes stay in memory, to predict what would be written."""

    pending: dict[str, bytes] = field(default_factory=dict)

    def read(self, name: str) -> bytes | None:
        """Return the bytes that the file would have then."""
        return self.pending.get(name) or super().read(name)

    def put(self, name: str, data: bytes, *, private: bool = False) -> None:
        """Remember what would be written."""
        path = self.path / name
        known = name in self.pending or not private or not path.exists()
        if self.read(name) == data and (known or path.stat().st_mode & 0o077 == 0):
            return
        self.pending[name] = data
        self.changed.append(name)


def read_file(path: Path) -> bytes:
    """Return the file's bytes. Raises UnreachableError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreachableError(_("{path} can't be read", path=path), evidence=str(error)) from error
