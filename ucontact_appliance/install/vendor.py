"""The vendor's Asterisk (R19) on the machine that installs: judged before a server gets it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.facts.vendor import public_key
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.os_errors import refused
from ucontact_appliance.planning.component_tables import package_requirements
from ucontact_appliance.planning.versions import reaches
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.release.telephony import (
    UnpackedPackage,
    release_packages,
    unpack_packages,
)
from ucontact_appliance.site.asterisk_source import ASTERISK, AsteriskSource, parse_deb_name
from ucontact_appliance.site.telephony import Telephony


@dataclass(frozen=True)
class VendorFile:
    """A package on this machine, and the SHA-256 that it must have."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class VendorArchive:
    """An apt archive; `key` is its binary OpenPGP public key in base64."""

    uri: str
    suite: str
    components: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class VendorAsterisk:
    """The vendor's packages, or the archive that has them; neither for the distribution's."""

    files: tuple[VendorFile, ...] = ()
    archive: VendorArchive | None = None


def vendor_asterisk(telephony: Telephony, release: ReleaseFiles | None) -> VendorAsterisk | None:
    """Return the vendor's Asterisk; None if it is in a release that is not unpacked here.

    Raises UsageError for a key that is none, and for a release without Asterisk.
    """
    if telephony.source is AsteriskSource.RELEASE:
        packages = release_packages(release) if release else ()
        if not packages or not all(package.is_whole for package in packages):
            return None
        return VendorAsterisk(files=_of_release(packages))
    archive = telephony.archive
    if archive is not None:
        key = base64.b64encode(public_key(archive.key)).decode()
        return VendorAsterisk(
            archive=VendorArchive(archive.uri, archive.suite, archive.components, key)
        )
    return VendorAsterisk(
        files=tuple(VendorFile(one.file, one.sha256) for one in telephony.packages)
    )


def unpacked_asterisk(telephony: Telephony, release: ReleaseFiles) -> VendorAsterisk | None:
    """Return the same, after unpacking the packages of a release."""
    if telephony.source is AsteriskSource.RELEASE:
        unpack_packages(release)
    return vendor_asterisk(telephony, release)


def _of_release(packages: tuple[UnpackedPackage, ...]) -> tuple[VendorFile, ...]:
    return tuple(VendorFile(package.path, package.sha256) for package in packages)


def demand_vendor(vendor: VendorAsterisk | None) -> None:
    """Raise UsageError for a package that is not the one of site.yml, or that is too old.

    Raises UnreachableError for one that can't be read.
    """
    for one in vendor.files if vendor else ():
        try:
            found = hashlib.sha256(one.path.read_bytes()).hexdigest()
        except OSError as error:
            raise refused(_("{path} can't be read", path=one.path), error, one.path) from error
        if found != one.sha256:
            raise UsageError(
                _(
                    "{path} is not the package that site.yml names; nothing was changed",
                    path=one.path,
                ),
                evidence=joined(
                    "\n",
                    [
                        _("SHA-256 of the file: {found}", found=found),
                        _("SHA-256 required: {wanted}", wanted=one.sha256),
                    ],
                ),
                helps=with_note(
                    f"sha256sum {one.path}",
                    _("get the package again, or the right checksum from the vendor"),
                ),
            )
        _demand_new_enough(one.path)


def _demand_new_enough(path: Path) -> None:
    row = next(row for row in package_requirements() if row.id == ASTERISK)
    parsed = parse_deb_name(path.name)
    if parsed and parsed[0] == ASTERISK and not reaches(parsed[1], row.least):
        raise UsageError(
            _("{path} is too old; nothing was changed", path=path),
            evidence=_(
                "Asterisk {least} or later is required: {because}",
                least=row.least,
                because=_(row.because),
            ),
            helps=_("name a newer package in site.yml"),
        )
