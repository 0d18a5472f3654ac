"""The vendor's packages of Asterisk in a release: `telephony/*.deb` (R19)."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.os_errors import refusing
from ucontact_appliance.release.manifest import PACKAGES
from ucontact_appliance.release.remembered import read_manifest
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.site.asterisk_source import ASTERISK, parse_deb_name
from ucontact_appliance.site.files import private_dir, write_private


@dataclass(frozen=True)
class UnpackedPackage:
    """A package next to the stored archive of its release, with the SHA-256 of the manifest."""

    path: Path
    sha256: str

    @property
    def is_whole(self) -> bool:
        """Whether the file is there, and as the manifest says."""
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest() == self.sha256
        except FileNotFoundError:
            return False


def release_packages(release: ReleaseFiles) -> tuple[UnpackedPackage, ...]:
    """The packages of a stored release, unpacked or not. Raises UsageError if there are none."""
    manifest = read_manifest(release.manifest)
    folder = release.archive.with_name(f"{release.archive.name}.packages")
    found = {
        PurePosixPath(name).name: entry.sha256
        for name, entry in manifest.files.items()
        if PurePosixPath(name).parts[0] == PACKAGES
    }
    if ASTERISK not in {parsed[0] for name in found if (parsed := parse_deb_name(name))}:
        raise UsageError(
            _("the release {title} has no Asterisk", title=manifest.title),
            evidence=_(
                "telephony.source is 'release', and the release has no file {file}",
                file=f"{PACKAGES}/asterisk_VERSION_ARCHITECTURE.deb",
            ),
            helps=_("set telephony.source in site.yml to 'distribution' or 'package'"),
        )
    return tuple(UnpackedPackage(folder / name, sha256) for name, sha256 in sorted(found.items()))


def unpack_packages(release: ReleaseFiles) -> tuple[UnpackedPackage, ...]:
    """Unpack the packages of a stored, verified release next to it, unless they are there."""
    packages = release_packages(release)
    missing = {package.path.name: package for package in packages if not package.is_whole}
    if missing:
        private_dir(packages[0].path.parent)
        for name, content in _content(release.archive, set(missing)):
            write_private(missing[name].path, content)
    return packages


def _content(archive: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    with (
        refusing(_("{path} can't be read", path=archive), archive),
        tarfile.open(archive, mode="r:gz") as members,
    ):
        for member in members:
            path = PurePosixPath(member.name)
            if path.parts[0] == PACKAGES and path.name in names:
                stream = members.extractfile(member)
                assert stream is not None  # only links and devices have no content
                yield path.name, stream.read()
