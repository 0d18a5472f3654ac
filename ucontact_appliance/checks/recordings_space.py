"""Checks of the disk space for recordings: their retention, its timer, and how fast they grow."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    Verdict,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.storage import (
    RECORDINGS,
    free_space,
    gigabytes,
    judge_inodes,
    judge_space,
)
from ucontact_appliance.checks.wording import INSTALL, SITE
from ucontact_appliance.facts.storage import (
    TAKEN_SECONDS,
    FileSystem,
    FolderGrowth,
    RecordingRetention,
    file_system,
    growth,
    retention,
    taken_kb,
)
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.reasons import recordings_kept_gb
from ucontact_appliance.site.model import Site

_GROWTH_DAYS = 7
_LARGER = with_note(
    f"{{ssh}} df -h {RECORDINGS}",
    _(
        "give it a larger disk, or lower recordings: retention_days in {site}, then: {install}",
        site=SITE,
        install=INSTALL,
    ),
)


def judge_recordings(found: FileSystem, taken_kb: int | None, site: Site) -> Judgement:
    """Require room for the whole retention period: free space plus present recordings (R25).

    The part that the watermark keeps free is no room: the oldest recordings are deleted before.
    """
    need = recordings_kept_gb(site)
    required = _(
        "{need:.2f} GB for recordings ({days} days of retention)",
        need=need,
        days=site.recordings.retention_days,
    )
    if taken_kb is None:
        return skipped(
            _("{told}; the size of {path} is unknown", told=free_space(found), path=found.path),
            required,
        )
    room = _room_gb(found, taken_kb, site.recordings.keep_free_percent)
    observed = _(
        "{told}; recordings use {gb:.1f} GB: {room:.1f} GB available to them in total",
        told=free_space(found),
        gb=gigabytes(taken_kb),
        room=room,
    )
    # A forecast, so only a warning: how much agents really talk decides when the disk is full.
    judge = passed if room >= need else warned
    return judge(
        observed,
        required,
        _(
            "{evidence}\n{taken_kb} kB in {path}",
            evidence=found.evidence,
            taken_kb=taken_kb,
            path=found.path,
        ),
    )


@check(
    id="disk.recordings",
    title=_("The disk is large enough for the retention period"),
    severity=Severity.HIGH,
    requirements=("R05", "R25"),
    remedy=_LARGER,
    role=Role.TELEPHONY,
    needs=("asterisk.recordings",),
    timeout=TAKEN_SECONDS + 15,
)
def _recordings(subject: Subject) -> Judgement:
    found = subject.facts.get(file_system, RECORDINGS)
    if found is None:
        return failed(
            _("{recordings} is missing", recordings=RECORDINGS),
            _("the recordings tree (R05)"),
            remedy="{install}",
        )
    if found.read_only:
        return failed(
            _("{mount} is mounted read-only", mount=found.mount),
            _("the recordings tree is writable"),
        )
    for judged in (judge_space(found), judge_inodes(found)):
        if judged.verdict is Verdict.FAIL:
            return judged
    return judge_recordings(found, subject.facts.get(taken_kb, RECORDINGS), subject.site)


def _room_gb(system: FileSystem, taken_kb: int, keep_free_percent: int) -> float:
    """Return the room for recordings in GB: free space but what stays free, and what they take."""
    kept_free = system.size_kb * keep_free_percent / 100
    return max(0.0, gigabytes(system.free_kb + taken_kb - kept_free))


def judge_growth(
    found: FolderGrowth,
    system: FileSystem,
    taken_kb: int | None,
    keep_days: int,
    keep_free_percent: int = 0,
) -> Judgement:
    """Require room for the retention period at the measured rate of recording (R25)."""
    required = _(
        "{keep_days} days of recordings fit at the rate of the last {growth_days} days",
        growth_days=_GROWTH_DAYS,
        keep_days=keep_days,
    )
    if not found.files:
        return passed(
            _("nothing was recorded in {growth_days} days", growth_days=_GROWTH_DAYS),
            required,
            found.evidence,
        )
    need = found.gb_a_day * keep_days
    pace = _(
        "{gb_a_day:.2f} GB per day: {need:.1f} GB in {keep_days} days",
        gb_a_day=found.gb_a_day,
        need=need,
        keep_days=keep_days,
    )
    evidence = f"{found.evidence}\n{system.evidence}"
    if taken_kb is None:
        return skipped(
            _("{pace}; the size of {path} is unknown", pace=pace, path=system.path),
            required,
            evidence,
        )
    room = _room_gb(system, taken_kb, keep_free_percent)
    observed = _("{pace}, {room:.1f} GB available", pace=pace, room=room)
    # A forecast, so only a warning.
    return (passed if need <= room else warned)(observed, required, evidence)


@check(
    id="disk.growth",
    title=_("The disk is large enough at the present growth of recordings"),
    severity=Severity.MEDIUM,
    requirements=("R05", "R25"),
    remedy=_LARGER,
    role=Role.TELEPHONY,
    needs=("asterisk.recordings", "disk.recordings"),
    timeout=TAKEN_SECONDS + 15,
)
def _growth(subject: Subject) -> Judgement:
    system = subject.facts.get(file_system, RECORDINGS)
    if system is None:
        return skipped(_("{recordings} is missing", recordings=RECORDINGS))
    return judge_growth(
        subject.facts.get(growth, RECORDINGS, _GROWTH_DAYS),
        system,
        subject.facts.get(taken_kb, RECORDINGS),
        subject.site.recordings.retention_days,
        subject.site.recordings.keep_free_percent,
    )


def judge_retention(found: RecordingRetention, days: int, keep_free_percent: int) -> Judgement:
    """Require that recordings are deleted as site.yml says, not earlier or never."""
    required = _(
        "recordings older than {days} days are deleted each night, and the oldest while less than "
        "{percent} % of the disk is free",
        days=days,
        percent=keep_free_percent,
    )
    for name, state in (("retention", found.timer), ("watermark", found.watermark)):
        if state != "active":
            return failed(
                _(
                    "ucontact-{name}.timer is {state}",
                    name=name,
                    state=state or _("missing"),
                ),
                required,
                found.evidence,
            )
    asked = (days, keep_free_percent)
    judge = passed if (found.days, found.keep_free_percent) == asked else failed
    return judge(
        _(
            "{days} days are kept, and {percent} % free",
            days=found.days,
            percent=found.keep_free_percent,
        ),
        required,
        found.evidence,
    )


@check(
    id="disk.retention",
    title=_("Old recordings are deleted"),
    severity=Severity.MEDIUM,
    requirements=("R25",),
    remedy="{install}",
    role=Role.TELEPHONY,
)
def _retention(subject: Subject) -> Judgement:
    kept = subject.site.recordings
    return judge_retention(
        subject.facts.get(retention), kept.retention_days, kept.keep_free_percent
    )


CHECKS = checks_of(globals())
