"""The database server's state: how it started, whether it replicates and accepts writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

_UNIT = "mysql.service"


@dataclass(frozen=True)
class UnitStart:
    """Seconds from the unit's start until it was ready, and systemd's limit for it.

    None where systemd reports none: the unit has not come up, or has no limit.
    """

    seconds: float | None
    limit: float | None
    evidence: str


def start(reach: ProbeContext) -> UnitStart:
    """Read how long the latest start took."""
    words = [
        *("systemctl", "show", _UNIT),
        *("-p", "InactiveExitTimestampMonotonic", "-p", "ActiveEnterTimestampMonotonic"),
        *("-p", "TimeoutStartUSec"),
    ]
    return parse_start(reach.runner.run(words).stdout)


def parse_start(text: str) -> UnitStart:
    """Parse the properties of `systemctl show`: microseconds since boot, and a time span."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    began = int(found.get("InactiveExitTimestampMonotonic", "0") or 0)
    ready = int(found.get("ActiveEnterTimestampMonotonic", "0") or 0)
    seconds = (ready - began) / 1e6 if began and ready >= began else None
    return UnitStart(seconds, span(found.get("TimeoutStartUSec", "")), text.strip())


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}


def span(text: str) -> float | None:
    """Convert a systemd time span (`10min`, `1min 30s`) to seconds; None for infinity or empty."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|min|s|h|d)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None


@dataclass(frozen=True)
class Replication:
    """The output of `SHOW REPLICA STATUS`, one row per channel; none if it is not a replica."""

    channels: tuple[Mapping[str, str], ...]
    evidence: str


# Before 8.0.22 only the former name exists. root connects over the server's own socket. "\G" can't
# be used: the client of MySQL 9 accepts none of its own commands in batch mode.
_REPLICATION = script(
    status="mysql --vertical -e 'SHOW REPLICA STATUS' 2>/dev/null || "
    "mysql --vertical -e 'SHOW SLAVE STATUS'",
)


def replication(reach: ProbeContext) -> Replication:
    """Read whether the server is a replica, and its lag.

    Raises RuntimeError when the server does not answer.
    """
    done = reach.runner.run(["sh", "-c", _REPLICATION])
    if done.status:
        raise RuntimeError(done.evidence)
    return parse_replication(sections(done.stdout)["status"])


def parse_replication(text: str) -> Replication:
    """Parse the vertical form, `Name: value` lines; former names are replaced by today's."""
    channels: list[dict[str, str]] = []
    for line in text.splitlines():
        name, colon, value = line.strip().partition(":")
        if line.startswith("***"):
            channels.append({})
        elif colon and channels:
            today = name.replace("Slave", "Replica").replace("Master", "Source")
            channels[-1][today.strip()] = value.strip()
    return Replication(tuple(channels), text.strip())


# Each forbids writes while it is ON; super_read_only first, because it implies read_only.
FORBIDDING = ("super_read_only", "read_only", "offline_mode", "innodb_read_only")


@dataclass(frozen=True)
class ReadLock:
    """A connection that holds a global read lock, and how long ago its latest statement began.

    It has held the lock for at least that long: the server does not report when it got it.
    """

    connection: int
    user: str
    seconds: int


@dataclass(frozen=True)
class WriteBlockers:
    """What can block writes: the server's variables, and the global read locks.

    `variables` lacks those that this server does not know, such as super_read_only on MariaDB.
    `waited` is the longest wait for such a lock in seconds, None when nothing waits.
    """

    variables: Mapping[str, str]
    locks: tuple[ReadLock, ...]
    waited: int | None
    evidence: str


_LISTED = ", ".join(f"'{name}'" for name in (*FORBIDDING, "performance_schema"))
# FLUSH TABLES WITH READ LOCK holds both types of object; LOCK INSTANCE FOR BACKUP has its own type
# and does not block writes to rows. By default MySQL 5.7 leaves this table empty (the instrument
# wait/lock/metadata/sql/mdl is off): there, only waiting statements reveal a lock.
_LOCKS = (
    "SELECT DISTINCT PROCESSLIST_ID, COALESCE(PROCESSLIST_TIME, 0), PROCESSLIST_USER"
    " FROM performance_schema.metadata_locks"
    " JOIN performance_schema.threads ON THREAD_ID = OWNER_THREAD_ID"
    " WHERE OBJECT_TYPE IN ('GLOBAL', 'COMMIT') AND LOCK_TYPE = 'SHARED'"
    " AND LOCK_STATUS = 'GRANTED' AND PROCESSLIST_ID IS NOT NULL"
)
# New statements wait for the first, a transaction that had begun earlier waits for the second.
_WAITED = (
    "SELECT MAX(PROCESSLIST_TIME) FROM performance_schema.threads WHERE PROCESSLIST_STATE"
    " IN ('Waiting for global read lock', 'Waiting for commit lock')"
)
_ROWS = "mysql -N -B --raw -e"
# Stop at the first failure: a truncated answer must not look like one without locks.
_WRITABLE = "set -e\n" + script(
    variables=f'{_ROWS} "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_LISTED})"',
    locks=f'{_ROWS} "{_LOCKS}"',
    waited=f'{_ROWS} "{_WAITED}"',
)


def writable(reach: ProbeContext) -> WriteBlockers:
    """Read whether anything blocks writes, as root sees it over the socket.

    Raises RuntimeError when the server does not answer.
    """
    done = reach.runner.run(["sh", "-c", _WRITABLE])
    if done.status:
        raise RuntimeError(done.evidence)
    return parse_writable(done.stdout)


def parse_writable(text: str) -> WriteBlockers:
    """Parse the three sections with tab-separated columns; NULL when nothing waits."""
    part = sections(text)
    variables = dict(line.split("\t", 1) for line in part["variables"].splitlines())
    locks = []
    for line in part["locks"].splitlines():
        connection, seconds, user = line.split("\t", 2)
        locks.append(ReadLock(int(connection), user, int(seconds)))
    waited = part["waited"].strip()
    return WriteBlockers(
        variables, tuple(locks), None if waited == "NULL" else int(waited), text.strip()
    )
