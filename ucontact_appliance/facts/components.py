"""Installed software: a host's packages and Java archives, and the appliance's own Python.

Whatever can't be read is listed in `unread`: an inventory that silently lacks components is worth
less than one that reports its gaps.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.facts.survey import parse_os_release
from ucontact_appliance.resources import INSTALLER, load_data

_PROBE = INSTALLER / "probes" / "archives.py"
_PACKAGES_SECONDS = 30.0
_ARCHIVES_SECONDS = 120.0  # hashing a large release and its nested archives from a slow disk
_APPLIANCE = "ucontact-appliance"
_LICENCE = "License-Expression"
_ROLLING = "sid"
# dpkg-query(1), db:Status-Abbrev, second letter: n(ot installed), c(onfiguration files only).
_NOT_THERE = "nc"


@dataclass(frozen=True)
class InstalledPackage:
    """A package as dpkg knows it; its versions are Debian's (deb-version(7)).

    `source` and `source_version` are of the source package that it was built from; `maintainer` is
    the package's own field.
    """

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    maintainer: str = ""


@dataclass(frozen=True)
class InstalledPackages:
    """A host's system (os-release(5)) and its packages, by name; `unread` lists what is missing."""

    os_id: str
    os_version: str
    os_name: str
    codename: str
    packages: tuple[InstalledPackage, ...]
    unread: tuple[str, ...] = ()

    @property
    def suite(self) -> str:
        """The suite's codename; Debian without a version counts as sid, as in data/os.yml."""
        return _ROLLING if self.os_id == "debian" and not self.os_version else self.codename


# Half-installed packages are partly present, and triggers may stay pending for years, so every
# package except a removed one counts. dpkg-query itself expands \t and \n.
_FORMAT = "\\t".join(
    (
        "${db:Status-Abbrev}",
        "${Package}",
        "${Version}",
        "${Architecture}",
        "${source:Package}",
        "${source:Version}",
        "${Maintainer}\\n",
    )
)
_FIELDS = 7
_PACKAGES = script(
    release="cat /etc/os-release",
    packages=f"LC_ALL=C dpkg-query -W -f='{_FORMAT}' 2>&1; state=$?",
    status="echo $state",
)


def installed_packages(reach: ProbeContext) -> InstalledPackages:
    """Query dpkg for all installed packages."""
    done = reach.runner.run(["sh", "-c", _PACKAGES], timeout=_PACKAGES_SECONDS)
    return parse_packages(done.stdout)


def parse_packages(text: str) -> InstalledPackages:
    """Parse that command's output."""
    part = sections(text)
    release = parse_os_release(part.get("release", ""))
    found, strange = [], []
    for line in part.get("packages", "").splitlines():
        fields = line.split("\t")
        if len(fields) != _FIELDS:
            strange.append(line.strip())
            continue
        state, name, version, architecture, source, source_version, maintainer = fields
        if state[1:2] in _NOT_THERE:
            continue
        if not version:
            strange.append(f"{name} has no version ({state.strip()})")
            continue
        found.append(
            InstalledPackage(
                name,
                version,
                architecture,
                source or name,
                source_version or version,
                maintainer.strip(),
            )
        )
    unread = [f"dpkg-query: {line}" for line in strange if line]
    status = part.get("status", "").strip()
    if status != "0":
        unread.append(f"dpkg-query ended with status {status or 'unknown'}")
    return InstalledPackages(
        os_id=release.get("ID", ""),
        os_version=release.get("VERSION_ID", ""),
        os_name=release.get("PRETTY_NAME", release.get("ID", "unknown")),
        codename=release.get("VERSION_CODENAME", ""),
        packages=tuple(sorted(found, key=lambda one: (one.name, one.architecture, one.version))),
        unread=tuple(unread),
    )


@dataclass(frozen=True)
class JavaArchive:
    """A *.jar or *.war by its path under the tree's root; `OUTER!/INNER` if nested in another one.

    `size` is in bytes. `title`, `version` and `vendor` are its manifest's Implementation-* entries,
    or else its Bundle-* entries. `group`, `artifact` and `maven_version` are its Maven coordinates,
    if it has exactly one set of them: several mean that other projects were merged into it.
    """

    path: str
    size: int
    sha256: str
    title: str = ""
    version: str = ""
    vendor: str = ""
    group: str = ""
    artifact: str = ""
    maven_version: str = ""


@dataclass(frozen=True)
class JavaArchives:
    """The archives under `root`, by path; `unread` lists what is missing or incomplete."""

    root: str
    archives: tuple[JavaArchive, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostContents:
    """The software installed on the host of that name."""

    name: str
    packages: InstalledPackages
    archives: JavaArchives


def java_archives(reach: ProbeContext) -> JavaArchives:
    """Read every archive in R22's tree with the host's own Python; none if there is no tree."""
    root = str(load_data("tree")["root"])
    done = reach.runner.run(
        ["python3", "-", root],
        timeout=_ARCHIVES_SECONDS,
        stdin=_PROBE.read_text(encoding="utf-8"),
    )
    return parse_archives(root, done.stdout, done.stderr)


def parse_archives(root: str, text: str, complaint: str = "") -> JavaArchives:
    """Parse the probe's document; if there is none, `complaint` says why."""
    try:
        # Only the last line is the probe's: a login script may print a greeting before it.
        told: dict[str, Any] = json.loads(text.splitlines()[-1])
        found = tuple(_archive(row) for row in told["archives"])
        problems = [(str(row["path"]), str(row["problem"])) for row in told["archives"]]
        problems += [(str(path), str(reason)) for path, reason in told["unread"]]
    except (IndexError, ValueError, KeyError, TypeError):
        said = complaint.strip().splitlines()
        return JavaArchives(root, (), (f"{root}: {said[-1] if said else 'no answer'}",))
    unread = (_printable(f"{path}: {problem}") for path, problem in problems if problem)
    return JavaArchives(root, tuple(sorted(found, key=lambda one: one.path)), tuple(sorted(unread)))


def _archive(row: dict[str, Any]) -> JavaArchive:
    manifest = parse_manifest(row["manifest"])
    maven = [parse_properties(text) for text in row["maven"]]
    mine = maven[0] if len(maven) == 1 else {}
    kind = "Implementation" if manifest.get("Implementation-Version") else "Bundle"
    title = manifest.get("Implementation-Title") or manifest.get("Bundle-Name", "")
    return JavaArchive(
        path=_printable(row["path"]),
        size=int(row["size"]),
        sha256=str(row["sha256"]),
        title=title,
        version=manifest.get(f"{kind}-Version", ""),
        vendor=manifest.get(f"{kind}-Vendor", ""),
        group=mine.get("groupId", ""),
        artifact=mine.get("artifactId", ""),
        maven_version=mine.get("version", ""),
    )


def parse_manifest(text: str) -> dict[str, str]:
    """Parse the main section of a manifest whose bytes were decoded as Latin-1.

    Lines are wrapped after 72 bytes and continue after a space (JAR File Specification, "Line
    length"), even in the middle of a character, so they are joined before they are decoded.
    """
    whole = re.sub(rb"\n ", b"", text.encode("latin-1", "replace")).decode("utf-8", "replace")
    pairs = (line.partition(":") for line in whole.split("\n") if ":" in line)
    return {key.strip(): _printable(value.strip()) for key, _, value in pairs}


def parse_properties(text: str) -> dict[str, str]:
    """Parse the plain `key=value` lines of a Java properties file, as Maven writes it."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line[:1] not in ("#", "!") and "=" in line)
    return {key.strip(): _printable(value.strip()) for key, _, value in pairs}


def _printable(text: str) -> str:
    """Replace what no document may contain: control characters and lone surrogates."""
    whole = str(text).encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]", "?", whole)


@dataclass(frozen=True)
class PythonDistribution:
    """An installed distribution by its normalized name (PEP 503).

    `requires` lists its installed dependencies; `licence` is its SPDX expression (PEP 639), empty
    if it states none in that form.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    licence: str = ""


@dataclass(frozen=True)
class PythonEnvironment:
    """This machine's Python: the appliance and all its dependencies, by name.

    `unread` lists the dependencies that can't be found.
    """

    python: str
    distributions: tuple[PythonDistribution, ...]
    unread: tuple[str, ...] = ()


def python_environment(root: str = _APPLIANCE) -> PythonEnvironment:
    """Resolve the requirements of `root` for this machine; accesses no host."""
    found: dict[str, PythonDistribution] = {}
    unread: dict[str, None] = {}
    asked: dict[str, set[str]] = {}
    ahead: list[tuple[str, frozenset[str]]] = [(root, frozenset())]
    while ahead:
        name, extras = ahead.pop()
        key = canonicalize_name(name)
        if key in asked and extras <= asked[key]:
            continue
        wanted = asked.setdefault(key, set())
        wanted |= extras
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            unread[f"{key}: not installed here"] = None
            continue
        needs: dict[str, None] = {}
        for line in distribution.requires or ():
            try:
                requirement = Requirement(line)
                holds = _holds(requirement, wanted)
            except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName):
                unread[f"{key}: its requirement {_printable(line)!r} can't be read"] = None
                continue
            if holds:
                needs[canonicalize_name(requirement.name)] = None
                ahead.append((requirement.name, frozenset(requirement.extras)))
        found[key] = PythonDistribution(
            key,
            distribution.version,
            tuple(sorted(needs)),
            _licence(distribution),
        )
    return PythonEnvironment(
        platform.python_version(),
        tuple(_complete(found)),
        tuple(sorted(unread)),
    )


def _licence(distribution: metadata.Distribution) -> str:
    told = distribution.metadata
    return str(told[_LICENCE]) if _LICENCE in told else ""


def _holds(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": one}) for one in ("", *sorted(extras)))


def _complete(found: dict[str, PythonDistribution]) -> Iterator[PythonDistribution]:
    """Sort by name, and keep only those requirements that were found."""
    for name, one in sorted(found.items()):
        there = tuple(other for other in one.requires if other in found and other != name)
        yield PythonDistribution(name, one.version, there, one.licence)
