"""Checks of the database server: start time, write access, and replication if there is any."""

from __future__ import annotations

from collections.abc import Sequence

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
from ucontact_appliance.checks.mysql import AFRESH
from ucontact_appliance.facts.database import (
    FORBIDDING,
    ReadLock,
    Replication,
    UnitStart,
    WriteBlockers,
    replication,
    start,
    writable,
)
from ucontact_appliance.language.messages import Message, _, joined, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

_LIMITS = load_data("database")["patience"]
_OFF = "OFF"
# MySQL before 8.0.22 accepts only SHOW SLAVE STATUS, 8.4 and later only SHOW REPLICA STATUS.
_SHOW_REPLICA = with_note(
    "{ssh} mysql -E -e 'SHOW REPLICA STATUS'", _("Last_Error shows what to fix")
)
_SHOW_SLAVE = with_note("{ssh} mysql -E -e 'SHOW SLAVE STATUS'", _("Last_Error shows what to fix"))
_START_ONLY = "innodb_read_only"  # can be set at server start only


def judge_start(found: UnitStart) -> Judgement:
    """Require a quick start: systemd ends a server whose recovery exceeds the unit's time limit."""
    slow = float(_LIMITS["start_seconds"])
    required = _("ready within {slow:g} s of its start", slow=slow)
    if found.seconds is None:
        return skipped(_("systemd does not report when it became ready"), required, found.evidence)
    observed = _("ready after {seconds:.1f} s", seconds=found.seconds)
    if found.limit is not None and found.seconds > found.limit / 2:
        told = _(
            "{observed}: systemd stops it after {limit:.0f} s", observed=observed, limit=found.limit
        )
        return failed(told, required, found.evidence)
    judge = warned if found.seconds > slow else passed
    return judge(observed, required, found.evidence)


@check(
    id="mysql.start",
    title=_("MySQL starts within the time limit"),
    severity=Severity.MEDIUM,
    requirements=("R16",),
    remedy=with_note(
        "{ssh} journalctl -u mysql --no-pager -n 60", _("look for crash recovery or a slow disk")
    ),
    role=Role.DATABASE,
    needs=("mysql.service",),
)
def _start(subject: Subject) -> Judgement:
    return judge_start(subject.facts.get(start))


def judge_replication(found: Replication) -> Judgement:
    """Require that replication works if somebody set it up; the appliance does not."""
    behind = int(_LIMITS["replica_seconds"])
    required = _(
        "no replication, or replication running less than {behind} s behind", behind=behind
    )
    if not found.channels:
        return passed(_("the server is not a replica"), required)
    stopped = [
        _("{name} is {channel}", name=name, channel=channel.get(name) or _("unknown"))
        for channel in found.channels
        for name in ("Replica_IO_Running", "Replica_SQL_Running")
        if channel.get(name) != "Yes"
    ]
    if stopped:
        return failed(joined(", ", stopped), required, found.evidence, _shows(found))
    late = [channel.get("Seconds_Behind_Source", "") for channel in found.channels]
    if not all(seconds.isdigit() for seconds in late):
        return failed(_("the replication lag is unknown"), required, found.evidence, _shows(found))
    most = max(map(int, late))
    observed = _("running, {most} s behind", most=most)
    if most >= behind:
        return failed(observed, required, found.evidence, _shows(found))
    return passed(observed, required, found.evidence)


@check(
    id="mysql.replication",
    title=_("Replication, if configured, works"),
    severity=Severity.HIGH,
    requirements=("R16",),
    remedy=_SHOW_REPLICA,
    role=Role.DATABASE,
    needs=("mysql.answers",),
)
def _replication(subject: Subject) -> Judgement:
    return judge_replication(subject.facts.get(replication))


def _shows(found: Replication) -> str:
    """Return the remedy with the statement that this server accepts, by the evidence's fields."""
    return _SHOW_SLAVE if "Slave_IO_Running" in found.evidence else _SHOW_REPLICA


def judge_writable(found: WriteBlockers) -> Judgement:
    """Require that the services can write: a read-only server fails, also if it is a replica."""
    limit = int(_LIMITS["lock_seconds"])
    required = _("no variable blocks writes, and no global read lock lasts {limit} s", limit=limit)
    stuck = _stuck_seconds(found)
    if stuck is not None and stuck >= limit:
        # Judged before the variables: their remedy's installation would wait for the lock as well.
        return failed(_lock(found, stuck), required, found.evidence, _ending(found))
    on = [name for name in FORBIDDING if found.variables.get(name, _OFF) != _OFF]
    if on:
        told = joined(
            ", ",
            (_("{name} is {variables}", name=name, variables=found.variables[name]) for name in on),
        )
        return failed(told, required, found.evidence, _switching_off(on))
    if found.variables["performance_schema"] == _OFF:
        told = _("performance_schema is off: the server does not report locks")
        return skipped(told, required, found.evidence)
    if stuck is not None:
        return warned(
            _("{lock}, possibly by a backup", lock=_lock(found, stuck)), required, found.evidence
        )
    return passed(_("writes are not blocked"), required, found.evidence)


@check(
    id="mysql.writable",
    title=_("MySQL accepts writes"),
    severity=Severity.CRITICAL,
    requirements=("R16",),
    remedy=with_note(
        "{ssh} mysql -e 'SHOW FULL PROCESSLIST'",
        _(
            "find who holds the lock: a backup ends by itself; end other connections with "
            "KILL and their Id"
        ),
    ),
    role=Role.DATABASE,
    needs=("mysql.answers",),
)
def _writable(subject: Subject) -> Judgement:
    return judge_writable(subject.facts.get(writable))


def _stuck_seconds(found: WriteBlockers) -> int | None:
    # A holder that runs more statements, as a dump does, shows only the age of the latest one.
    held = [lock.seconds for lock in found.locks]
    return max(held if found.waited is None else [*held, found.waited], default=None)


def _lock(found: WriteBlockers, seconds: int) -> Message:
    if not found.locks:
        return _("writes have waited for a global read lock for {seconds} s", seconds=seconds)
    first = _oldest(found)
    return _(
        "a global read lock is held by {user}, connection {connection}, for {seconds} s",
        user=first.user,
        connection=first.connection,
        seconds=seconds,
    )


def _ending(found: WriteBlockers) -> str:
    """Return the remedy for a known lock holder, else "": the check's own remedy then applies."""
    if not found.locks:
        return ""
    return with_note(
        f"{{ssh}} mysql -e 'KILL {_oldest(found).connection}'",
        _("ends the connection that holds the lock; check first whether it is a backup"),
    )


def _oldest(found: WriteBlockers) -> ReadLock:
    return max(found.locks, key=lambda lock: lock.seconds)


def _switching_off(names: Sequence[str]) -> str:
    if _START_ONLY in names:
        return AFRESH
    return f"{{ssh}} mysql -e 'SET @@global.{'=OFF,@@global.'.join(names)}=OFF'; {{install}}"


CHECKS = checks_of(globals())
