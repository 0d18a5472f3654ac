"""Checks of recordings: Asterisk can write them, loses none, and each has its call record."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.wording import unit_states
from ucontact_appliance.facts.recordings import (
    COMPARED_DAYS,
    KEEPING_UNITS,
    LOG,
    SPOOL,
    WALK_SECONDS,
    LostRecordings,
    RecordedRows,
    RecordingFile,
    RecordingUnits,
    SpoolAccess,
    keeping,
    lost_recordings,
    recorded_rows,
    recording_files,
    spool_access,
)
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.model import Role

_DAY = 86400.0
_SETTLED = 180.0  # seconds until a call's record and the end of its recording are written
_LONGEST_CALL = 7200.0
_HEARD = 2  # seconds; a shorter call leaves nothing to hear
_SHOWN = 5

_telephony = functools.partial(check, role=Role.TELEPHONY)


def judge_access(found: SpoolAccess, lost: LostRecordings) -> Judgement:
    """Require access to all folders: Asterisk records into one per year, month and day (R05)."""
    required = _(
        "every folder of {spool} is writable, and every file readable, by asterisk", spool=SPOOL
    )
    evidence = "\n".join(part for part in (found.evidence, lost.evidence) if part)
    if found.folders or found.files:
        return failed(
            _(
                "{folders} folders (with their contents) and {files} files are not "
                "accessible to asterisk; {count} recordings were lost in 24 hours",
                folders=found.folders,
                files=found.files,
                count=lost.count,
            ),
            required,
            evidence,
        )
    if not found.complete:
        return skipped(
            _(
                "{spool} could not be searched completely within {walk_seconds} s; no "
                "problems found until then",
                spool=SPOOL,
                walk_seconds=WALK_SECONDS,
            ),
            required,
        )
    return passed(_("all are accessible to asterisk"), required)


@_telephony(
    id="recordings.tree",
    title=_("Asterisk can write to all of its spool"),
    severity=Severity.CRITICAL,
    requirements=("R05", "R25"),
    remedy="{install}",
    needs=("asterisk.recordings",),
    timeout=WALK_SECONDS + 15,
)
def _access(subject: Subject) -> Judgement:
    return judge_access(subject.facts.get(spool_access), subject.facts.get(lost_recordings))


def judge_lost(found: LostRecordings) -> Judgement:
    """Warn about lost recordings: if Asterisk can't open one, the call continues without (R05)."""
    required = _("Asterisk opened every recording of the last 24 hours")
    if not found.count:
        return passed(
            _("its log reports no recording that could not be opened"), required, found.evidence
        )
    # Other checks report present faults; this one reports what is lost already.
    return warned(
        _(
            "{count} recordings could not be opened, the last one at {last}",
            count=found.count,
            last=found.last,
        ),
        required,
        found.evidence,
    )


@_telephony(
    id="recordings.lost",
    title=_("No recording was lost recently"),
    severity=Severity.HIGH,
    requirements=("R05", "R25"),
    remedy=with_note(
        f"{{ssh}} grep -aE 'Cannot open|Unable to open file' {LOG}",
        _("those calls have no recording; recordings.tree shows whether later calls are recorded"),
    ),
    needs=("recordings.tree",),
)
def _lost(subject: Subject) -> Judgement:
    return judge_lost(subject.facts.get(lost_recordings))


def judge_keeping(found: RecordingUnits) -> Judgement:
    """Require the units without which a power cut loses records of active calls (R05, R16)."""
    required = _(
        "{keeping_units} run, and start at boot", keeping_units=joined(_(" and "), KEEPING_UNITS)
    )
    wrong = [
        unit_states(unit, found.states.get(unit, ""), found.enabled.get(unit, ""))
        for unit in KEEPING_UNITS
        if (found.states.get(unit), found.enabled.get(unit)) != ("active", "enabled")
    ]
    if wrong:
        return failed(joined("; ", wrong), required, found.evidence)
    return passed(_("both run"), required)


@_telephony(
    id="recordings.kept",
    title=_("Recordings and call records survive a power cut"),
    severity=Severity.HIGH,
    requirements=("R05", "R16"),
    remedy=f"{{ssh}} systemctl enable --now {' '.join(KEEPING_UNITS)}",
)
def _kept(subject: Subject) -> Judgement:
    return judge_keeping(subject.facts.get(keeping))


def judge_pairs(files: Sequence[RecordingFile], rows: RecordedRows) -> Judgement:
    """Require a call record per recording, and a recording per recorded call (R05, R16).

    The last minutes are left out: their calls may be active, or their records not yet written.
    """
    required = _(
        "recordings and call records of the last {compared_days} days match",
        compared_days=COMPARED_DAYS,
    )
    if rows.missing:
        return skipped(_("there is no mysql client on the database host"), required)
    window = min(COMPARED_DAYS * _DAY, rows.oldest - _LONGEST_CALL)
    alone = [
        file
        for file in files
        if _SETTLED < file.age < window and file.size and file.uniqueid not in rows.ids
    ]
    sizes = {file.uniqueid: file.size for file in files}
    silent = [
        row
        for row in rows.recorded
        if _SETTLED + row.billsec < row.age < window and row.billsec >= _HEARD
        if not sizes.get(row.uniqueid)
    ]
    evidence = "\n".join(
        [f"no record: {file.name}, {file.size} octets" for file in alone[:_SHOWN]]
        + [f"no recording: {row.uniqueid}, {row.billsec} s" for row in silent[:_SHOWN]]
    )
    # A warning only: no installation can restore what is lost, so none may fail because of it.
    if alone:
        return warned(
            _(
                "{count} recordings have no record, {count2} records no recording",
                count=len(alone),
                count2=len(silent),
            ),
            required,
            evidence,
        )
    if silent:
        return warned(
            _("{count} records have no recording, or an empty one", count=len(silent)),
            required,
            evidence,
        )
    return passed(
        _("{count} recordings, {count2} records", count=len(files), count2=len(rows.recorded)),
        required,
    )


@_telephony(
    id="recordings.records",
    title=_("Recordings and call records match"),
    severity=Severity.HIGH,
    requirements=("R05", "R16"),
    # If the database was down when a call ended, the local file has its record.
    remedy=with_note(
        "{ssh} tail -n 20 /var/log/asterisk/cdr-csv/Master.csv",
        _(
            "this file has the records that did not reach the database: insert them; "
            "ignore recordings that were deleted on purpose"
        ),
    ),
    needs=("asterisk.recordings", "asterisk.records", "mysql.tables"),
    timeout=45.0,
)
def _pairs(subject: Subject) -> Judgement:
    name = subject.plan.carriers(Role.DATABASE)[0].name
    rows = subject.facts.get(recorded_rows, name)
    return judge_pairs(subject.facts.get(recording_files), rows)


CHECKS = checks_of(globals())
