"""Checks of disks, the room for recordings, and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Stage,
    Subject,
    Verdict,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.wording import INSTALL, SITE
from ucontact_appliance.facts.storage import (
    TAKEN_SECONDS,
    FileSystem,
    FolderGrowth,
    MemoryUse,
    RecordingRetention,
    file_system,
    file_systems,
    growth,
    memory,
    retention,
    taken_kb,
)
from ucontact_appliance.language.messages import Message, _, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.reasons import recordings_kept_gb
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Site

RECORDINGS = "/var/spool/asterisk/monitor"
_ROOT = "/"
_ORDER = (Verdict.FAIL, Verdict.WARN)
_VAR = "/var"
_RELEASE = "/etc/IntegraServer/current"  # R22's tree; exists once a release is installed
_GROWTH_DAYS = 7
_KB_PER_GB = 1_000_000_000 / 1024
_BOTH = frozenset({Stage.PREFLIGHT, Stage.DOCTOR})
_DISK: dict[str, Any] = load_data("hardware")["disk"]
_FOLDERS: tuple[str, ...] = tuple(_DISK["folders"])
_MEMORY: dict[str, Any] = load_data("hardware")["memory"]
_LARGER = with_note(
    f"{{ssh}} df -h {RECORDINGS}",
    _(
        "give it a larger disk, or lower recordings: retention_days in {site}, then: {install}",
        site=SITE,
        install=INSTALL,
    ),
)
_LARGEST = "{ssh} du -xh --max-depth=3 --threshold=500M / /var | sort -rh | head -20"


def _gb(kilobytes: float) -> float:
    return kilobytes / _KB_PER_GB


def _told(found: FileSystem) -> Message:
    return _(
        "{gb:.1f} GB of {gb2:.1f} GB free on {mount} ({free_percent:.0f} %)",
        gb=_gb(found.free_kb),
        gb2=_gb(found.size_kb),
        mount=found.mount,
        free_percent=found.free_percent,
    )


def judge_writable(found: FileSystem) -> Judgement:
    """Require a writable file system: the kernel remounts it read-only when its disk fails."""
    required = _("{mount} is writable", mount=found.mount)
    if found.read_only:
        return failed(
            _("{mount} ({kind}) is mounted read-only", mount=found.mount, kind=found.kind), required
        )
    return passed(_("{mount} ({kind}) is writable", mount=found.mount, kind=found.kind), required)


@check(
    id="disk.writable",
    title=_("File systems are writable"),
    severity=Severity.CRITICAL,
    requirements=("R12",),
    remedy="{ssh} journalctl -k --grep 'error|remount' --no-pager -n 50",
    stages=_BOTH,
)
def _writable(subject: Subject) -> Judgement:
    return worst([judge_writable(found) for found in _in_use(subject)])


def judge_room(found: FileSystem, installed: bool) -> Judgement:
    """Require the free space for an installation: the first, or if `installed` another."""
    need = _DISK["update_gb"] if installed else _DISK["install_gb"]
    required = _(
        "{need} GB free for the {value} installation",
        need=need,
        value=_("next") if installed else _("first"),
    )
    judge = passed if _gb(found.free_kb) >= need else failed
    return judge(_told(found), required, found.evidence)


@check(
    id="disk.room",
    title=_("The disk has enough free space for the installation"),
    severity=Severity.CRITICAL,
    requirements=("R12",),
    remedy=_LARGEST,
    stages=frozenset({Stage.PREFLIGHT}),
)
def _room(subject: Subject) -> Judgement:
    installed = subject.facts.get(file_system, _RELEASE) is not None
    return judge_room(_fullest(subject), installed)


def judge_size(found: FileSystem) -> Judgement:
    """Warn if the disk is smaller than the vendor advises."""
    need = _DISK["vendor_gb"]
    required = _("the vendor's documentation states a disk of {need} GB", need=need)
    # Disks are sold in decimal GB, and file systems reserve some space.
    judge = passed if _gb(found.size_kb) >= need * 0.9 else warned
    return judge(
        _("{gb:.0f} GB on {mount}", gb=_gb(found.size_kb), mount=found.mount),
        required,
        found.evidence,
    )


@check(
    id="disk.size",
    title=_("The disk is as large as the vendor advises"),
    severity=Severity.LOW,
    requirements=("R12", "R25"),
    remedy=with_note("{ssh} df -h /", _("give the server a larger disk before recordings fill it")),
    stages=frozenset({Stage.PREFLIGHT}),
    role=Role.TELEPHONY,
)
def _size(subject: Subject) -> Judgement:
    return judge_size(_root(subject))


def judge_space(found: FileSystem) -> Judgement:
    """Require free space: a full disk stops recordings, the database and then everything.

    A file system that is small by design, as for logs, is judged by its free percentage alone.
    """
    share = found.free_percent
    free = _gb(found.free_kb) if _gb(found.size_kb) >= _DISK["small_gb"] else math.inf
    required = _(
        "{low_percent} % or more free, and {low_gb} GB",
        low_percent=_DISK["low_percent"],
        low_gb=_DISK["low_gb"],
    )
    if free < _DISK["least_gb"] or share < _DISK["least_percent"]:
        return failed(_told(found), required, found.evidence)
    if free < _DISK["low_gb"] or share < _DISK["low_percent"]:
        return warned(_told(found), required, found.evidence)
    return passed(_told(found), required, found.evidence)


@check(
    id="disk.space",
    title=_("The disk has free space"),
    severity=Severity.CRITICAL,
    requirements=("R12", "R25"),
    remedy=_LARGEST,
)
def _space(subject: Subject) -> Judgement:
    return worst([judge_space(found) for found in _in_use(subject)])


def worst(judged: Sequence[Judgement]) -> Judgement:
    """Return, of judgements per file system, the first failure, else warning, else the first."""
    found = (one for verdict in _ORDER for one in judged if one.verdict is verdict)
    return next(found, judged[0])


def judge_inodes(found: FileSystem) -> Judgement:
    """Require free inodes: many small files can use them up while space is free."""
    required = _("{low_percent} % or more of the inodes free", low_percent=_DISK["low_percent"])
    if not found.inodes:
        return passed(
            _("{kind} on {mount} has no limit", kind=found.kind, mount=found.mount), required
        )
    percent = found.inodes_free_percent
    observed = _(
        "{inodes_free} of {inodes} free on {mount} ({percent:.0f} %)",
        inodes_free=found.inodes_free,
        inodes=found.inodes,
        mount=found.mount,
        percent=percent,
    )
    if percent < _DISK["least_percent"]:
        return failed(observed, required, found.evidence)
    judge = warned if percent < _DISK["low_percent"] else passed
    return judge(observed, required, found.evidence)


@check(
    id="disk.inodes",
    title=_("The file system has free inodes"),
    severity=Severity.HIGH,
    requirements=("R12",),
    remedy="{ssh} du -x --inodes --max-depth=3 / /var | sort -rn | head -20",
    stages=_BOTH,
)
def _inodes(subject: Subject) -> Judgement:
    return worst([judge_inodes(found) for found in _in_use(subject)])


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
            _("{told}; the size of {path} is unknown", told=_told(found), path=found.path),
            required,
        )
    room = _room_gb(found, taken_kb, site.recordings.keep_free_percent)
    observed = _(
        "{told}; recordings use {gb:.1f} GB: {room:.1f} GB available to them in total",
        told=_told(found),
        gb=_gb(taken_kb),
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
    return max(0.0, _gb(system.free_kb + taken_kb - kept_free))


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


def judge_memory(found: MemoryUse) -> Judgement:
    """Require memory that is available without swapping."""
    percent = found.available_percent
    observed = _(
        "{available_kb} MB of {total_kb} MB available",
        available_kb=found.available_kb // 1024,
        total_kb=found.total_kb // 1024,
    )
    required = _("{low_percent} % or more available", low_percent=_MEMORY["low_percent"])
    if percent < _MEMORY["least_percent"]:
        return failed(observed, required, found.evidence)
    judge = warned if percent < _MEMORY["low_percent"] else passed
    return judge(observed, required, found.evidence)


@check(
    id="memory.available",
    title=_("Memory is not exhausted"),
    severity=Severity.HIGH,
    requirements=("R12",),
    remedy="{ssh} ps -eo rss,comm --sort=-rss | head -10",
)
def _memory(subject: Subject) -> Judgement:
    return judge_memory(subject.facts.get(memory))


def judge_kills(found: MemoryUse) -> Judgement:
    """Warn about out-of-memory kills: calls drop, the database restarts."""
    required = _("no process was killed for lack of memory since boot")
    if found.oom_kills is None:
        return skipped(_("not verifiable here: the kernel shows no counter"), required)
    if found.oom_kills:
        return warned(_("{oom_kills} killed", oom_kills=found.oom_kills), required, found.evidence)
    return passed(_("none"), required)


@check(
    id="memory.kills",
    title=_("No process was killed by the out-of-memory killer"),
    severity=Severity.MEDIUM,
    requirements=("R12",),
    remedy="{ssh} journalctl --grep 'oom-kill|Out of memory' --no-pager -n 20",
)
def _kills(subject: Subject) -> Judgement:
    return judge_kills(subject.facts.get(memory))


def _root(subject: Subject) -> FileSystem:
    found = subject.facts.get(file_system, _ROOT)
    if found is None:
        raise RuntimeError(_("df does not list /"))
    return found


def _fullest(subject: Subject) -> FileSystem:
    """Return the file system with less free space of those that an installation writes to."""
    var = subject.facts.get(file_system, _VAR)
    return min(filter(None, (_root(subject), var)), key=lambda found: found.free_kb)


def _in_use(subject: Subject) -> tuple[FileSystem, ...]:
    return subject.facts.get(file_systems, _FOLDERS)


CHECKS = checks_of(globals())
