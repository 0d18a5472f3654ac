"""A site's software bill of materials (SBOM) in CycloneDX 1.6 (ECMA-424), JSON.

    site (application)
    ├── a host (device): its system (operating-system), packages, Java archives
    ├── ...
    └── the installing machine (device): Python, the appliance and what it depends on

A host's components are nested in it: they are its parts (CycloneDX: an assembly). In `dependencies`
the site depends on its hosts, a host on its system and archives, the system on its packages, a
Python distribution on others.

Package URLs have the forms that SBOM scanners read: `distro` is the system's ID and VERSION_ID
(`debian-12`), `upstream` the source package, whose name Debian's and Ubuntu's security trackers
use. An archive is `pkg:maven` if it names its own artifact, else `pkg:generic` with its hash.
Licences that are no SPDX expression are left out.

A known vulnerability is an entry of `vulnerabilities` that refers to the packages it affects on all
servers. Without a feed there is no entry, and the metadata say why: an empty list alone would read
as "nothing is known to be wrong".

The output depends on neither clock nor random numbers: the same input gives the same octets.
Properties named `ucontact:unread` list what could not be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.impact_analysis import ImpactAnalysisAffectedStatus, ImpactAnalysisState
from cyclonedx.model.license import LicenseExpression
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository
from cyclonedx.model.vulnerability import (
    BomTarget,
    BomTargetVersionRange,
    VulnerabilityAnalysis,
    VulnerabilityRating,
    VulnerabilitySeverity,
    VulnerabilitySource,
)
from cyclonedx.model.vulnerability import Vulnerability as Affecting
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
from ucontact_appliance.report.known import (
    STATUSES,
    AffectedPackages,
    feed_facts,
    flaws,
    judged_facts,
    unjudged,
    unknown,
)
from ucontact_appliance.report.text import one_line
from ucontact_appliance.report.vulnerabilities import KnownToday, Vulnerability

_TRACKER = "https://security-tracker.debian.org/tracker"
# Debian's urgencies as CycloneDX severities; urgencies that state no severity are unknown.
_SEVERITIES = {
    "low": VulnerabilitySeverity.LOW,
    "medium": VulnerabilitySeverity.MEDIUM,
    "high": VulnerabilitySeverity.HIGH,
    "unimportant": VulnerabilitySeverity.INFO,
}
_NOT_JUDGED = "ucontact:vulnerabilities-not-judged"
_APPLIANCE = "ucontact-appliance"
_UNREAD = "ucontact:unread"
_NO_SERIAL = UUID(int=0)
# The distributions whose names are the vendors of `pkg:deb` (purl specification, type deb).
_VENDORS = ("debian", "ubuntu")


def to_cyclonedx(
    site: str,
    time: str,
    hosts: Sequence[HostContents],
    controller: PythonEnvironment,
    known: KnownToday | None = None,
) -> bytes:
    """Return the document; `time` is when the hosts were read, ISO 8601 with its offset from UTC.

    `controller` is the machine that installs, `known` the vulnerabilities by a feed (None: no feed
    was given). Raises ValueError for a time without an offset, and for two hosts of one name.
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
        properties=_feed(known),
    )
    edges: list[Dependency] = []
    devices = [*(_host(host, edges) for host in hosts), _controller(controller, edges)]
    edges.append(_stands_on(root, devices))
    bom.components = devices
    # Bom.register_dependency searches all dependencies on each call: too slow for a big site.
    bom.dependencies = edges
    bom.vulnerabilities = _vulnerabilities(known, hosts)
    return _with_serial(bom)


def _stands_on(upper: Component, lower: Iterable[Component]) -> Dependency:
    return Dependency(upper.bom_ref, [Dependency(one.bom_ref) for one in lower])


def _with_serial(bom: Bom) -> bytes:
    """Return the document, with a serial number derived from the document without one."""
    unnamed = JsonV1Dot6(bom).output_as_string(indent=2)
    digest = hashlib.sha256(unnamed.encode()).hexdigest()
    serial = uuid5(NAMESPACE_URL, f"https://cyclonedx.org/{_APPLIANCE}/{digest}")
    # Replaced in the text: a second rendering would take as long again.
    return (unnamed.replace(_NO_SERIAL.urn, serial.urn, 1) + "\n").encode()


def _feed(known: KnownToday | None) -> list[Property]:
    """Return the facts about the feed, why there is none, and what it could not judge."""
    rows = [
        Property(name=f"ucontact:{name}", value=one_line(value))
        for name, value in feed_facts(known)
    ]
    if nothing := unknown(known):
        rows.append(Property(name=_NOT_JUDGED, value=one_line(nothing)))
    for host, judged in known.hosts if known else ():
        rows += [
            Property(name=f"ucontact:{name}", value=one_line(f"{host}: {value}"))
            for name, value in judged_facts(judged)
        ]
    rows += [
        Property(name=_NOT_JUDGED, value=one_line(f"{one.host}: {one.reason}"))
        for one in unjudged(known)
    ]
    return rows


def _vulnerabilities(known: KnownToday | None, hosts: Sequence[HostContents]) -> list[Affecting]:
    """Return one entry per vulnerability, source package and suite: the feed judges by suite."""
    found = flaws(known)
    if not found:
        return []
    parts = {
        (host.name, one.name, one.architecture, one.version): _package_ref(
            _host_ref(host.name), package_url(one, host.packages)
        )
        for host in hosts
        for one in host.packages.packages
    }
    named = {host.name for host in hosts}
    rows: dict[tuple[str, ...], list[AffectedPackages]] = {}
    for flaw in found:
        one = flaw.first
        key: tuple[str, ...] = (one.cve, one.source, flaw.suite, one.status)
        rows.setdefault(key, []).append(flaw)
    made = []
    for key, mine in sorted(rows.items()):
        affects: dict[str, set[str]] = {}
        for flaw in mine:
            for package in flaw.packages:
                target = _ref(flaw.host, package, parts, named)
                affects.setdefault(target, set()).add(package.version)
        made.append(_affecting("/".join(("vulnerability", *key)), mine, affects))
    return made


def _ref(
    host: str,
    one: Vulnerability,
    parts: Mapping[tuple[str, str, str, str], str],
    named: Collection[str],
) -> str:
    """Return the reference of the package, or of its server or the site if it has no component."""
    above = _host_ref(host) if host in named else "site"
    return parts.get((host, one.package, one.architecture, one.version), above)


def _affecting(
    ref: str, mine: Sequence[AffectedPackages], affects: Mapping[str, Collection[str]]
) -> Affecting:
    one = mine[0].first
    undetermined = one.status == "undetermined"
    status = ImpactAnalysisAffectedStatus
    source = VulnerabilitySource(name="Debian", url=XsUri(f"{_TRACKER}/{quote(one.cve)}"))
    fix = f"Install {one.source} {one.fixed_version} or later" if one.fixed_version else None
    return Affecting(
        bom_ref=ref,
        id=one_line(one.cve),
        source=source,
        ratings=[
            VulnerabilityRating(
                source=source,
                severity=_SEVERITIES.get(one.urgency, VulnerabilitySeverity.UNKNOWN),
                justification=f"Debian's urgency: {one_line(one.urgency) or 'none'}",
            )
        ],
        description=one_line(one.description) or None,
        recommendation=one_line(fix) if fix else None,
        analysis=VulnerabilityAnalysis(
            state=ImpactAnalysisState.IN_TRIAGE if undetermined else None,
            detail=one_line(f"{mine[0].suite}: {mine[0].word}"),
        ),
        affects=[
            BomTarget(
                ref=target,
                versions=[
                    BomTargetVersionRange(
                        version=one_line(version),
                        status=status.UNKNOWN if undetermined else status.AFFECTED,
                    )
                    for version in sorted(versions)
                ],
            )
            for target, versions in affects.items()
        ],
        properties=[
            Property(name="ucontact:status", value=one.status),
            Property(name="ucontact:status-means", value=STATUSES[one.status]),
        ],
    )


def _host_ref(name: str) -> str:
    return f"host/{name}"


def _host(host: HostContents, edges: list[Dependency]) -> Component:
    ref = _host_ref(host.name)
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
    """Return the Package URL of a package on its host's system."""
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
        type=ComponentType.LIBRARY,  # as the specification asks if the type is unknown
        purl=url,
        supplier=OrganizationalEntity(name=maintainer) if maintainer else None,
        bom_ref=_package_ref(ref, url),
        properties=[
            Property(name="ucontact:source", value=package.source),
            Property(name="ucontact:source-version", value=package.source_version),
        ],
    )


def _package_ref(host: str, url: PackageURL) -> str:
    return f"{host}/{url}"


def archive_url(archive: JavaArchive) -> PackageURL:
    """Return the Package URL of the artifact that an archive names, else of the file by hash."""
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
    # The other distributions are dependencies of the appliance.
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
