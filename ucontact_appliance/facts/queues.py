"""Asterisk's queues and the copy of their log in MySQL."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

LOG_UNIT = "ucontact-queue-log.service"
_QUEUE = re.compile(
    r"^(?P<name>\S+) +has (?P<waiting>\d+) calls? \(.*\) in '(?P<strategy>\w+)' strategy"
)
_MEMBER = re.compile(r"^ {6}(?P<name>\S+) \(")
_LOG, _POSITION = "/var/log/asterisk/queue_log", "/var/lib/ucontact-telephony/queue-log.json"


@dataclass(frozen=True)
class LoadedQueue:
    """A queue that Asterisk has: its strategy, callers who wait, and agents who are logged in."""

    name: str
    strategy: str
    waiting: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class LoadedQueues:
    """Every queue of `queue show`, but those in the database that nobody has called yet."""

    queues: tuple[LoadedQueue, ...]
    evidence: str


def loaded_queues(context: ProbeContext) -> LoadedQueues:
    """Ask Asterisk."""
    return parse_queues(context.runner.run(["asterisk", "-rx", "queue show"]).stdout)


def parse_queues(text: str) -> LoadedQueues:
    """From `queue show`: a line per queue, indented ones for its members and callers."""
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        if queue := _QUEUE.match(line):
            found.append((queue, []))
        elif found and (member := _MEMBER.match(line)):
            found[-1][1].append(member["name"])
    return LoadedQueues(
        tuple(
            LoadedQueue(queue["name"], queue["strategy"], int(queue["waiting"]), tuple(members))
            for queue, members in found
        ),
        text.strip(),
    )


@dataclass(frozen=True)
class QueueLogCopy:
    """The service's state, octets of the log that are not in MySQL, and the log's age in seconds.

    `behind` is None where the log was rotated and the service has not come to the new one.
    """

    active: str
    behind: int | None
    age: float
    evidence: str


_ASK = script(
    active=f"systemctl is-active {LOG_UNIT} || true",
    position=f"cat {_POSITION} 2>/dev/null || true",
    log=f"stat -c '%i %s %Y' {_LOG} 2>/dev/null || true",
    now="date +%s",
    words=f"journalctl --no-pager --quiet --lines 3 --output cat --unit {shlex.quote(LOG_UNIT)} "
    "2>/dev/null || true",
)


def queue_log_copy(context: ProbeContext) -> QueueLogCopy:
    """Compare the log with the position up to which the service has sent it."""
    return parse_queue_log(context.runner.run(["sh", "-c", _ASK]).stdout)


def parse_queue_log(text: str) -> QueueLogCopy:
    """From the unit's state, its position file, and stat(1) of the log."""
    part = sections(text)
    log = part.get("log", "").split()
    active = part.get("active", "").strip()
    if len(log) != 3:  # nothing has happened in any queue yet
        return QueueLogCopy(active, 0, 0.0, text.strip())
    inode, size, written = (int(one) for one in log)
    try:
        position = json.loads(part.get("position", ""))
        sent = int(position["offset"]) if int(position["inode"]) == inode else None
    except (ValueError, KeyError, TypeError):
        sent = None
    age = float(part.get("now", "0").strip() or 0) - written
    return QueueLogCopy(active, None if sent is None else size - sent, age, text.strip())
