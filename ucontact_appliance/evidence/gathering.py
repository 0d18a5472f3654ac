"""Gather the contents of a report while the hosts are still connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.errors import ApplianceError, UnreachableError
from ucontact_appliance.facts.components import (
    HostContents,
    InstalledPackages,
    JavaArchives,
    PythonEnvironment,
    installed_packages,
    java_archives,
    python_environment,
)
from ucontact_appliance.facts.source import FactSource
from ucontact_appliance.facts.stored import Redaction
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.exhibits import Exhibit, exhibits
from ucontact_appliance.report.vulnerabilities import KnownToday, judge_site
from ucontact_appliance.site.secrets import Secrets


@dataclass(frozen=True)
class Evidence:
    """A run's findings, the queries behind them, and the software installed on each host.

    `vulnerabilities` is None if no feed was given.
    """

    findings: tuple[Finding, ...]
    exhibits: tuple[Exhibit, ...]
    contents: tuple[HostContents, ...]
    controller: PythonEnvironment
    vulnerabilities: KnownToday | None = None


@dataclass
class Gatherer:
    """Receives a run's facts after its last check, and queries each host's installed software.

    Pass it to a run as `on_facts`, which is called while the hosts are still connected.
    """

    facts: dict[str, FactSource] = field(default_factory=dict)
    contents: tuple[HostContents, ...] = ()

    def __call__(self, facts: Mapping[str, FactSource]) -> None:
        """Store the facts, by host, and query all hosts in parallel."""
        self.facts = dict(facts)
        with ThreadPoolExecutor(max_workers=max(1, len(facts))) as pool:
            self.contents = tuple(pool.map(_contents, facts, facts.values()))

    def evidence(
        self, findings: Sequence[Finding], secrets: Secrets, feed: Path | None = None
    ) -> Evidence:
        """Return the evidence, without secrets. Raises FeedError, or UnreachableError (no feed)."""
        redaction = Redaction(secrets)
        asked = {name: source.asked() for name, source in self.facts.items()}
        return Evidence(
            findings=tuple(findings),
            exhibits=tuple(
                one for name, rows in asked.items() for one in exhibits(name, rows, redaction)
            ),
            contents=self.contents,
            controller=python_environment(),
            vulnerabilities=None if feed is None else _known(feed, self.contents),
        )


def _contents(name: str, facts: FactSource) -> HostContents:
    """Return the host's installed software; a part that can't be read has the error instead."""
    try:
        packages = facts.get(installed_packages)
    except (ApplianceError, TimeoutError) as error:
        packages = InstalledPackages("", "", "", "", (), (f"packages: {error}",))
    try:
        archives = facts.get(java_archives)
    except (ApplianceError, TimeoutError) as error:
        archives = JavaArchives("", (), (f"Java archives: {error}",))
    return HostContents(name, packages, archives)


def _known(feed: Path, contents: Sequence[HostContents]) -> KnownToday:
    try:
        data = feed.read_bytes()
        written = datetime.fromtimestamp(feed.stat().st_mtime, timezone.utc)
    except OSError as error:
        raise UnreachableError(
            _("the vulnerability feed {feed} can't be read", feed=feed),
            evidence=error.strerror or str(error),
        ) from error
    hosts = {one.name: one.packages for one in contents}
    return judge_site(data, str(feed), written, hosts, datetime.now(timezone.utc))
