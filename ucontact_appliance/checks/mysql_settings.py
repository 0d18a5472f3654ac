"""Checks of MySQL's settings (R16): the plan's memory and connections, and hardening."""

from __future__ import annotations

from typing import Any

from ucontact_appliance.checks.model import Judgement, Severity, Subject, checks_of, failed, passed
from ucontact_appliance.checks.mysql import AFRESH, database_check, viewed
from ucontact_appliance.facts.mysql import ServerView
from ucontact_appliance.language.messages import _, joined, verbatim
from ucontact_appliance.planning.versions import reaches
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("database")
# MySQL rounds the buffer pool up to whole chunks: never to less, never to much more.
_ROUNDED_UP = 1.1


def judge_memory(found: ServerView, planned_mb: int) -> Judgement:
    """Require the planned buffer pool: on a shared host a larger one takes memory from others."""
    required = _(
        "a buffer pool of {planned_mb} MB, as planned for this host", planned_mb=planned_mb
    )
    got_mb = int(found.variables["innodb_buffer_pool_size"]) / 2**20
    if not planned_mb <= got_mb <= planned_mb * _ROUNDED_UP:
        return failed(_("{got_mb:.0f} MB", got_mb=got_mb), required)
    return passed(_("{got_mb:.0f} MB", got_mb=got_mb), required)


@database_check(
    id="mysql.memory",
    title=_("The buffer pool is as planned"),
    severity=Severity.MEDIUM,
    requirements=("R12", "R16"),
    remedy=AFRESH,
    needs=("mysql.login",),
)
@viewed
def _memory(subject: Subject, found: ServerView) -> Judgement:
    return judge_memory(found, subject.plan.tuning.database.buffer_pool_mb)


def judge_connections(found: ServerView, planned: int) -> Judgement:
    """Require the planned max_connections."""
    required = _("max_connections {planned}, as planned for this site", planned=planned)
    got = found.variables["max_connections"]
    return (passed if got == str(planned) else failed)(verbatim(got), required)


@database_check(
    id="mysql.connections",
    title=_("MySQL's max_connections is as planned"),
    severity=Severity.MEDIUM,
    requirements=("R12", "R16"),
    remedy=AFRESH,
    needs=("mysql.login",),
)
@viewed
def _connections(subject: Subject, found: ServerView) -> Judgement:
    return judge_connections(found, subject.plan.tuning.database.max_connections)


def judge_settings(found: ServerView) -> Judgement:
    """Require the hardening settings in the running server, whatever its files say."""
    old = not reaches(found.version, "8.0.16")
    wanted = {
        name: str(row["before_8_0_16"] if old and "before_8_0_16" in row else row["value"])
        for name, row in _TABLE["settings"].items()
    }
    required = joined(", ", (f"{name}={value}" for name, value in wanted.items()))
    wrong = [name for name, value in wanted.items() if found.variables.get(name) != value]
    if wrong:
        return failed(
            joined(
                "; ",
                (
                    _(
                        "{name}={value}: {why}",
                        name=name,
                        value=found.variables.get(name) or _("unknown"),
                        why=_(_TABLE["settings"][name]["why"]),
                    )
                    for name in wrong
                ),
            ),
            required,
        )
    return passed(_("{count} settings", count=len(wanted)), required)


@database_check(
    id="mysql.settings",
    title=_("MySQL is hardened"),
    severity=Severity.MEDIUM,
    requirements=("R16",),
    remedy=AFRESH,
    needs=("mysql.login",),
)
@viewed
def _settings(_: Subject, found: ServerView) -> Judgement:
    return judge_settings(found)


CHECKS = checks_of(globals())
