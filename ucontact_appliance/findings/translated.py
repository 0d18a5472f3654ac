"""Findings in the reader's language. Ids, evidence and commands are the same in all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.findings.changes import Changes
from ucontact_appliance.language.catalogue import Language

_NOTE = re.compile(r"(?P<command>.*?\s# )(?P<note>.+)", re.DOTALL)


def said(findings: Sequence[Finding], language: Language) -> tuple[Finding, ...]:
    """The findings with their titles, texts and the notes of their remedies in that language."""
    return tuple(
        replace(
            finding,
            title=language.text(finding.title),
            observed=language.text(finding.observed),
            required=language.text(finding.required),
            remedy=remedy(finding.remedy, language),
        )
        for finding in findings
    )


def said_changes(changes: Changes, language: Language) -> Changes:
    """What changed, with titles, texts and the notes of remedies in that language."""
    return replace(
        changes,
        rows=tuple(
            replace(
                row,
                title=language.text(row.title),
                observed=language.text(row.observed),
                remedy=remedy(row.remedy, language),
            )
            for row in changes.rows
        ),
    )


def remedy(english: str, language: Language) -> str:
    """A remedy whose note, behind its commands, is in that language."""
    found = _NOTE.fullmatch(english)
    if found is None:
        return language.text(english)
    return found["command"] + language.text(found["note"])
