"""Checks of how the database server starts, and of replication where there is any."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.mysql import ANSWERS, SERVICE
from ucontact_appliance.facts.database import Replication, Start, replication, start
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

_LIMITS = load_data("database")["patience"]


def judge_start(found: Start) -> Judgement:
    """A server that recovers for minutes at each start is ended by systemd one day."""
    slow = float(_LIMITS["start_seconds"])
    required = f"ready within {slow:g} s of its start"
    if found.seconds is None:
        return skipped("systemd does not tell when it became ready", required, found.evidence)
    observed = f"ready after {found.seconds:.1f} s"
    if found.limit is not None and found.seconds > found.limit / 2:
        told = f"{observed}: systemd ends it after {found.limit:.0f} s"
        return failed(told, required, found.evidence)
    judge = warned if found.seconds > slow else passed
    return judge(observed, required, found.evidence)


def judge_replication(found: Replication) -> Judgement:
    """The appliance sets none up; where somebody did, it has to work."""
    behind = int(_LIMITS["replica_seconds"])
    required = f"none, or one that runs and is less than {behind} s behind"
    if not found.channels:
        return passed("the server copies from no other", required)
    stopped = [
        f"{name} is {channel.get(name, 'unknown')}"
        for channel in found.channels
        for name in ("Replica_IO_Running", "Replica_SQL_Running")
        if channel.get(name) != "Yes"
    ]
    if stopped:
        return failed(", ".join(stopped), required, found.evidence)
    late = [channel.get("Seconds_Behind_Source", "") for channel in found.channels]
    if not all(seconds.isdigit() for seconds in late):
        return failed("how far it is behind is not known", required, found.evidence)
    most = max(map(int, late))
    judge = failed if most >= behind else passed
    return judge(f"it runs, {most} s behind", required, found.evidence)


def _start(subject: Subject) -> Judgement:
    return judge_start(subject.facts.get(start))


def _replication(subject: Subject) -> Judgement:
    return judge_replication(subject.facts.get(replication))


CHECKS: tuple[Check, ...] = (
    Check(
        id="mysql.start",
        title="MySQL starts in good time",
        severity=Severity.MEDIUM,
        requirements=("R16",),
        remedy="{ssh} journalctl -u mysql --no-pager -n 60  # recovery, or a slow disk",
        judge=_start,
        role=Role.DATABASE,
        needs=(SERVICE,),
    ),
    Check(
        id="mysql.replication",
        title="Replication works, if there is any",
        severity=Severity.HIGH,
        requirements=("R16",),
        remedy="{ssh} mysql -E -e 'SHOW REPLICA STATUS'  # Last_Error there says what to mend",
        judge=_replication,
        role=Role.DATABASE,
        needs=(ANSWERS,),
    ),
)
