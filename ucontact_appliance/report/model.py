"""What a report holds: frozen, and the same for every form it takes."""

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
    """A server: what it carries and what it is.

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
    """A fact of the specification that an auditor can ask for; a row of data/requirements.yml."""

    id: str
    group: str
    title: str
    required: str
    status: str
    note: str = ""
    manual: str = ""


@dataclass(frozen=True)
class Assessment:
    """A requirement with what was found about it.

    `verdict` is the worst of its findings, where a blocked one counts as an error; 'partial' where
    all that could be seen passed, but a check had to be skipped or a part is left to a person;
    'waived' where nothing worse than an exception of site.yml keeps it from being met;
    'attested' where all else passed and a person vouches for what no check covers;
    'skip' where every check had to be skipped; 'manual' where no check covers it.
    """

    requirement: Requirement
    verdict: str
    findings: tuple[Finding, ...]
    attestation: Attestation | None = None


@dataclass(frozen=True)
class Report:
    """One run's evidence. `time` is ISO 8601 in UTC.

    `exhibits` are what was asked and answered; findings name theirs (`exhibits.sources_of`).
    `contents` is what each host has installed, `controller` the machine that installs; None where
    nobody looked. `vulnerabilities` is None where no feed was given.
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
        """The exhibits that the finding was judged by, as far as they were kept."""
        return tuple(self._by_id[one] for one in sources_of(finding) if one in self._by_id)
