"""Checks of the index of recordings: it is complete, and the files are as they were indexed."""

from __future__ import annotations

import re

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.stun import judge_service
from ucontact_appliance.checks.wording import unit_states
from ucontact_appliance.facts.recordings_index import (
    INDEX_UNIT,
    INDEXED_DAYS,
    PLAYBACK_UNIT,
    SAMPLE_SECONDS,
    IndexedRows,
    SampledHashes,
    SpoolState,
    indexed_rows,
    sampled_hashes,
    spool_state,
)
from ucontact_appliance.facts.unit import unit
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.model import Role

_DAY = 86400.0
_SETTLED = 300.0  # seconds: the service waits 180 for a call's record
_STALLED = 600.0
_SHOWN = 5
_UNIQUEID = re.compile(r"_(\d+\.\d+)\.\w+$")


def judge_index(found: SpoolState, rows: IndexedRows) -> Judgement:
    """Require the service, and a row for each finished recording of the last day (R05).

    While the service adds recordings, as those of an existing spool, missing ones only warn.
    """
    required = _(
        "{unit} runs, starts at boot, and has indexed the recordings of the last {days} days",
        unit=INDEX_UNIT,
        days=INDEXED_DAYS,
    )
    if (found.active, found.enabled) != ("active", "enabled"):
        told = unit_states(INDEX_UNIT, found.active, found.enabled)
        return failed(told, required, found.evidence)
    if rows.missing:
        return skipped(_("there is no mysql client on the database host"), required)
    settled = [file for file in found.files if _SETTLED < file.age < INDEXED_DAYS * _DAY]
    missing = [
        file
        for file in settled
        if file.path not in rows.paths
        and not ((id_ := _UNIQUEID.search(file.path)) and id_[1] in rows.doctors)
    ]
    if not missing:
        return passed(_("{count} recordings, all indexed", count=len(settled)), required)
    lines = [f"not indexed: {file.path}, {file.age:.0f} s old" for file in missing[:_SHOWN]]
    evidence = "\n".join([*lines, found.evidence])
    told = _("{count} finished recordings are not indexed", count=len(missing))
    stalled = rows.last is None or rows.last > _STALLED
    restart = f"{{ssh}} systemctl restart {INDEX_UNIT}"
    return (failed if stalled else warned)(told, required, evidence, restart)


@telephony_check(
    id="recordings.index",
    title=_("Finished recordings are in the index"),
    severity=Severity.HIGH,
    requirements=("R05", "R25"),
    remedy=f"{{ssh}} systemctl enable --now {INDEX_UNIT}",
    needs=("asterisk.recordings", "asterisk.records", "mysql.tables"),
    timeout=45.0,
)
def _index(subject: Subject) -> Judgement:
    name = subject.plan.carriers(Role.DATABASE)[0].name
    rows = subject.facts.get(indexed_rows, name)
    return judge_index(subject.facts.get(spool_state), rows)


def judge_hashes(found: SampledHashes) -> Judgement:
    """Require that sampled recordings have the SHA-256 of the index (R05)."""
    required = _("sampled recordings exist and have the SHA-256 of the index")
    if found.missing:
        return skipped(_("there is no mysql client on the database host"), required)
    changed = [row for row in found.hashes if row[2] and row[1] != row[2]]
    lost = [path for path, _indexed, now in found.hashes if not now]
    evidence = "\n".join(
        [f"changed: {path}, indexed {was}, now {now}" for path, was, now in changed[:_SHOWN]]
        + [f"missing: {path}" for path in lost[:_SHOWN]]
    )
    if changed or lost:
        told = _(
            "of {total} recordings, {changed} differ from the index and {lost} are missing",
            total=len(found.hashes),
            changed=len(changed),
            lost=len(lost),
        )
        # No installation can restore a file that was deleted by hand, so none may fail for it.
        return (failed if changed else warned)(told, required, evidence)
    return passed(
        _("{count} recordings are as they were indexed", count=len(found.hashes)), required
    )


@telephony_check(
    id="recordings.hashes",
    title=_("Recordings are unchanged since they were indexed"),
    severity=Severity.HIGH,
    requirements=("R05", "R25"),
    remedy=with_note(
        "{ssh} find /var/spool/asterisk/monitor -type f -newermt '24 hours ago' -ls",
        _(
            "find out who changed or deleted the recordings that the evidence names, and restore "
            "them from a backup"
        ),
    ),
    needs=("recordings.index",),
    timeout=SAMPLE_SECONDS + 15,
)
def _hashes(subject: Subject) -> Judgement:
    name = subject.plan.carriers(Role.DATABASE)[0].name
    return judge_hashes(subject.facts.get(sampled_hashes, name))


@telephony_check(
    id="recordings.playback",
    title=_("The backend's server can fetch recordings"),
    severity=Severity.MEDIUM,
    requirements=("R05",),
    remedy=f"{{ssh}} systemctl restart {PLAYBACK_UNIT}",
)
def _playback(subject: Subject) -> Judgement:
    return judge_service(subject.facts.get(unit, PLAYBACK_UNIT))


CHECKS = checks_of(globals())
