"""Logs of Asterisk that a service copies to MySQL."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections, unit_commands
from ucontact_appliance.facts.source import ProbeContext

QUEUE_LOG_UNIT = "ucontact-queue-log.service"
CHANNEL_EVENTS_UNIT = "ucontact-channel-events.service"
_STATE = "/var/lib/ucontact-telephony"
_ENABLED = "CEL Logging: Enabled"


@dataclass(frozen=True)
class LogCopy:
    """The service's state, octets of the log that are not in MySQL, and the log's age in seconds.

    `behind` is None where the log was rotated and the service has not come to the new one.
    `written` tells whether Asterisk writes the log at all.
    """

    unit: str
    active: str
    behind: int | None
    age: float
    written: bool
    evidence: str


def queue_log_copy(context: ProbeContext) -> LogCopy:
    """Compare the queue log with the position up to which the service has sent it."""
    text = _asked(context, QUEUE_LOG_UNIT, "queue_log", "queue-log", "true")
    return parse_copy(QUEUE_LOG_UNIT, text)


def channel_events_copy(context: ProbeContext) -> LogCopy:
    """Compare the file of channel events with the position up to which the service has sent it."""
    enabled = "asterisk -rx 'cel show status' 2>&1 || true"
    text = _asked(
        context, CHANNEL_EVENTS_UNIT, "cel-custom/ucontact.csv", "channel-events", enabled
    )
    return parse_copy(CHANNEL_EVENTS_UNIT, text, _ENABLED)


def _asked(context: ProbeContext, unit: str, log: str, position: str, enabled: str) -> str:
    ask = script(
        **unit_commands(unit),
        position=f"cat {_STATE}/{position}.json 2>/dev/null || true",
        log=f"stat -c '%i %s %Y' {shlex.quote(f'/var/log/asterisk/{log}')} 2>/dev/null || true",
        now="date +%s",
        enabled=enabled,
    )
    return context.runner.run(["sh", "-c", ask]).stdout


def parse_copy(unit: str, text: str, enabled: str = "") -> LogCopy:
    """From the unit's state, its position file, and stat(1) of the log.

    `enabled` is what Asterisk prints where it writes the log.
    """
    part = sections(text)
    log = part.get("log", "").split()
    active = part.get("active", "").strip()
    written = enabled in part.get("enabled", "")
    if len(log) != 3:  # nothing has happened yet
        return LogCopy(unit, active, 0, 0.0, written, text.strip())
    inode, size, changed = (int(one) for one in log)
    try:
        position = json.loads(part.get("position", ""))
        sent = int(position["offset"]) if int(position["inode"]) == inode else None
    except (ValueError, KeyError, TypeError):
        sent = None
    age = float(part.get("now", "0").strip() or 0) - changed
    behind = None if sent is None else size - sent
    return LogCopy(unit, active, behind, age, written, text.strip())
