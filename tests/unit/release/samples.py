"""Small releases that fill every place of R22, good and spoiled."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ucontact_appliance.release.manifest import MANIFEST, Migration, ReleaseManifest, sign
from ucontact_appliance.release.pack import file_entry
from ucontact_appliance.release.trust import TrustedKeys

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
TRUST = TrustedKeys(publishers=(KEY.public_key(),))

FILES: dict[str, bytes] = {
    "web/IntegraPortalWS.war": b"portal",
    "web/IntegraChannels.war": b"channels",
    "web/IntegraGamification.war": b"gamification",
    "web/uContact/index.html": b"<!doctype html>",
    "web/uContact/js/app.js": b"1",
    "web/workflowdesigner/index.html": b"w",
    "web/formsdesigner/index.html": b"f",
    "web/webchatclient/index.html": b"c",
    "web/images/logo.svg": b"<svg/>",
    "reports/calls.jrxml": b"<jasperReport/>",
    "server/IntegraServer.jar": b"jar",
    **{
        f"server/{module}/{module}.jar": module.encode()
        for module in ("jasper", "jdbc", "mail", "others", "ssh", "ws")
    },
}


def manifest_of(
    files: Mapping[str, bytes] = FILES,
    *,
    version: str = "5.1",
    evaluation: bool = False,
    migrations: tuple[Migration, ...] = (),
    key: Ed25519PrivateKey | None = KEY,
) -> ReleaseManifest:
    """A manifest of those files, signed unless `key` is None."""
    manifest = ReleaseManifest(
        name="acme",
        version=version,
        evaluation=evaluation,
        health="/Integra/resources/health",
        files={path: file_entry(content) for path, content in files.items()},
        migrations=migrations,
    )
    return sign(manifest, key) if key else manifest


Member = tuple[tarfile.TarInfo, bytes]


def plain(name: str, content: bytes) -> Member:
    """A member that is an ordinary file."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def special(name: str, kind: bytes, target: str = "") -> Member:
    """A member of another kind: a link, a device, a folder."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info, b""


def members(manifest: ReleaseManifest, files: Mapping[str, bytes] = FILES) -> list[Member]:
    """The members of a good archive."""
    return [
        plain(MANIFEST, manifest.document()),
        *(plain(name, content) for name, content in sorted(files.items())),
    ]


def archive(path: Path, content: Iterable[Member], trailer: bytes = b"") -> Path:
    """A .tar.gz of those members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, data in content:
            tar.addfile(info, io.BytesIO(data))
    path.write_bytes(gzip.compress(buffer.getvalue() + trailer))
    return path


def folder(path: Path, manifest: ReleaseManifest, files: Mapping[str, bytes] = FILES) -> Path:
    """A release that is not packed."""
    for name, content in {MANIFEST: manifest.document(), **files}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path
