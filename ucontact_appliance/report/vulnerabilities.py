"""Judge offline, by Debian's own feed, which known vulnerabilities affect the installed packages.

Versions are those of source packages, compared as Debian Policy 5.6.12 defines.

debsecan(1) compares in the same way, but by the version that fixed unstable and a list of the fixed
versions in the suites; its data leave out the urgencies "unimportant" and "end-of-life". Here they
are kept, with that urgency: after its end of life nothing is fixed, and an auditor asks about it.

Limits: a third-party package with the name of a Debian package is taken for Debian's. Debian's feed
covers no Java archives and no Python distributions. Ubuntu's packages have other versions: for
those no feed is read, and the result says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from ucontact_appliance.facts.components import InstalledPackage, InstalledPackages
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.report.vulnerability_feed import (
    NEWEST,
    Feed,
    FeedEntry,
    SuiteStatus,
    read_feed,
)
from ucontact_appliance.resources import load_data

if TYPE_CHECKING:
    from debian_inspector.version import Version

_TABLE: dict[str, Any] = load_data("vulnerabilities")
_NEVER = "0"
_AHEAD = timedelta(days=1)  # clocks differ; a greater difference is an error
_EPOCH = re.compile(r"[0-9]+")
_UPSTREAM = re.compile(r"[0-9][A-Za-z0-9.+~:-]*")
_REVISION = re.compile(r"[A-Za-z0-9.+~]+")

Status = Literal["fixed-in", "open", "undetermined"]


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability that affects an installed package.

    `status`: `fixed-in` if the suite has `fixed_version`, `open` if it has no fix yet,
    `undetermined` if Debian does not know yet whether it affects the suite. `urgency` is Debian's
    (low, medium, high, unimportant, end-of-life, not yet assigned), `scope` is local or remote.
    `no_advisory` is why Debian's security team issues no advisory of its own,
    `no_advisory_reason` is postponed or ignored if it decided so.
    """

    package: str
    architecture: str
    version: str
    source: str
    source_version: str
    cve: str
    status: Status
    fixed_version: str
    urgency: str
    scope: str
    description: str
    no_advisory: str = ""
    no_advisory_reason: str = ""


@dataclass(frozen=True)
class HostJudgement:
    """The known vulnerabilities of one host's packages.

    `affected` are open and fixed-in, `undetermined` the others. `unjudged` names packages, or some
    of their vulnerabilities, that could not be judged, and why. `reason`, if not empty, says why
    the whole host was not judged: an empty result then means nothing.
    """

    suite: str
    packages: int = 0
    affected: tuple[Vulnerability, ...] = ()
    undetermined: tuple[Vulnerability, ...] = ()
    unjudged: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class KnownToday:
    """A site's packages, judged by one feed file.

    `sha256` is the file's hash, `written` its time (aware), `age_days` its age at the report.
    `refused` says why the file is no evidence; if it is empty, `hosts` has each host's result.
    """

    file: str
    sha256: str
    written: datetime
    age_days: float
    refused: str = ""
    hosts: tuple[tuple[str, HostJudgement], ...] = ()


def judge_site(
    data: bytes,
    file: str,
    written: datetime,
    hosts: Mapping[str, InstalledPackages],
    now: datetime,
) -> KnownToday:
    """Judge each host's packages by the feed with this content; times are aware.

    A feed that is too old is not read: it lacks what was found since. Raises FeedError.
    """
    age = (now - written) / timedelta(days=1)
    sha256 = hashlib.sha256(data).hexdigest()
    limit = _TABLE["stale_days"]
    if age > limit:
        told = _(
            "it is {days:.0f} days old; the limit for evidence is {limit} days",
            days=age,
            limit=limit,
        )
        return KnownToday(file, sha256, written, age, told)
    if written - now > _AHEAD:
        return KnownToday(file, sha256, written, age, _("its date is in the future"))
    found = hosts.values()
    feed = read_feed(
        data, file, written, suites={one.suite for one in found}, sources=sources_of(found)
    )
    judged = tuple((name, known_vulnerabilities(one, feed)) for name, one in hosts.items())
    return KnownToday(file, sha256, written, age, hosts=judged)


def tracked(package: InstalledPackage) -> tuple[str, str]:
    """Return the source package and version under which the tracker lists a package."""
    for row in _TABLE["signed"]:
        if package.source.startswith(row["prefix"]):
            return row["source"], package.version
    return package.source, package.source_version


def sources_of(hosts: Collection[InstalledPackages]) -> frozenset[str]:
    """Return the source packages that a feed must be read for."""
    return frozenset(tracked(one)[0] for host in hosts for one in host.packages)


def known_vulnerabilities(found: InstalledPackages, feed: Feed) -> HostJudgement:
    """Judge a host's packages by a feed that was read for its suite and sources (`sources_of`)."""
    suite = found.suite
    reason = _not_judged(found, feed)
    if reason:
        return HostJudgement(suite, reason=reason)
    sums = _Sums(list(found.unread))
    for package in found.packages:
        source, version = tracked(package)
        for entry in feed.entries.get(source, ()):
            if suite in entry.suites:
                sums.add(package, source, version, entry, suite)
    return HostJudgement(
        suite,
        len(found.packages),
        tuple(sorted(sums.affected, key=_order)),
        tuple(sorted(sums.undetermined, key=_order)),
        tuple(dict.fromkeys(sums.unjudged)),
    )


def _not_judged(found: InstalledPackages, feed: Feed) -> str:
    if found.os_id == "ubuntu":
        return _("no feed for Ubuntu is supported: Debian's feed does not cover Ubuntu's versions")
    if found.os_id != "debian":
        return _(
            "no feed for {system} is supported: only Debian's is",
            system=found.os_name or _("this system"),
        )
    if not found.packages:
        return joined("; ", (_("the host's packages are not known"), *found.unread))
    if found.suite not in feed.suites:
        return _(
            "the feed {file} does not cover {suite}",
            file=feed.file,
            suite=found.suite or _("its suite"),
        )
    return ""


def _order(one: Vulnerability) -> tuple[str, str, str]:
    return one.package, one.architecture, one.cve


@dataclass
class _Sums:
    unjudged: list[str]
    affected: list[Vulnerability] = field(default_factory=list)
    undetermined: list[Vulnerability] = field(default_factory=list)

    def add(
        self, package: InstalledPackage, source: str, version: str, entry: FeedEntry, suite: str
    ) -> None:
        here = entry.suites[suite]
        try:
            status = judge(version, here, entry.suites.get(NEWEST))
        except ValueError as error:
            self.unjudged.append(f"{package.name} {package.version}, {entry.cve}: {error}")
            return
        if status is None:
            return
        told = Vulnerability(
            package=package.name,
            architecture=package.architecture,
            version=package.version,
            source=source,
            source_version=version,
            cve=entry.cve,
            status=status,
            fixed_version=here.fixed_version if status == "fixed-in" else "",
            urgency=here.urgency,
            scope=entry.scope,
            description=entry.description,
            no_advisory=here.no_advisory,
            no_advisory_reason=here.no_advisory_reason,
        )
        (self.undetermined if status == "undetermined" else self.affected).append(told)


def judge(version: str, here: SuiteStatus, newest: SuiteStatus | None) -> Status | None:
    """Return the status of an installed source version; None if it is not affected.

    `here` is the entry of the package's suite, `newest` that of the rolling one. A version newer
    than all in its suite comes from elsewhere, such as backports: it may fix what is open in the
    suite, and then the version that fixed the rolling suite decides. Raises ValueError for versions
    that can't be compared.
    """
    if here.status == "resolved":
        if here.fixed_version == _NEVER:
            return None
        if not here.fixed_version:
            return "undetermined"
        return "fixed-in" if compared(version, here.fixed_version) < 0 else None
    foreign = bool(here.carried) and all(compared(version, one) > 0 for one in here.carried)
    if foreign and newest is not None and newest.status == "resolved":
        mended = newest.fixed_version not in ("", _NEVER)
        if mended and compared(version, newest.fixed_version) >= 0:
            return None
    return "open" if here.status == "open" else "undetermined"


def compared(one: str, other: str) -> int:
    """Return below, equal to or above 0 if Debian version `one` is older than, same as or newer."""
    from debian_inspector.version import compare_versions  # noqa: PLC0415  as below

    return int(compare_versions(_version(one), _version(other)))


@lru_cache(maxsize=65536)
def _version(text: str) -> Version:
    """Parse a version. Version.from_string rejects some valid ones, such as a final '+' or '~'."""
    # Imported here: it takes long to load, and most commands compare no versions.
    from debian_inspector.version import Version  # noqa: PLC0415

    epoch, _, rest = text.partition(":") if ":" in text else ("0", ":", text)
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "-", "0")
    parts = ((_EPOCH, epoch), (_UPSTREAM, upstream), (_REVISION, revision))
    if not all(shape.fullmatch(part) for shape, part in parts):
        raise ValueError(f"the version {text!r} can't be compared")
    return Version(int(epoch), upstream, revision)
