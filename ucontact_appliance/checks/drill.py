"""The check that a backup was restored lately, in a drill."""

from __future__ import annotations

from datetime import datetime, timedelta

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
from ucontact_appliance.facts.drill import DrillHistory, drill_history, next_elapse
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.backup import NEVER

_RULE = load_data("backup")["drill"]


def judge_drilled(history: DrillHistory, due: datetime | None, now: datetime) -> Judgement:
    """Require a good drill lately; `due` is when the next good one must have ended by."""
    required = _("the newest drill is good, and no older than 'every' of site.yml wants")
    newest = history.drills[-1] if history.drills else None
    if newest is None:
        return warned(_("no drill has run yet"), required)
    if not newest.good:
        told = _("the drill of {time:%Y-%m-%d %H:%M} UTC failed", time=newest.time)
        return failed(told, required, newest.trouble)
    told = _(
        "the backup of {backup:%Y-%m-%d %H:%M} UTC was restored on {time:%Y-%m-%d}, in {minutes} "
        "min",
        backup=newest.backup,
        time=newest.time,
        minutes=round(newest.seconds / 60),
    )
    evidence = _("signed result: {folder}", folder=newest.report)
    if due is not None and now > due:
        days = (now - newest.time).days
        return failed(_("the last good drill is {days} days old", days=days), required, evidence)
    return passed(told, required, evidence)


@check(
    id="backup.drilled",
    title=_("A backup was restored lately in a drill"),
    severity=Severity.HIGH,
    requirements=("C06",),
    remedy=with_note(
        "ucontact backup drill --site {site}",
        _("restores the newest backup into a throw-away machine; see docs/backup.md"),
    ),
    role=Role.DATABASE,  # exactly one host has this role: once per site
)
def _drilled(subject: Subject) -> Judgement:
    backup = subject.site.backup
    if backup is None:
        return skipped(_("the site has no backups: site.yml has no section 'backup'"))
    if backup.drill.every == NEVER:
        return skipped(_("drills are not configured: 'drill' below 'backup' of site.yml"))
    history = subject.facts.here(drill_history, str(subject.state.drills))
    return judge_drilled(history, _due(subject, history, backup.drill.every), subject.now)


def _due(subject: Subject, history: DrillHistory, every: str) -> datetime | None:
    if history.last_good is None:
        return None
    done = history.last_good.time
    days = _RULE["limit_days"].get(every)
    if days is not None:
        return done + timedelta(days=days)
    following = subject.facts.here(next_elapse, every, done)
    return following + timedelta(days=_RULE["grace_days"])


CHECKS = checks_of(globals())
