"""Checks of disks: writable, large enough, with free space and inodes."""

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
    warned,
)
from ucontact_appliance.facts.storage import (
    FileSystem,
    file_system,
    file_systems,
)
from ucontact_appliance.language.messages import Message, _, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

RECORDINGS = "/var/spool/asterisk/monitor"
_ROOT = "/"
_ORDER = (Verdict.FAIL, Verdict.WARN)
_VAR = "/var"
_RELEASE = "/etc/IntegraServer/current"  # R22's tree; exists once a release is installed
_KB_PER_GB = 1_000_000_000 / 1024
_BOTH = frozenset({Stage.PREFLIGHT, Stage.DOCTOR})
_DISK: dict[str, Any] = load_data("hardware")["disk"]
_FOLDERS: tuple[str, ...] = tuple(_DISK["folders"])
_LARGEST = "{ssh} du -xh --max-depth=3 --threshold=500M / /var | sort -rh | head -20"


def gigabytes(kilobytes: float) -> float:
    """Return decimal gigabytes of kilobytes of 1024 bytes."""
    return kilobytes / _KB_PER_GB


def free_space(found: FileSystem) -> Message:
    """Return how much of a file system is free."""
    return _(
        "{gb:.1f} GB of {gb2:.1f} GB free on {mount} ({free_percent:.0f} %)",
        gb=gigabytes(found.free_kb),
        gb2=gigabytes(found.size_kb),
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
    judge = passed if gigabytes(found.free_kb) >= need else failed
    return judge(free_space(found), required, found.evidence)


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
    judge = passed if gigabytes(found.size_kb) >= need * 0.9 else warned
    return judge(
        _("{gb:.0f} GB on {mount}", gb=gigabytes(found.size_kb), mount=found.mount),
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
    free = gigabytes(found.free_kb) if gigabytes(found.size_kb) >= _DISK["small_gb"] else math.inf
    required = _(
        "{low_percent} % or more free, and {low_gb} GB",
        low_percent=_DISK["low_percent"],
        low_gb=_DISK["low_gb"],
    )
    if free < _DISK["least_gb"] or share < _DISK["least_percent"]:
        return failed(free_space(found), required, found.evidence)
    if free < _DISK["low_gb"] or share < _DISK["low_percent"]:
        return warned(free_space(found), required, found.evidence)
    return passed(free_space(found), required, found.evidence)


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
