"""Check that rows about calls are deleted as site.yml says (R16)."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.facts.row_retention import (
    ROW_SERVICE,
    ROW_TIMER,
    RowRetention,
    row_retention,
)
from ucontact_appliance.language.messages import Message, _, joined, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.model import Records

_MOST_HOURS = 49  # a night was left out


def judge_rows(found: RowRetention, records: Records) -> Judgement:
    """Require that the timer runs with the site's days, and that its last run was good."""
    asked = (records.calls_days, records.events_days, records.accesses_days)
    names = (_("call records and queue log"), _("channel events"), _("rows of access"))
    kept = [
        _("{name} for {days} days", name=name, days=days) if days else _("all {name}", name=name)
        for name, days in zip(names, asked, strict=True)
    ]
    required = _("{kept} are kept; older ones are deleted each night", kept=joined(", ", kept))
    wrong = _trouble(found, tuple(days or 0 for days in asked))
    if wrong is None:
        return passed(_("the timer runs, and its last run was good"), required, found.evidence)
    told, remedy = wrong
    return failed(told, required, found.evidence, remedy)


def _trouble(found: RowRetention, asked: tuple[int, ...]) -> tuple[Message, str] | None:
    if found.timer != "active":
        state = found.timer or _("missing")
        return _("{unit} is {state}", unit=ROW_TIMER, state=state), "{install}"
    if found.days != asked:
        days = ", ".join(map(str, found.days))
        return _("the service deletes after {days} days (0: never)", days=days), "{install}"
    if not any(asked):
        return None
    again = f"{{ssh}} systemctl start {ROW_SERVICE}"
    if found.result not in ("", "success"):
        return _("the last run failed: {result}", result=found.result), again
    if found.age is not None and found.age > _MOST_HOURS * 3600:
        return _("the last run was {hours:.0f} hours ago", hours=found.age / 3600), again
    return None


@check(
    id="mysql.row_retention",
    title=_("Old rows about calls are deleted"),
    severity=Severity.MEDIUM,
    requirements=("R16",),
    remedy=with_note("{install}", _("site.yml has the days in records")),
    role=Role.DATABASE,
)
def _rows(subject: Subject) -> Judgement:
    return judge_rows(subject.facts.get(row_retention), subject.site.records)


CHECKS = checks_of(globals())
