"""The document of `doctor --json`: one typed model, its schema, and the verdict over findings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, timezone
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ucontact_appliance.checks.model import Finding, Severity, Verdict
from ucontact_appliance.findings.causes import Cause, causes
from ucontact_appliance.findings.changes import ChangeKind, Changes
from ucontact_appliance.site.model import Site

# Increment it only if a program that reads the current document could misread a new one.
SCHEMA_ID = "urn:ucontact:doctor:1"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _FindingModel(BaseModel):
    # Readers must ignore unknown keys: keys may be added, but none is removed.
    # from_attributes: a row is built from a record with the same fields.
    model_config = ConfigDict(frozen=True, from_attributes=True)


class WaivedRow(_FindingModel):
    """The exception in site.yml that covers a finding."""

    reason: str = Field(description="why, in the words of site.yml")
    until: date = Field(description="the last day on which it holds")


class FindingRow(_FindingModel):
    """One check's verdict on one host."""

    id: str = Field(description="the check; together with host it names the finding")
    title: str = Field(description="what the check demands, in one sentence")
    verdict: Verdict = Field(
        description="error: the check could not be carried out; skip: it can't be seen from here, "
        "does not apply, or is blocked_by another"
    )
    severity: Severity = Field(description="how much a failure hurts")
    requirements: tuple[str, ...] = Field(description="numbers of the requirements it serves")
    host: str = Field(description="the server's name in site.yml")
    observed: str = Field(description="what was seen")
    required: str = Field(description="what ought to be")
    evidence: str = Field(description="the exchange behind it, without secrets")
    remedy: str = Field(description="one line for bash on the machine that installs, or empty")
    blocked_by: str | None = Field(
        description="the check whose failure kept this one from being judged"
    )
    blocked_on: str | None = Field(
        default=None, description="the server on which that check failed, which may be another"
    )
    seconds: float = Field(ge=0, description="how long the check took")
    waived: WaivedRow | None = Field(
        description="the exception that takes this finding out of the verdict over all"
    )


class CauseRow(_FindingModel):
    """A failure that no other stands behind: what to mend first, and what waits for it."""

    id: str = Field(description="the check")
    hosts: tuple[str, ...] = Field(description="the servers on which it failed in this way")
    severity: Severity = Field(description="how much it hurts")
    title: str = Field(description="what the check demands")
    observed: str = Field(description="what was seen")
    remedy: str = Field(description="one line for bash, for the first of the hosts")
    behind: tuple[str, ...] = Field(
        description="findings that were not judged because of it, each as check@host"
    )


class ChangeRow(_FindingModel):
    """One finding that is not what it was in the earlier run."""

    kind: ChangeKind = Field(description="new and gone: in one of the two runs only")
    id: str = Field(description="the check")
    host: str = Field(description="the server")
    title: str = Field(description="what the check demands")
    before: str | None = Field(
        description="its state then: a verdict, 'blocked' or 'waived'; null when it is new"
    )
    now: str | None = Field(description="its state now; null when it is gone")
    observed: str = Field(description="what was seen now; empty when it is gone")
    blocked_by: str | None = Field(description="the cause, where it is blocked now")
    remedy: str = Field(description="one line for bash, or empty")


class ChangesPart(_FindingModel):
    """What changed since an earlier run."""

    since: datetime | None = Field(description="that run's time; null when there was none")
    rows: tuple[ChangeRow, ...] = Field(description="the changes, the worse ones first")


class DoctorDocument(_FindingModel):
    """What `ucontact doctor --json` prints."""

    site: str = Field(description="the site's name")
    time: datetime = Field(description="when the run began, in UTC")
    verdict: Verdict = Field(
        description="over all findings that are not waived: fail (a check failed, could not be "
        "carried out or was blocked), warn, pass, or skip when nothing was judged"
    )
    findings: tuple[FindingRow, ...] = Field(description="hosts as in site.yml, then checks")
    causes: tuple[CauseRow, ...] = Field(
        (), description="what to mend, the worst first; warnings and waived failures are none"
    )
    changes: ChangesPart | None = Field(None, description="only of `doctor changes`")


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """FAIL when a check failed or could not be carried out, else WARN or PASS.

    An error counts as a failure, and so does a finding blocked by another check's failure, because
    its state is unknown. Findings that site.yml waives do not count. SKIP when nothing was judged
    at all.
    """
    verdicts = {
        Verdict.ERROR if finding.blocked_by else finding.verdict
        for finding in findings
        if finding.waived is None
    }
    if verdicts & {Verdict.FAIL, Verdict.ERROR}:
        return Verdict.FAIL
    for verdict in (Verdict.WARN, Verdict.PASS):
        if verdict in verdicts:
            return verdict
    return Verdict.SKIP


def to_document(
    site: Site, time: datetime, findings: Sequence[Finding], changes: Changes | None = None
) -> dict[str, Any]:
    """Return the JSON document, a stable interface; `time` is aware and is converted to UTC."""
    document = DoctorDocument(
        site=site.site,
        time=_utc(time),
        verdict=verdict_of(findings),
        findings=tuple(FindingRow.model_validate(finding) for finding in findings),
        causes=tuple(_cause(cause) for cause in causes(findings)),
        changes=None if changes is None else changes_part(changes),
    )
    return _plain(document, exclude={"changes"} if changes is None else set())


def finding_row(finding: Finding) -> dict[str, Any]:
    """Return a finding as in the JSON document."""
    return _plain(FindingRow.model_validate(finding))


def changes_part(changes: Changes) -> ChangesPart:
    """Return the changes as in the JSON document."""
    return ChangesPart(
        since=None if changes.since is None else _utc(changes.since),
        rows=tuple(ChangeRow.model_validate(change) for change in changes.rows),
    )


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the document."""
    made = DoctorDocument.model_json_schema(mode="validation")
    return {"$schema": _DIALECT, "$id": SCHEMA_ID, **made}


def schema_text() -> str:
    """Return the text of docs/schemas/doctor.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _cause(cause: Cause) -> CauseRow:
    finding = cause.finding
    return CauseRow(
        id=finding.id,
        hosts=cause.hosts,
        severity=finding.severity,
        title=finding.title,
        observed=finding.observed,
        remedy=finding.remedy,
        behind=tuple(f"{other.id}@{other.host}" for other in cause.behind),
    )


def _utc(time: datetime) -> datetime:
    return time.astimezone(timezone.utc).replace(microsecond=0)


def _plain(model: BaseModel, exclude: set[str] | None = None) -> dict[str, Any]:
    """Return JSON-compatible values; times end in +00:00, because Python 3.10 can't parse Z."""
    made: dict[str, Any] = model.model_dump(mode="json", exclude=exclude or set())
    for part, key in ((made, "time"), (made.get("changes") or {}, "since")):
        if part.get(key):
            part[key] = part[key].replace("Z", "+00:00")
    return made


if __name__ == "__main__":
    print(schema_text(), end="")
