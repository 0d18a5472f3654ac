"""What a report holds: frozen, and the same for every form it takes."""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.checks.model import Finding


@dataclass(frozen=True)
class ReportedHost:
    """A server: what it carries and what it is."""

    name: str
    address: str
    roles: tuple[str, ...]
    system: str
    memory_mb: int


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
    'skip' where every check had to be skipped; 'manual' where no check covers it.
    """

    requirement: Requirement
    verdict: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Report:
    """One run's evidence. `time` is ISO 8601 in UTC."""

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
