"""A report's known vulnerabilities, in the structure that all its formats share. Pure.

Feeds list source packages: a row is one vulnerability of one source package on one server, with
each binary package that is installed from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timezone

from ucontact_appliance.language.messages import Message, _
from ucontact_appliance.report.vulnerabilities import (
    HostJudgement,
    KnownToday,
    Status,
    Vulnerability,
)

TITLE = _("Known vulnerabilities")
NO_FEED = _("No vulnerability feed was given. To judge vulnerabilities:")
GIVE_A_FEED = "ucontact report --feed FILE"
# The meaning of each status for the server's operator.
STATUSES: dict[Status, Message] = {
    "fixed-in": _("fix available, not installed"),
    "open": _("no fix yet"),
    "undetermined": _("undetermined"),
}


@dataclass(frozen=True)
class AffectedPackages:
    """One vulnerability of one source package on one server; `packages` are sorted by name."""

    host: str
    suite: str
    packages: tuple[Vulnerability, ...]

    @property
    def first(self) -> Vulnerability:
        """The first package; CVE, source, status, urgency and description are those of all."""
        return self.packages[0]

    @property
    def name(self) -> str:
        """The CVE and the source package."""
        return f"{self.first.cve} in {self.first.source}"

    @property
    def installed(self) -> str:
        """The packages with their versions: `libssl3:amd64 3.0.13-1, openssl:amd64 3.0.13-1`."""
        return ", ".join(f"{one.package}:{one.architecture} {one.version}" for one in self.packages)

    @property
    def advisory(self) -> str:
        """Why Debian's security team issues no advisory of its own; empty if it may."""
        one = self.first
        reason = f" ({one.no_advisory_reason})" if one.no_advisory_reason else ""
        return f"no advisory: {one.no_advisory}{reason}" if one.no_advisory else ""

    @property
    def word(self) -> str:
        """The feed's assessment in one line: status, fix, urgency, scope, advisory."""
        one = self.first
        parts: list[str] = [STATUSES[one.status]]
        if one.fixed_version:
            parts.append(f"fixed in {one.source} {one.fixed_version}")
        if one.urgency:
            parts.append(f"urgency {one.urgency}")
        if one.scope:
            parts.append(one.scope)
        if self.advisory:
            parts.append(self.advisory)
        return "; ".join(parts)

    @property
    def told(self) -> str:
        """The feed's assessment, with the installed source version."""
        return f"{self.word}; installed from {self.first.source} {self.first.source_version}"


@dataclass(frozen=True)
class UnjudgedPackage:
    """Something on a server that could not be judged by the feed, and the reason."""

    host: str
    reason: str


def flaws(known: KnownToday | None) -> tuple[AffectedPackages, ...]:
    """Return all vulnerabilities, by server as in site.yml and then by CVE."""
    if known is None:
        return ()
    return tuple(flaw for host, judged in known.hosts for flaw in _flaws(host, judged))


def unjudged(known: KnownToday | None) -> tuple[UnjudgedPackage, ...]:
    """Return what the given feed could not judge: whole servers, packages, vulnerabilities."""
    if known is None:
        return ()
    return tuple(
        UnjudgedPackage(host, reason)
        for host, judged in known.hosts
        for reason in (*([judged.reason] if judged.reason else []), *judged.unjudged)
    )


def unknown(known: KnownToday | None) -> str:
    """Return why no vulnerabilities are known at all; empty if a feed was used."""
    if known is None:
        return f"{NO_FEED} {GIVE_A_FEED}"
    if known.refused:
        return f"The feed {known.file} was refused as evidence: {known.refused}"
    return ""


def feed_facts(known: KnownToday | None) -> tuple[tuple[str, str], ...]:
    """Return the name and value of each fact about the feed, for formats with named values."""
    if known is None:
        return (("vulnerability-feed", "none was given"),)
    return (
        ("vulnerability-feed", known.file),
        ("vulnerability-feed-sha256", known.sha256),
        ("vulnerability-feed-written", known.written.astimezone(timezone.utc).isoformat()),
        ("vulnerability-feed-age-days", f"{known.age_days:.1f}"),
        *((("vulnerability-feed-refused", known.refused),) if known.refused else ()),
    )


def judged_facts(judged: HostJudgement) -> tuple[tuple[str, str], ...]:
    """Return what a server was judged by, for formats with named values."""
    return (
        ("vulnerability-feed-suite", judged.suite or "unknown"),
        ("vulnerability-packages-judged", str(judged.packages)),
    )


def _flaws(host: str, judged: HostJudgement) -> Iterator[AffectedPackages]:
    rows: dict[tuple[str, str, str, str], list[Vulnerability]] = {}
    for one in (*judged.affected, *judged.undetermined):
        # Binary packages of one source can have several source versions: one row per version.
        rows.setdefault((one.cve, one.source, one.status, one.source_version), []).append(one)
    for key in sorted(rows):
        yield AffectedPackages(host, judged.suite, tuple(rows[key]))
