"""Where the telephony server's Asterisk comes from (R19): the distribution, packages, a release."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import FilePath, SiteModel, plain_path

ASTERISK = "asterisk"
# How dpkg-deb names a file: NAME_VERSION_ARCHITECTURE.deb, without the version's epoch.
_DEB = re.compile(
    rf"(?P<name>{ASTERISK}[a-z0-9+.-]*)_(?P<version>[0-9][A-Za-z0-9.+~-]*)_(?P<arch>[a-z0-9-]+)\.deb"
)


class AsteriskSource(str, Enum):
    """Where Asterisk's packages come from."""

    DISTRIBUTION = "distribution"
    PACKAGE = "package"
    RELEASE = "release"


def parse_deb_name(name: str) -> tuple[str, str, str] | None:
    """Name, version and architecture in the file name of one of Asterisk's packages, else None."""
    found = _DEB.fullmatch(name)
    return (found["name"], found["version"], found["arch"]) if found else None


def _deb(path: Path) -> Path:
    if parse_deb_name(path.name) is None:
        raise ValueError(
            _(
                "{name!r}: name the file as dpkg-deb does, asterisk_VERSION_ARCHITECTURE.deb or "
                "asterisk-PART_VERSION_ARCHITECTURE.deb",
                name=path.name,
            )
        )
    return path


class AsteriskPackage(SiteModel):
    """One of the vendor's packages of Asterisk."""

    file: Annotated[FilePath, AfterValidator(plain_path), AfterValidator(_deb)] = Field(
        description="asterisk_VERSION_ARCHITECTURE.deb, or asterisk-PART_… (*)"
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the file, as sha256sum prints it"
    )


class AsteriskArchive(SiteModel):
    """The apt archive of the vendor's Asterisk. Only Asterisk's packages are taken from it."""

    uri: Annotated[str, Field(pattern=r"^(https?://|file:/)[A-Za-z0-9._~:/%+\[\]-]+$")] = Field(
        description="address of the archive: https://, http:// or file:/ (on the telephony server)"
    )
    suite: Annotated[str, Field(pattern=r"^[A-Za-z0-9.][A-Za-z0-9._/-]*$")] = Field(
        description="suite, such as focal, or a path that ends in '/' and needs no components"
    )
    components: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")], ...] = Field(
        (), description="components, such as [main]"
    )
    key: Annotated[FilePath, AfterValidator(plain_path)] = Field(
        description="OpenPGP public key of the archive, armored or binary (*)"
    )

    @model_validator(mode="after")
    def _has_components_or_is_flat(self) -> AsteriskArchive:
        """As sources.list(5) has it."""
        if self.suite.endswith("/") and self.components:
            raise ValueError(_("a suite that ends in '/' has no 'components'"))
        if not self.suite.endswith("/") and not self.components:
            raise ValueError(_("suite {suite!r} needs 'components'", suite=self.suite))
        return self
