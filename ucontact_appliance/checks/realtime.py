"""Asterisk's realtime: what it takes out of a database, it must be able to get there."""

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
from ucontact_appliance.facts.realtime import FILE, Mapping, Realtime, realtime
from ucontact_appliance.planning.model import Role

_ODBC = "odbc"  # the engine whose databases are classes of res_odbc.conf


def judge_realtime(found: Realtime) -> Judgement:
    """R19: whatever extconfig.conf maps has its engine, and its database answers."""
    required = "each family that extconfig.conf maps has its engine and its database"
    if not found.mapped:
        return passed("all configuration is in files", required, found.evidence)
    classes = dict(found.classes)
    for one in found.mapped:
        if one.engine not in found.engines:
            told = f"{one.family}: the engine {one.engine} is not loaded"
            return failed(told, required, found.evidence)
        if one.engine == _ODBC and one.database not in classes:
            told = f"{one.family}: res_odbc.conf has no class {one.database}"
            return failed(told, required, found.evidence)
    idle = [one for one in found.mapped if one.engine == _ODBC and not classes[one.database]]
    if idle:
        told = f"{idle[0].family}: no connection to {idle[0].database} is open"
        return warned(told, required, found.evidence)
    return passed(", ".join(_told(one) for one in found.mapped), required, found.evidence)


@check(
    id="asterisk.realtime",
    title="What Asterisk takes out of a database can be had there",
    severity=Severity.HIGH,
    requirements=("R19",),
    remedy=f"{{ssh}} grep -n '=>' {FILE}  # take out the line whose engine or class is not there",
    role=Role.TELEPHONY,
    needs=("asterisk.service",),
)
def _realtime(subject: Subject) -> Judgement:
    return judge_realtime(subject.facts.get(realtime))


def _told(one: Mapping) -> str:
    return f"{one.family} by {one.engine}"


CHECKS = checks_of(globals())
