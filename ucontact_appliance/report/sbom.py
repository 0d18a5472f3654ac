"""What a site is made of, as a software bill of materials in CycloneDX 1.6 (ECMA-424), JSON.

    site (application)
    ├── a host (device): its system (operating-system), packages, Java archives
    ├── ...
    └── the installing machine (device): Python, the appliance and what it depends on

A host's components are nested in it: they are its parts (CycloneDX: an assembly).
`dependencies` says who stands on whom: the site on its hosts, a host on its system and archives,
the system on its packages, a Python distribution on others.

Package URLs have the forms that the scanners of SBOMs read: `distro` is the system's ID and
VERSION_ID (`debian-12`), `upstream` the source package, whose name Debian's and Ubuntu's security
trackers go by. An archive is `pkg:maven` where it says itself which artifact it is, else
`pkg:generic` with its hash. What has no licence in SPDX's form has none here.

Nothing here is made of the clock or of chance: the same input gives the same octets. What could not
be read is there as properties named `ucontact:unread`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_expression
from packageurl import PackageURL

from ucontact_appliance import __version__
from ucontact_appliance.facts.components import (
    HostContents,
    InstalledPackage,
    InstalledPackages,
    JavaArchive,
    PythonDistribution,
    PythonEnvironment,
)

_APPLIANCE = "ucontact-appliance"
_UNREAD = "ucontact:unread"
_NO_SERIAL = UUID(int=0)
# The distributions whose names are the vendors of `pkg:deb` (purl specification, type deb).
_VENDORS = ("debian", "ubuntu")


def to_cyclonedx(
    site: str, time: str, hosts: Sequence[HostContents], controller: PythonEnvironment
) -> bytes:
    """The document; `time` is the look's, ISO 8601 with its offset from UTC.

    `controller` is the machine that installs. Raises ValueError for a time without an offset, and
    for two hosts of one name.
    """
    when = datetime.fromisoformat(time.replace("Z", "+00:00"))
    if when.tzinfo is None:
        raise ValueError(f"{time} does not say its offset from UTC")
    if len({host.name for host in hosts}) < len(hosts):
        raise ValueError("two hosts have the same name")
    bom = Bom(serial_number=_NO_SERIAL)
    root = Component(name=site, type=ComponentType.APPLICATION, bom_ref="site")
    bom.metadata = BomMetaData(
        timestamp=when,
        tools=ToolRepository(
            components=[
                Component(
                    name=_APPLIANCE,
                    version=__version__,
                    type=ComponentType.APPLICATION,
                    bom_ref="tool",
                )
            ]
        ),
        lifecycles=[PredefinedLifecycle(LifecyclePhase.OPERATIONS)],
        component=root,
    )
    edges: list[Dependency] = []
    devices = [*(_host(host, edges) for host in hosts), _controller(controller, edges)]
    edges.append(_stands_on(root, devices))
    bom.components = devices
    # Bom.register_dependency looks through all that there are, for each: too long for a big site.
    bom.dependencies = edges
    return _with_serial(bom)


def _stands_on(upper: Component, lower: Iterable[Component]) -> Dependency:
    return Dependency(upper.bom_ref, [Dependency(one.bom_ref) for one in lower])


def _with_serial(bom: Bom) -> bytes:
    """The document, with a serial number made of the document without one."""
    unnamed = JsonV1Dot6(bom).output_as_string(indent=2)
    digest = hashlib.sha256(unnamed.encode()).hexdigest()
    serial = uuid5(NAMESPACE_URL, f"https://cyclonedx.org/{_APPLIANCE}/{digest}")
    # Nothing but the serial number depends on it: a second rendering would take as long again.
    return (unnamed.replace(_NO_SERIAL.urn, serial.urn, 1) + "\n").encode()


def _host(host: HostContents, edges: list[Dependency]) -> Component:
    ref = f"host/{host.name}"
    found = host.packages
    system = Component(
        name=found.os_id or "unknown",
        version=found.os_version or found.suite or None,
        type=ComponentType.OPERATING_SYSTEM,
        description=found.os_name or None,
        bom_ref=f"{ref}/system",
    )
    packages = [_package(one, found, ref) for one in found.packages]
    archives = [_archive(one, host.archives.root, ref) for one in host.archives.archives]
    edges.append(_stands_on(system, packages))
    device = Component(
        name=host.name,
        type=ComponentType.DEVICE,
        bom_ref=ref,
        components=[system, *packages, *archives],
        properties=_unread((*found.unread, *host.archives.unread)),
    )
    edges.append(_stands_on(device, [system, *archives]))
    return device


def _unread(sentences: Iterable[str]) -> list[Property]:
    return [Property(name=_UNREAD, value=one) for one in sentences]


def package_url(package: InstalledPackage, found: InstalledPackages) -> PackageURL:
    """A package's URL, as a part of its host's system."""
    upstream = package.source
    if package.source_version != package.version:
        upstream = f"{package.source}@{package.source_version}"
    elif package.source == package.name:
        upstream = ""
    qualifiers = {
        "arch": package.architecture,
        "distro": f"{found.os_id}-{found.os_version or found.suite}",
        "upstream": upstream,
    }
    deb = found.os_id in _VENDORS
    return PackageURL(
        type="deb" if deb else "generic",
        namespace=found.os_id if deb else None,
        name=package.name,
        version=package.version,
        qualifiers={key: value for key, value in qualifiers.items() if value},
    )


def _package(package: InstalledPackage, found: InstalledPackages, ref: str) -> Component:
    url = package_url(package, found)
    maintainer = package.maintainer
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,  # what the specification wants where it can't be told
        purl=url,
        supplier=OrganizationalEntity(name=maintainer) if maintainer else None,
        bom_ref=f"{ref}/{url}",
        properties=[
            Property(name="ucontact:source", value=package.source),
            Property(name="ucontact:source-version", value=package.source_version),
        ],
    )


def archive_url(archive: JavaArchive) -> PackageURL:
    """The URL of the artifact that an archive says it is; else of the very file, by its hash."""
    if archive.group and archive.artifact:
        return PackageURL(
            type="maven",
            namespace=archive.group,
            name=archive.artifact,
            version=archive.maven_version or None,
        )
    return PackageURL(
        type="generic",
        name=PurePosixPath(archive.path).name,
        version=archive.version or None,
        qualifiers={"checksum": f"sha256:{archive.sha256}"},
    )


def _archive(archive: JavaArchive, root: str, ref: str) -> Component:
    return Component(
        name=archive.artifact or archive.title or PurePosixPath(archive.path).name,
        group=archive.group or None,
        version=archive.maven_version or archive.version or None,
        type=ComponentType.LIBRARY,
        purl=archive_url(archive),
        publisher=archive.vendor or None,
        bom_ref=f"{ref}/{archive.path}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=archive.sha256)],
        properties=[
            Property(name="ucontact:path", value=f"{root}/{archive.path}"),
            Property(name="ucontact:size", value=str(archive.size)),
        ],
    )


def _controller(found: PythonEnvironment, edges: list[Dependency]) -> Component:
    ref = "controller"
    python = Component(
        name="python",
        version=found.python,
        type=ComponentType.PLATFORM,
        purl=PackageURL(type="generic", name="python", version=found.python),
        bom_ref=f"{ref}/python",
    )
    parts = {one.name: _distribution(one, ref) for one in found.distributions}
    for one in found.distributions:
        needs = [parts[name] for name in one.requires if name in parts]
        edges.append(_stands_on(parts[one.name], needs))
    device = Component(
        name="the machine that installs",
        type=ComponentType.DEVICE,
        bom_ref=ref,
        components=[python, *parts.values()],
        properties=_unread(found.unread),
    )
    # The others are there because the appliance is.
    tops = [parts[_APPLIANCE]] if _APPLIANCE in parts else list(parts.values())
    edges.append(_stands_on(device, [python, *tops]))
    return device


def _distribution(distribution: PythonDistribution, ref: str) -> Component:
    mine = distribution.name == _APPLIANCE
    known = distribution.licence and is_expression(distribution.licence)
    return Component(
        name=distribution.name,
        version=distribution.version or None,
        type=ComponentType.APPLICATION if mine else ComponentType.LIBRARY,
        purl=PackageURL(type="pypi", name=distribution.name, version=distribution.version or None),
        licenses=[LicenseExpression(distribution.licence)] if known else [],
        bom_ref=f"{ref}/{distribution.name}",
    )
