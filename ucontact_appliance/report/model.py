"""The content of a report: frozen, and the same for every output format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.facts.components import HostContents, PythonEnvironment
from ucontact_appliance.report.controls import AssessedFramework
from ucontact_appliance.report.exhibits import Exhibit, sources_of
from ucontact_appliance.report.vulnerabilities import KnownToday
from ucontact_appliance.site.waivers import Attestation


@dataclass(frozen=True)
class ReportedHost:
    """A server of the report: its roles, system and memory.

    `files` has the fingerprint (SHA-256, mode, owner) of each file that an installation writes.
    """

    name: str
    address: str
    roles: tuple[str, ...]
    system: str
    memory_mb: int
    files: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Requirement:
    """A requirement that an auditor can ask for; a row of data/requirements.yml."""

    id: str
    group: str
    title: str
    required: str
    status: str
    note: str = ""
    manual: str = ""


@dataclass(frozen=True)
class Assessment:
    """A requirement with its findings.

    `verdict` is the worst of its findings; a blocked finding counts as an error. It is 'partial' if
    all that could be seen passed, but a check was skipped or a part is left to a person; 'waived'
    if nothing worse than a waiver of site.yml keeps it from being met; 'attested' if all else
    passed and a person attests what no check covers; 'skip' if every check was skipped; 'manual'
    if no check covers it.
    """

    requirement: Requirement
    verdict: str
    findings: tuple[Finding, ...]
    attestation: Attestation | None = None


@dataclass(frozen=True)
class Report:
    """The evidence of one run. `time` is ISO 8601 in UTC.

    `exhibits` are the questions and answers; findings name theirs (`exhibits.sources_of`).
    `contents` is what each host has installed, `controller` what the installing machine has (None:
    not collected). `vulnerabilities` is None if no feed was given.
    """

    appliance: str
    site: str
    fqdn: str
    agents: int
    size: str
    time: str
    verdict: str
    hosts: tuple[ReportedHost, ...]
    groups: dict[str, str]
    assessments: tuple[Assessment, ...]
    findings: tuple[Finding, ...]
    versions: tuple[Finding, ...]
    limits: tuple[str, ...]
    frameworks: tuple[AssessedFramework, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    contents: tuple[HostContents, ...] = ()
    controller: PythonEnvironment | None = None
    vulnerabilities: KnownToday | None = None

    @cached_property
    def _by_id(self) -> Mapping[str, Exhibit]:
        return {exhibit.id: exhibit for exhibit in self.exhibits}

    def shown(self, finding: Finding) -> tuple[Exhibit, ...]:
        """Return the exhibits that the finding was judged by, as far as the report has them."""
        return tuple(self._by_id[one] for one in sources_of(finding) if one in self._by_id)
