"""The database server's own state: how it started, whether it replicates and takes writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import Reach

_UNIT = "mysql.service"


@dataclass(frozen=True)
class Start:
    """Seconds from the start of the unit to its being ready, and systemd's limit for it.

    None where systemd does not tell: the unit has not come up, or has no limit.
    """

    seconds: float | None
    limit: float | None
    evidence: str


def start(reach: Reach) -> Start:
    """How the newest start went."""
    words = [
        *("systemctl", "show", _UNIT),
        *("-p", "InactiveExitTimestampMonotonic", "-p", "ActiveEnterTimestampMonotonic"),
        *("-p", "TimeoutStartUSec"),
    ]
    return parse_start(reach.runner.run(words).stdout)


def parse_start(text: str) -> Start:
    """From the properties of `systemctl show`: microseconds since the boot, and a time span."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    began = int(found.get("InactiveExitTimestampMonotonic", "0") or 0)
    ready = int(found.get("ActiveEnterTimestampMonotonic", "0") or 0)
    seconds = (ready - began) / 1e6 if began and ready >= began else None
    return Start(seconds, span(found.get("TimeoutStartUSec", "")), text.strip())


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}


def span(text: str) -> float | None:
    """systemd's time span (`10min`, `1min 30s`) in seconds; None for infinity or nothing."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|min|s|h|d)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None


@dataclass(frozen=True)
class Replication:
    """What `SHOW REPLICA STATUS` says, a channel a row: none where it copies from no other."""

    channels: tuple[Mapping[str, str], ...]
    evidence: str


# Older than 8.0.22 it is called by its former name; root asks over the server's own socket. Not by
# "\G": the client of MySQL 9 knows no commands of its own in a batch.
_REPLICATION = script(
    status="mysql --vertical -e 'SHOW REPLICA STATUS' 2>/dev/null || "
    "mysql --vertical -e 'SHOW SLAVE STATUS'",
)


def replication(reach: Reach) -> Replication:
    """Whether the server is another's replica, and how far behind.

    Raises RuntimeError when the server does not say.
    """
    done = reach.runner.run(["sh", "-c", _REPLICATION])
    if done.status:
        raise RuntimeError(done.evidence)
    return parse_replication(sections(done.stdout)["status"])


def parse_replication(text: str) -> Replication:
    """From the vertical form: `Name: value` lines; former names are told by today's."""
    channels: list[dict[str, str]] = []
    for line in text.splitlines():
        name, colon, value = line.strip().partition(":")
        if line.startswith("***"):
            channels.append({})
        elif colon and channels:
            today = name.replace("Slave", "Replica").replace("Master", "Source")
            channels[-1][today.strip()] = value.strip()
    return Replication(tuple(channels), text.strip())


# Each forbids writes while it is ON; super_read_only first, for it implies read_only.
FORBIDDING = ("super_read_only", "read_only", "offline_mode", "innodb_read_only")


@dataclass(frozen=True)
class Lock:
    """A connection that holds a global read lock, and how long ago its newest statement began.

    It holds the lock for at least that long: when it got it, the server does not tell.
    """

    connection: int
    user: str
    seconds: int


@dataclass(frozen=True)
class Writable:
    """What can keep the server from writing: its variables, and the global read locks.

    `variables` lacks what this server does not know, as MariaDB super_read_only. `waited` is the
    longest wait for such a lock in seconds, None when nothing waits.
    """

    variables: Mapping[str, str]
    locks: tuple[Lock, ...]
    waited: int | None
    evidence: str


_LISTED = ", ".join(f"'{name}'" for name in (*FORBIDDING, "performance_schema"))
# FLUSH TABLES WITH READ LOCK holds both types of object; LOCK INSTANCE FOR BACKUP has one of its
# own and keeps no row from being written. MySQL 5.7 leaves this table empty as it comes (the
# instrument wait/lock/metadata/sql/mdl is off): there a lock shows by nothing but those that wait.
_LOCKS = (
    "SELECT DISTINCT PROCESSLIST_ID, COALESCE(PROCESSLIST_TIME, 0), PROCESSLIST_USER"
    " FROM performance_schema.metadata_locks"
    " JOIN performance_schema.threads ON THREAD_ID = OWNER_THREAD_ID"
    " WHERE OBJECT_TYPE IN ('GLOBAL', 'COMMIT') AND LOCK_TYPE = 'SHARED'"
    " AND LOCK_STATUS = 'GRANTED' AND PROCESSLIST_ID IS NOT NULL"
)
# A new statement waits for the one, a transaction that had begun before waits for the other.
_WAITED = (
    "SELECT MAX(PROCESSLIST_TIME) FROM performance_schema.threads WHERE PROCESSLIST_STATE"
    " IN ('Waiting for global read lock', 'Waiting for commit lock')"
)
_ROWS = "mysql -N -B --raw -e"
# Ended by the first failure: an answer that is cut short must not look like one without locks.
_WRITABLE = "set -e\n" + script(
    variables=f'{_ROWS} "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_LISTED})"',
    locks=f'{_ROWS} "{_LOCKS}"',
    waited=f'{_ROWS} "{_WAITED}"',
)


def writable(reach: Reach) -> Writable:
    """Whether anything keeps the server from writing, as root sees it over the socket.

    Raises RuntimeError when the server does not say.
    """
    done = reach.runner.run(["sh", "-c", _WRITABLE])
    if done.status:
        raise RuntimeError(done.evidence)
    return parse_writable(done.stdout)


def parse_writable(text: str) -> Writable:
    """From the three sections, their columns between tabs; NULL where nothing waits."""
    part = sections(text)
    variables = dict(line.split("\t", 1) for line in part["variables"].splitlines())
    locks = []
    for line in part["locks"].splitlines():
        connection, seconds, user = line.split("\t", 2)
        locks.append(Lock(int(connection), user, int(seconds)))
    waited = part["waited"].strip()
    return Writable(
        variables, tuple(locks), None if waited == "NULL" else int(waited), text.strip()
    )
