"""Which known vulnerabilities affect what is installed, judged offline by Debian's own feed.

The feed is the JSON of Debian's security tracker, which somebody fetched as a file:

    {source package: {CVE: {"description", "scope": "local" | "remote", "releases": {suite: {
        "status": "resolved" | "open" | "undetermined", "fixed_version", "urgency",
        "repositories": {suite or suite-security: version}, "nodsa", "nodsa_reason"}}}}}

All but `releases` and `status` can be missing. `fixed_version` is there for what is resolved; "0"
says that the suite never was vulnerable. Versions are of source packages, and compare as Debian
Policy 5.6.12 has it.

debsecan(1) compares in the same way, but goes by the version that mended unstable and a list of
the mended versions in the suites; its data leave out the urgencies "unimportant" and "end-of-life".
Here they are kept, with that urgency: nobody mends what is at its end of life, and an auditor asks.

Limits: a package that another maker gave the name of one of Debian's is taken for Debian's. Java
archives and Python distributions are in no feed of Debian's. Ubuntu's packages have other versions:
for those no feed is read, and the answer says so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from ucontact_appliance.errors import UsageError
from ucontact_appliance.facts.components import InstalledPackage, InstalledPackages
from ucontact_appliance.resources import load_data

if TYPE_CHECKING:
    from debian_inspector.version import Version

_TABLE: dict[str, Any] = load_data("vulnerabilities")
_NEWEST: str = _TABLE["newest_suite"]
_NEVER = "0"
_STATUSES = ("resolved", "open", "undetermined")
_AHEAD = timedelta(days=1)  # clocks differ; more than that is a wrong one
_EPOCH = re.compile(r"[0-9]+")
_UPSTREAM = re.compile(r"[0-9][A-Za-z0-9.+~:-]*")
_REVISION = re.compile(r"[A-Za-z0-9.+~]+")
_MORE = "something stands behind the end"
_SPACE = re.compile(r"[ \t\r\n]*")

Status = Literal["fixed-in", "open", "undetermined"]


class FeedError(UsageError):
    """The feed's file is damaged, or is none. Exit code 2."""

    def __init__(self, file: str, wrong: str, evidence: str = "") -> None:
        super().__init__(
            f"the vulnerability feed {file} can't be used: {wrong}",
            evidence=evidence,
            helps=f"curl --fail --location --output '{file}' {_TABLE['feed']}",
        )


@dataclass(frozen=True)
class InSuite:
    """What the feed says of one vulnerability in one suite; empty where it says nothing.

    `carried` are the versions that the suite and its updates have.
    """

    status: str
    fixed_version: str = ""
    urgency: str = ""
    carried: tuple[str, ...] = ()
    no_advisory: str = ""
    no_advisory_reason: str = ""


@dataclass(frozen=True)
class Entry:
    """One vulnerability of a source package, in the suites that were asked for."""

    cve: str
    description: str
    scope: str
    suites: Mapping[str, InSuite]


@dataclass(frozen=True)
class Feed:
    """The part of a feed that was asked for.

    `fetched` is when its file was written (aware), `entries` are by source package, `suites` all
    that the whole feed knows.
    """

    file: str
    fetched: datetime
    entries: Mapping[str, tuple[Entry, ...]]
    suites: frozenset[str]


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
        told = f"it is {age:.0f} days old; evidence is at most {limit}"
        return KnownToday(file, sha256, written, age, told)
    if written - now > _AHEAD:
        return KnownToday(file, sha256, written, age, "it is from a time that has not come")
    found = hosts.values()
    feed = read_feed(
        data, file, written, suites={one.suite for one in found}, sources=sources_of(found)
    )
    judged = tuple((name, known_vulnerabilities(one, feed)) for name, one in hosts.items())
    return KnownToday(file, sha256, written, age, hosts=judged)


def is_stale(feed: Feed, now: datetime) -> bool:
    """Whether the feed is too old to trust, or from a time that has not come (`now` is aware)."""
    age = now - feed.fetched
    return age > timedelta(days=_TABLE["stale_days"]) or age < -_AHEAD


def tracked(package: InstalledPackage) -> tuple[str, str]:
    """The source package, and its version, by which the tracker knows a package."""
    for row in _TABLE["signed"]:
        if package.source.startswith(row["prefix"]):
            return row["source"], package.version
    return package.source, package.source_version


def sources_of(hosts: Collection[InstalledPackages]) -> frozenset[str]:
    """The source packages that a feed is to be read for."""
    return frozenset(tracked(one)[0] for host in hosts for one in host.packages)


def read_feed(
    data: bytes,
    file: str,
    fetched: datetime,
    *,
    suites: Collection[str],
    sources: Collection[str],
) -> Feed:
    """The feed whose file has this content, for these suites and source packages alone.

    `file` names it in messages. The feed has some 70 MB: source packages are decoded one by one,
    and what was not asked for is dropped at once. Raises FeedError.
    """
    wanted, kept = set(sources), {*suites, _NEWEST}
    entries: dict[str, tuple[Entry, ...]] = {}
    known: set[str] = set()
    for source, issues in _members(data, file):
        if not isinstance(issues, dict):
            raise FeedError(file, f"{source} has no vulnerabilities", _excerpt(issues))
        mine = source in wanted
        rows = []
        for cve, issue in issues.items():
            releases = issue.get("releases") if isinstance(issue, dict) else None
            if not isinstance(releases, dict):
                raise FeedError(file, f"{cve} of {source} has no releases", _excerpt(issue))
            known.update(releases)
            if mine:
                rows.append(_entry(cve, issue, kept, file, source))
        if mine:
            entries[source] = tuple(row for row in rows if row.suites)
    if not known:
        raise FeedError(file, "there is no vulnerability in it")
    return Feed(file, fetched, entries, frozenset(known))


def _members(data: bytes, file: str) -> Iterator[tuple[str, Any]]:
    """The members of the JSON object, one after the other."""
    decoder = json.JSONDecoder()
    try:
        text = data.decode("utf-8-sig")
        at = _after(text, 0, "{")
        first = True
        while not text.startswith("}", at):
            at = at if first else _after(text, at, ",")
            first = False
            name, at = decoder.raw_decode(text, at)
            if not isinstance(name, str):
                raise json.JSONDecodeError("Expecting a name", text, at)
            value, at = decoder.raw_decode(text, _after(text, _skip(text, at), ":"))
            at = _skip(text, at)
            yield name, value
        if _skip(text, at + 1) != len(text):
            raise json.JSONDecodeError(_MORE, text, at + 1)
    except UnicodeDecodeError as error:
        raise FeedError(file, "it is not UTF-8: is it compressed?", str(error)) from None
    except json.JSONDecodeError as error:
        where = f"{error.msg} at character {error.pos} of {len(text)}"
        raise FeedError(file, _damage(text, error), where) from None
    except RecursionError:
        raise FeedError(file, "it is not the tracker's JSON", "nested too deeply") from None


def _damage(text: str, error: json.JSONDecodeError) -> str:
    told = text.strip()
    if not told:
        return "it is empty"
    early = error.pos >= len(text) or not (told.endswith("}") or error.msg == _MORE)
    return "it is cut off" if told.startswith("{") and early else "it is not the tracker's JSON"


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _after(text: str, at: int, sign: str) -> int:
    """Where the next thing begins behind that sign, which has to come next."""
    at = _skip(text, at)
    if not text.startswith(sign, at):
        raise json.JSONDecodeError(f"Expecting {sign!r}", text, at)
    return _skip(text, at + 1)


def _entry(cve: str, issue: dict[str, Any], kept: set[str], file: str, source: str) -> Entry:
    suites = {}
    for suite, row in issue["releases"].items():
        if suite not in kept:
            continue
        if not isinstance(row, dict) or row.get("status") not in _STATUSES:
            raise FeedError(file, f"{cve} of {source} has no status in {suite}", _excerpt(row))
        carried = row.get("repositories") or {}
        suites[suite] = InSuite(
            status=row["status"],
            fixed_version=str(row.get("fixed_version") or ""),
            urgency=str(row.get("urgency") or ""),
            carried=tuple(map(str, carried.values())) if isinstance(carried, dict) else (),
            no_advisory=str(row.get("nodsa") or ""),
            no_advisory_reason=str(row.get("nodsa_reason") or ""),
        )
    return Entry(cve, str(issue.get("description") or ""), str(issue.get("scope") or ""), suites)


def _excerpt(value: object) -> str:
    return json.dumps(value)[:200]


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
        return "no feed for Ubuntu is read: Debian's says nothing of Ubuntu's versions"
    if found.os_id != "debian":
        return f"no feed for {found.os_name or 'this system'} is read: there is Debian's only"
    if not found.packages:
        return "; ".join(("the host's packages are not known", *found.unread))
    if found.suite not in feed.suites:
        return f"the feed {feed.file} says nothing of {found.suite or 'its suite'}"
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
            status = judge(version, here, entry.suites.get(_NEWEST))
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
