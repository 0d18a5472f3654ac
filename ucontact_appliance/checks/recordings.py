"""Checks of recordings: that Asterisk can write them wherever it will."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.recordings import (
    LOG,
    SPOOL,
    WALK_SECONDS,
    LostRecordings,
    SpoolAccess,
    lost_recordings,
    spool_access,
)
from ucontact_appliance.planning.model import Role

TREE = "recordings.tree"


def judge_access(found: SpoolAccess, lost: LostRecordings) -> Judgement:
    """R05: Asterisk writes into folders by year, month and day, not into the topmost one."""
    required = f"every folder of {SPOOL} is writable, and every file readable, for asterisk"
    evidence = "\n".join(part for part in (found.evidence, lost.evidence) if part)
    if found.folders or found.files:
        return failed(
            f"{found.folders} folders, with all below them, and {found.files} files are closed to "
            f"asterisk; {lost.count} recordings were lost in 24 hours",
            required,
            evidence,
        )
    if not found.complete:
        return skipped(
            f"not all of {SPOOL} could be searched within {WALK_SECONDS} s; nothing was wrong "
            "until then",
            required,
        )
    return passed("all are open to asterisk", required)


def judge_lost(found: LostRecordings) -> Judgement:
    """R05: a recording that Asterisk can't open is lost, and the call goes on without it."""
    required = "Asterisk opened every recording of the last 24 hours"
    if not found.count:
        return passed("its log names none that it could not open", required, found.evidence)
    # What is wrong at this moment, other checks tell: this is what is lost already.
    return warned(
        f"{found.count} recordings could not be opened, the last one at {found.last}",
        required,
        found.evidence,
    )


CHECKS: tuple[Check, ...] = (
    Check(
        id=TREE,
        title="All of Asterisk's spool is open to Asterisk",
        severity=Severity.CRITICAL,
        requirements=("R05", "R25"),
        remedy="{install}",
        judge=lambda subject: judge_access(_access(subject), _lost(subject)),
        role=Role.TELEPHONY,
        needs=("asterisk.recordings",),
        timeout=WALK_SECONDS + 15,
    ),
    Check(
        id="recordings.lost",
        title="No recording was lost lately",
        severity=Severity.HIGH,
        requirements=("R05", "R25"),
        remedy=f"{{ssh}} grep -aE 'Cannot open|Unable to open file' {LOG}  # those calls have no "
        "recording; a later one has, or {install}",
        judge=lambda subject: judge_lost(_lost(subject)),
        role=Role.TELEPHONY,
        needs=(TREE,),
    ),
)


def _access(subject: Subject) -> SpoolAccess:
    return subject.facts.get(spool_access)


def _lost(subject: Subject) -> LostRecordings:
    return subject.facts.get(lost_recordings)
