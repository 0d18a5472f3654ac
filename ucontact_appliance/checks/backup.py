"""Checks of the backups: how old the newest good one is, the binary logs, and the repository."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

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
from ucontact_appliance.facts.backup import (
    BackupError,
    BackupStatus,
    backup_status,
    backup_target,
)
from ucontact_appliance.language.messages import Message, _, concatenated, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

_LIMITS = load_data("backup")
_FRESH = _LIMITS["fresh_hours"]
_BINLOG = _LIMITS["binlog_minutes"]
_FIRST = timedelta(hours=_LIMITS["first_hours"])
_NONE = _("the site has no backups: site.yml has no section 'backup'")
_NOT_YET = _("backups are in site.yml, and not installed yet")

# By the kind of an error (ucontact_restic.py of the role): a sentence for a person.
ERRORS = {
    "full": _("the backup's target is full"),
    "wrong_key": _("the repository has another password"),
    "access": _("the backup's target refuses access"),
    "host_key": _("the backup's target has another host key than site.yml"),
    "locked": _("the repository is locked by another process"),
    "damaged": _("the repository is damaged"),
    "no_repository": _("the repository is gone"),
    "another_repository": _("another repository is in the place of the site's"),
    "unreachable": _("the backup's target can't be reached"),
    "database": _("MySQL refused"),
    "interrupted": _("the backup was stopped"),
    "busy": _("another backup, verification or clean-up is running"),
    "no_backup": _("there is no good backup"),
}
_OTHER = _("restic failed")


def error_title(error: BackupError) -> Message:
    """The error as a sentence."""
    return ERRORS.get(error.kind, _OTHER)


def judge_fresh(found: BackupStatus | None, now: datetime) -> Judgement:
    """Require a good backup of the last day or two."""
    required = _("the newest good backup is at most {hours} h old", hours=_FRESH["warn"])
    if found is None:
        return failed(_NOT_YET, required, remedy="{install}")
    ended = found.good.ended
    newest = _newest_run(found)
    evidence = found.run.error.words if found.run.error else ""
    if ended is None:
        since = now - datetime.fromtimestamp(found.configured, timezone.utc)
        told = concatenated((_("there is no backup yet"), newest))
        return (warned if since < _FIRST else failed)(told, required, evidence)
    hours = int((now - ended).total_seconds() // 3600)
    told = _("the newest good backup is {hours} h old", hours=hours)
    told = concatenated((told, newest))
    if hours >= _FRESH["fail"]:
        return failed(told, required, evidence)
    if hours >= _FRESH["warn"] or found.run.state in ("failed", "interrupted"):
        return warned(told, required, evidence)
    return passed(told, required)


def _newest_run(found: BackupStatus) -> Message | str:
    """What came of the newest run, if it was not good."""
    if found.run.state == "interrupted":
        return concatenated(("; ", _("the newest one did not come to its end")))
    if found.run.state == "failed" and found.run.error:
        return concatenated(("; ", _("the newest one failed"), ": ", error_title(found.run.error)))
    if found.run.state == "running":
        return concatenated(("; ", _("one is running")))
    return ""


@check(
    id="backup.fresh",
    title=_("The newest backup is recent"),
    severity=Severity.HIGH,
    requirements=("C06",),
    remedy=with_note(
        "ucontact backup create --site {site}", _("makes a backup now; calls go on meanwhile")
    ),
    # Nothing can be backed up to a target that is out of reach.
    needs=("backup.target",),
)
def _fresh(subject: Subject) -> Judgement:
    if subject.site.backup is None:
        return skipped(_NONE)
    return judge_fresh(subject.facts.get(backup_status), subject.now)


def judge_binlog(found: BackupStatus | None, now: datetime) -> Judgement:
    """Require binary logs stored some minutes ago: what a restore could lose at most."""
    required = _("binary logs were stored at most {minutes} min ago", minutes=_BINLOG["warn"])
    if found is None:
        return failed(_NOT_YET, required, remedy="{install}")
    logs = found.binlog
    evidence = logs.error.words if logs.error else ""
    if logs.checked is None:
        since = now - datetime.fromtimestamp(found.configured, timezone.utc)
        told = _("no binary logs were stored yet")
        young = since < timedelta(minutes=_BINLOG["fail"]) and logs.error is None
        return skipped(told, required) if young else failed(told, required, evidence)
    minutes = int((now - logs.checked).total_seconds() // 60)
    told = _("binary logs are stored as of {minutes} min ago", minutes=minutes)
    if logs.error:
        told = concatenated((told, "; ", error_title(logs.error)))
    if minutes >= _BINLOG["fail"]:
        return failed(told, required, evidence)
    if minutes >= _BINLOG["warn"] or logs.error:
        return warned(told, required, evidence)
    return passed(told, required)


@check(
    id="backup.binlog",
    title=_("Binary logs are stored every few minutes"),
    severity=Severity.HIGH,
    requirements=("C06",),
    remedy="{ssh} systemctl restart ucontact-binlog.timer ucontact-binlog.service",
    role=Role.DATABASE,
    needs=("backup.target", "mysql.service"),
)
def _binlog(subject: Subject) -> Judgement:
    if subject.site.backup is None:
        return skipped(_NONE)
    return judge_binlog(subject.facts.get(backup_status), subject.now)


def judge_target(found: BackupStatus | None, error: BackupError | None) -> Judgement:
    """Require that the server opens the repository now, and removes superfluous backups."""
    required = _("the server opens the repository with the site's password")
    if found is None:
        return failed(_NOT_YET, required, remedy="{install}")
    if error:
        remedy = _REMEDIES.get(error.kind, "")
        return failed(error_title(error), required, error.words, remedy)
    last = found.run.error if found.run.state == "failed" else None
    if last and last.kind in _OF_THE_TARGET:
        told = concatenated((_("the newest backup failed"), ": ", error_title(last)))
        return failed(told, required, last.words, _REMEDIES.get(last.kind, ""))
    if found.prune.error:
        told = _("superfluous backups could not be removed")
        told = concatenated((told, ": ", error_title(found.prune.error)))
        return warned(told, required, found.prune.error.words, _PRUNE)
    return passed(_("{repository} can be opened", repository=found.repository), required)


_OF_THE_TARGET = ("full", "access", "damaged", "locked", "no_repository", "unreachable")
_AGAIN = "ucontact backup create --site {site}"
_PRUNE = "ucontact backup prune --site {site}"
_REMEDIES = {
    "full": with_note(_PRUNE, _("frees what 'keep' allows; otherwise give the target more space")),
    "wrong_key": with_note("{install}", _("adds the site's password with the recovery key")),
    "locked": with_note(_AGAIN, _("removes stale locks, and makes a backup")),
    "damaged": with_note(
        "ucontact backup verify --percent 100 --site {site}", _("shows what is damaged")
    ),
}


@check(
    id="backup.target",
    title=_("The backup's repository can be opened"),
    severity=Severity.HIGH,
    requirements=("C06",),
    remedy=with_note(
        "{ssh} python3 /usr/local/lib/ucontact/backup.py probe",
        _("shows restic's own words; mount the drive, or bring the storage back"),
    ),
    timeout=30,
    takes=2,
)
def _target(subject: Subject) -> Judgement:
    if subject.site.backup is None:
        return skipped(_NONE)
    found = subject.facts.get(backup_status)
    return judge_target(found, subject.facts.get(backup_target) if found else None)


CHECKS = checks_of(globals())
