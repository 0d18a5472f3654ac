"""Which known vulnerabilities affect what is installed, judged offline by Debian's own feed.

Versions are of source packages, and compare as Debian Policy 5.6.12 has it.

debsecan(1) compares in the same way, but goes by the version that mended unstable and a list of
the mended versions in the suites; its data leave out the urgencies "unimportant" and "end-of-life".
Here they are kept, with that urgency: nobody mends what is at its end of life, and an auditor asks.

Limits: a package that another maker gave the name of one of Debian's is taken for Debian's. Java
archives and Python distributions are in no feed of Debian's. Ubuntu's packages have other versions:
for those no feed is read, and the answer says so.
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
    Entry,
    Feed,
    InSuite,
    read_feed,
)
from ucontact_appliance.resources import load_data

if TYPE_CHECKING:
    from debian_inspector.version import Version

_TABLE: dict[str, Any] = load_data("vulnerabilities")
_NEVER = "0"
_AHEAD = timedelta(days=1)  # clocks differ; more than that is a wrong one
_EPOCH = re.compile(r"[0-9]+")
_UPSTREAM = re.compile(r"[0-9][A-Za-z0-9.+~:-]*")
_REVISION = re.compile(r"[A-Za-z0-9.+~]+")

Status = Literal["fixed-in", "open", "undetermined"]


@dataclass(frozen=True)
class Vulnerability:
    """A vulnerability that affects a package as it is installed.

    `status`: `fixed-in` where the suite has `fixed_version`, `open` where it has none yet,
    `undetermined` where Debian does not know yet whether it affects the suite. `urgency` is
    Debian's word (low, medium, high, unimportant, end-of-life, not yet assigned), `scope` local or
    remote. `no_advisory` is why Debian's security team issues no advisory of its own,
    `no_advisory_reason` postponed or ignored where it decided so.
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
class Judged:
    """What is known of one host's packages.

    `affected` are open and fixed-in, `undetermined` the others. `unjudged` says of which packages,
    or which of their vulnerabilities, nothing can be told, and why. `reason`, where it is not
    empty, says why the host as a whole was not judged: then nothing found means nothing.
    """

    suite: str
    packages: int = 0
    affected: tuple[Vulnerability, ...] = ()
    undetermined: tuple[Vulnerability, ...] = ()
    unjudged: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class KnownToday:
    """A site's packages against one feed file.

    `sha256` is the file's, `written` when it was (aware), `age_days` how old it is at the report.
    `refused` says why it is no evidence, and is empty where it is; then `hosts` has each host's.
    """

    file: str
    sha256: str
    written: datetime
    age_days: float
    refused: str = ""
    hosts: tuple[tuple[str, Judged], ...] = ()


def judge_site(
    data: bytes,
    file: str,
    written: datetime,
    hosts: Mapping[str, InstalledPackages],
    now: datetime,
) -> KnownToday:
    """What the feed of this content knows of each host's packages; times are aware.

    A feed that is too old is read no further: it knows nothing of what was found since. Raises
    FeedError.
    """
    age = (now - written) / timedelta(days=1)
    sha256 = hashlib.sha256(data).hexdigest()
    limit = _TABLE["stale_days"]
    if age > limit:
        told = _("it is {days:.0f} days old; evidence is at most {limit}", days=age, limit=limit)
        return KnownToday(file, sha256, written, age, told)
    if written - now > _AHEAD:
        return KnownToday(file, sha256, written, age, _("it is from a time that has not come"))
    found = hosts.values()
    feed = read_feed(
        data, file, written, suites={one.suite for one in found}, sources=sources_of(found)
    )
    judged = tuple((name, known_vulnerabilities(one, feed)) for name, one in hosts.items())
    return KnownToday(file, sha256, written, age, hosts=judged)


def tracked(package: InstalledPackage) -> tuple[str, str]:
    """The source package, and its version, by which the tracker knows a package."""
    for row in _TABLE["signed"]:
        if package.source.startswith(row["prefix"]):
            return row["source"], package.version
    return package.source, package.source_version


def sources_of(hosts: Collection[InstalledPackages]) -> frozenset[str]:
    """The source packages that a feed is to be read for."""
    return frozenset(tracked(one)[0] for host in hosts for one in host.packages)


def known_vulnerabilities(found: InstalledPackages, feed: Feed) -> Judged:
    """What the feed says of a host's packages.

    The feed has to be read for the host's suite and its sources (`sources_of`).
    """
    suite = found.suite
    reason = _not_judged(found, feed)
    if reason:
        return Judged(suite, reason=reason)
    sums = _Sums(list(found.unread))
    for package in found.packages:
        source, version = tracked(package)
        for entry in feed.entries.get(source, ()):
            if suite in entry.suites:
                sums.add(package, source, version, entry, suite)
    return Judged(
        suite,
        len(found.packages),
        tuple(sorted(sums.affected, key=_order)),
        tuple(sorted(sums.undetermined, key=_order)),
        tuple(dict.fromkeys(sums.unjudged)),
    )


def _not_judged(found: InstalledPackages, feed: Feed) -> str:
    if found.os_id == "ubuntu":
        return _("no feed for Ubuntu is read: Debian's says nothing of Ubuntu's versions")
    if found.os_id != "debian":
        return _(
            "no feed for {system} is read: there is Debian's only",
            system=found.os_name or _("this system"),
        )
    if not found.packages:
        return joined("; ", (_("the host's packages are not known"), *found.unread))
    if found.suite not in feed.suites:
        return _(
            "the feed {file} says nothing of {suite}",
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
        self, package: InstalledPackage, source: str, version: str, entry: Entry, suite: str
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


def judge(version: str, here: InSuite, newest: InSuite | None) -> Status | None:
    """Whether an installed source version is affected; None where it is not.

    `here` is the package's suite, `newest` the rolling one. A version that is newer than all that
    its suite carries was brought from elsewhere, such as backports: what is open in the suite may
    be mended in it, and then the version that mended the rolling suite decides. Raises ValueError
    for versions that can't be compared.
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
    """Below, equal to or above 0 as Debian version `one` is older than, the same as or newer."""
    from debian_inspector.version import compare_versions  # noqa: PLC0415  as below

    return int(compare_versions(_version(one), _version(other)))


@lru_cache(maxsize=65536)
def _version(text: str) -> Version:
    """Version.from_string refuses some that dpkg takes, such as those that end with '+' or '~'."""
    # Only here: it takes long to load, and most commands compare no versions.
    from debian_inspector.version import Version  # noqa: PLC0415

    epoch, _, rest = text.partition(":") if ":" in text else ("0", ":", text)
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "-", "0")
    parts = ((_EPOCH, epoch), (_UPSTREAM, upstream), (_REVISION, revision))
    if not all(shape.fullmatch(part) for shape, part in parts):
        raise ValueError(f"the version {text!r} can't be compared")
    return Version(int(epoch), upstream, revision)
