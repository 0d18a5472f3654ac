"""Releases of another publisher, made of the one that the small site has."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.faults.snapshot import Snapshot
from tests.unit.release.samples import KEY, manifest_of
from ucontact_appliance.release.manifest import MANIFEST, Migration
from ucontact_appliance.release.store import releases_folder


class Publisher:
    """A publisher whose key the site's machine trusts."""

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self.folder, self.files = folder, files

    def release(
        self,
        version: str,
        changed: Mapping[str, bytes] | None = None,
        sql: str = "",
        database: Literal["ccrepo", "ccdata"] = "ccrepo",
    ) -> Path:
        """A signed release with that version, in a folder: `changed` files, and a migration."""
        target = self.folder / version
        files = {**self.files, **(changed or {})}
        migrations: tuple[Migration, ...] = ()
        if sql:
            name = f"server/migrations/{version}.sql"
            files[name] = sql.encode()
            migrations = (Migration(version=version, file=name, database=database),)
        manifest = manifest_of(files, version=version, migrations=migrations)
        content = {MANIFEST: manifest.document(), **files}
        for name, data in content.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(data)
        return target


@contextmanager
def publisher(site: Snapshot, folder: Path) -> Iterator[Publisher]:
    """A publisher of releases like the site's; trusted within the context."""
    known = json.loads((site.paths.var / "release.manifest.json").read_text("utf-8"))
    (source,) = releases_folder().glob(f"ucontact-{known['name']}-{known['version']}.tar.gz")
    files: dict[str, bytes] = {}
    with tarfile.open(source) as members:
        for member in members:
            stream = members.extractfile(member)
            if stream is not None and member.name != MANIFEST:
                files[member.name] = stream.read()
    key = site.folder / "etc/publishers.d/acme.pem"
    key.parent.mkdir(exist_ok=True)
    key.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    try:
        yield Publisher(folder, files)
    finally:
        key.unlink(missing_ok=True)
        for stored in releases_folder().glob("ucontact-acme-*"):
            shutil.rmtree(stored) if stored.is_dir() else stored.unlink()
