"""Translate findings and changes; ids, evidence and commands are the same in all languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.findings.changes import Changes
from ucontact_appliance.language.catalogue import Translate


def translated(findings: Sequence[Finding], translate: Translate) -> tuple[Finding, ...]:
    """Return the findings with titles, texts and the notes of remedies translated."""
    return tuple(
        replace(
            finding,
            title=translate(finding.title),
            observed=translate(finding.observed),
            required=translate(finding.required),
            remedy=translate(finding.remedy),
        )
        for finding in findings
    )


def translated_changes(changes: Changes, translate: Translate) -> Changes:
    """Return the changes with titles, texts and the notes of remedies translated."""
    return replace(
        changes,
        rows=tuple(
            replace(
                row,
                title=translate(row.title),
                observed=translate(row.observed),
                remedy=translate(row.remedy),
            )
            for row in changes.rows
        ),
    )
