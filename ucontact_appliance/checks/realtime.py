"""Check of Asterisk's realtime: its engines are loaded, and its databases are connected."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    warned,
)
from ucontact_appliance.facts.realtime import FILE, Realtime, RealtimeMapping, realtime
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.model import Role

_ODBC = "odbc"  # the engine whose databases are classes of res_odbc.conf


def judge_realtime(found: Realtime) -> Judgement:
    """Require the engine and the database of every family that extconfig.conf maps (R19)."""
    required = _("every family in extconfig.conf has its engine and its database")
    if not found.mapped:
        return passed(_("all configuration is in files"), required, found.evidence)
    classes = dict(found.classes)
    for one in found.mapped:
        if one.engine not in found.engines:
            told = _(
                "{family}: the engine {engine} is not loaded", family=one.family, engine=one.engine
            )
            return failed(told, required, found.evidence)
        if one.engine == _ODBC and one.database not in classes:
            told = _(
                "{family}: res_odbc.conf has no class {database}",
                family=one.family,
                database=one.database,
            )
            return failed(told, required, found.evidence)
    idle = [one for one in found.mapped if one.engine == _ODBC and not classes[one.database]]
    if idle:
        told = _(
            "{family}: no connection to {database} is open",
            family=idle[0].family,
            database=idle[0].database,
        )
        return warned(told, required, found.evidence)
    return passed(joined(", ", (_told(one) for one in found.mapped)), required, found.evidence)


@check(
    id="asterisk.realtime",
    title=_("Asterisk's realtime tables are readable"),
    severity=Severity.HIGH,
    requirements=("R19",),
    remedy=with_note(
        f"{{ssh}} grep -n '=>' {FILE}", _("remove the line whose engine or class is missing")
    ),
    role=Role.TELEPHONY,
    needs=("asterisk.service",),
)
def _realtime(subject: Subject) -> Judgement:
    return judge_realtime(subject.facts.get(realtime))


def _told(one: RealtimeMapping) -> str:
    return _("{family} via {engine}", family=one.family, engine=one.engine)


CHECKS = checks_of(globals())
